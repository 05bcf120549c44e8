"""A virtual bench with its machine connected, and instruments opened when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from hil.instruments import open_instrument
from hil.journal import Journal
from hil.package import Package
from hil.provision import provision
from hil.testbed.model import Testbed, Virtual
from hil.virtual.lab import Lab
from hil.windows import Adapter, DriverStore, Machine


class Desk:
    """``close()`` ends all of it."""

    def __init__(self, folder: Path, virtual: Virtual) -> None:
        self.journal = Journal()
        self.folder = folder
        self._open = ExitStack()
        self._instruments: dict[str, Any] = {}
        try:
            self._connect(virtual)
        except BaseException:
            self.close()
            raise

    def _connect(self, virtual: Virtual) -> None:
        described = Testbed(name="windows-tests", virtual=virtual)
        self.testbed = self._open.enter_context(Lab(described, self.folder / "state", self.journal))
        assert self.testbed.machine is not None
        self.machine = self._open.enter_context(Machine(self.testbed.machine, self.journal))

    def instrument(self, role: str) -> Any:
        if role not in self._instruments:
            name, described = next((key, one) for key, one in self.testbed.instruments.items() if one.role == role)
            self._instruments[role] = opened = open_instrument(name, described, self.journal)
            self._open.callback(opened.close)
        return self._instruments[role]

    def adapter(self) -> Adapter:
        """Found, on the current driver and with its address."""
        assert self.testbed.adapter is not None and self.testbed.packages is not None
        provision(self.machine, self.testbed, self.folder / "record")
        adapter = Adapter.find(self.machine, self.testbed.adapter)
        if adapter.problem() != 0:
            DriverStore(self.machine).restore(Package.load(self.testbed.packages.current))
        provision(self.machine, self.testbed, self.folder / "record", adapter)
        adapter.wait_up()
        return adapter

    def close(self) -> None:
        self._open.close()


@contextmanager
def desks(folders: pytest.TempPathFactory) -> Iterator[Callable[..., Desk]]:
    """``new_desk(faults=(...))``: benches of their own, all ended with the session."""
    with ExitStack() as opened:

        def make(**virtual: Any) -> Desk:
            desk = Desk(folders.mktemp("desk"), Virtual(**virtual))
            opened.callback(desk.close)
            return desk

        yield make
