"""Virtual benches that nobody has provisioned yet; the shared one is put back by each test that provisions it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desk import Desk, desks


@pytest.fixture(scope="session")
def new_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Desk]]:
    with desks(tmp_path_factory) as new_desk:
        yield new_desk


@pytest.fixture(scope="session")
def desk(new_desk: Callable[..., Desk]) -> Desk:
    return new_desk()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the controller keeps its record."""
    return tmp_path / "record"
