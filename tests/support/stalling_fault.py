"""A stall of SSH that comes in the middle of a small suite."""

from __future__ import annotations

from hil.virtual.faults.connection import SshStalls


class StallsOften(SshStalls):
    """After 150 commands since boot: provisioning and one test take less, asking on and on takes more."""

    def ssh_stalls(self, stalled: bool, *, command_count: int) -> bool:
        return stalled or command_count > 150
