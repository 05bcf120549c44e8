"""One change that provisioning makes to a machine, and how it is taken back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from hil.testbed.model import Testbed
from hil.windows import Adapter, Machine

State = dict[str, Any]
"""How one thing stands on the machine; plain data, since it is kept as JSON."""


@dataclass(frozen=True)
class Place:
    """What steps work on."""

    machine: Machine
    testbed: Testbed
    adapter: Adapter | None = None


class Step(ABC):
    """``argument`` and the previous state are all that ``undo`` may need: another process takes the change back."""

    kind: ClassVar[str]
    restart: ClassVar[bool] = False
    """Takes effect only after a restart of Windows."""

    def __init__(self, place: Place, argument: str = "") -> None:
        self.place, self.machine, self.shell, self.argument = place, place.machine, place.machine.shell, argument

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.argument}" if self.argument else self.kind

    @abstractmethod
    def read(self) -> State:
        """How it stands now."""

    @abstractmethod
    def done(self, state: State) -> bool:
        """Whether this state is the wanted one."""

    @abstractmethod
    def apply(self, state: State) -> None:
        """Bring it from ``state`` to the wanted one."""

    @abstractmethod
    def undo(self, previous: State) -> None:
        """Put it back as it was."""
