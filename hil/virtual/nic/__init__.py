"""The adapter's hardware, its cable, and the port of the link partner at the other end."""

from hil.virtual.nic.nic import Nic
from hil.virtual.nic.tap import Offloads

__all__ = ["Nic", "Offloads"]
