"""Defects of the connection between the controller and the machine."""

from __future__ import annotations

from typing import ClassVar

from hil.virtual.faults import Fault


class SshStalls(Fault):
    """sshd falls silent in the middle of a run and never closes the connection (a half-open TCP connection)."""

    caught_by: ClassVar = ("install", "link", "pnp", "power", "throughput")

    def ssh_stalls(self, stalled: bool, *, command_count: int) -> bool:
        return stalled or command_count > 60
