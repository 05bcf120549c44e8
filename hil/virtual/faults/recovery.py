"""Defects that take the machine away, each of which yields to one rung of the recovery ladder and to none below it.

No suite looks for them (``caught_by`` is empty): the tests of the ladder do, tests/run/test_recover.py.
"""

from __future__ import annotations

from abc import abstractmethod

from hil.virtual.faults import Fault

_AFTER_COMMANDS = 30
_HOURS_S = 4 * 3600.0


class _StrikesOnce(Fault):
    """In the middle of a run."""

    _struck = False

    def ssh_stalls(self, stalled: bool, *, command_count: int) -> bool:
        if command_count >= _AFTER_COMMANDS and not self._struck:
            self._struck = True
            self._strike()
        return stalled

    @abstractmethod
    def _strike(self) -> None: ...

    def _lose_connections(self) -> None:
        assert self._bench.ssh is not None
        self._bench.ssh.forget()


class ConnectionForgotten(_StrikesOnce):
    """A firewall in between restarts and drops the connections that stand without a word: reconnecting helps."""

    def _strike(self) -> None:
        self._lose_connections()


class PowerShellDies(_StrikesOnce):
    """The desktop heap of sshd's session is used up: small programs run, PowerShell ends at once: a restart helps."""

    _used_up = False

    def _strike(self) -> None:
        self._used_up = True
        self._lose_connections()

    def shell_starts(self, started: bool) -> bool:
        return started and not self._used_up

    def boot_s(self, seconds: float, *, reason: str) -> float:
        self._used_up = False
        return seconds


class WindowsHangs(_StrikesOnce):
    """A driver spins at DISPATCH_LEVEL on every processor: nothing answers any more, the held power button helps."""

    def _strike(self) -> None:
        self._bench.machine.hang()


class HangsWithItsButton(WindowsHangs):
    """The embedded controller hangs together with Windows, so that the button is dead too: only the mains help."""

    def button_works(self, works: bool, *, seconds: float) -> bool:
        return works and not self._bench.machine.hung


class HangsWithoutButton(WindowsHangs):
    """The wire of the button's relay has come off: the management controller is the mildest that helps."""

    def button_works(self, works: bool, *, seconds: float) -> bool:
        return False


class NeverBootsAgain(WindowsHangs):
    """The disk dies with Windows: the machine powers on, and nothing brings it back to the network."""

    def boot_s(self, seconds: float, *, reason: str) -> float:
        return _HOURS_S
