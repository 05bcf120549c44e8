"""What holds for all tests of hil."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def no_history() -> Iterator[None]:
    """Runs that tests start keep no history, which costs each a second; a test of it names its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "HIL_HISTORY", "off")
        yield
