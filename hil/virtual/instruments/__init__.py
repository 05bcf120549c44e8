"""Instruments of the virtual bench: servers on loopback, coupled to the machine."""

from hil.virtual.instruments.assembly import Instruments
from hil.virtual.instruments.machine_port import MachinePort

__all__ = ["Instruments", "MachinePort"]
