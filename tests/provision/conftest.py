"""Virtual benches that nobody has provisioned yet; the shared one is put back by each test that provisions it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

from hil.testbed.model import Virtual


@pytest.fixture(scope="session")
def new_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Desk]]:
    with ExitStack() as opened:

        def make(**virtual: Any) -> Desk:
            desk = Desk(tmp_path_factory.mktemp("desk"), Virtual(**virtual))
            opened.callback(desk.close)
            return desk

        yield make


@pytest.fixture(scope="session")
def desk(new_desk: Callable[..., Desk]) -> Desk:
    return new_desk()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the controller keeps its record."""
    return tmp_path / "record"
