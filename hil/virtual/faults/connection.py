"""Defects of the connection between the controller and the machine."""

from __future__ import annotations

from typing import ClassVar

from hil.virtual.faults import Fault


class SshStalls(Fault):
    """sshd falls silent in the middle of a run and never closes the connection (a half-open TCP connection)."""

    caught_by: ClassVar = ("install",)

    def ssh_stalls(self, stalled: bool, *, command_count: int) -> bool:
        # provisioning ends within the first hundred after its restart: this falls into the middle of a test
        return stalled or command_count > 160
