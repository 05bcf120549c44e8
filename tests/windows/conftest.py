"""Virtual benches for the tests in this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from desk import Desk, desks

from hil.windows import Adapter, Machine


@pytest.fixture(scope="session")
def new_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Desk]]:
    with desks(tmp_path_factory) as new_desk:
        yield new_desk


@pytest.fixture(scope="session")
def desk(new_desk: Callable[..., Desk]) -> Desk:
    """The golden bench that most tests share."""
    return new_desk()


@pytest.fixture(scope="session")
def troubled(new_desk: Callable[..., Desk]) -> tuple[Desk, Adapter]:
    """A bench whose faults each show on an occasion of their own: the fourth removal, a restart, a sleep."""
    faults = ("driver:CrashOnFourthRemoval", "windows:RestartsByItself", "windows:SleepRefused")
    desk = new_desk(faults=tuple(f"hil.virtual.faults.{fault}" for fault in faults))
    return desk, desk.adapter()


@pytest.fixture
def machine(desk: Desk) -> Machine:
    return desk.machine


@pytest.fixture(scope="session")
def adapter(desk: Desk) -> Adapter:
    return desk.adapter()
