"""A virtual bench that nobody has provisioned yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

from hil.testbed.model import Virtual


@pytest.fixture
def new_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    with ExitStack() as opened:

        def make(**virtual: Any) -> Desk:
            desk = Desk(tmp_path, Virtual(**virtual))
            opened.callback(desk.close)
            return desk

        yield make
