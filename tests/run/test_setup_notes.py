"""What Windows noted of a failed test's installs stands among its artifacts."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from hil.errors import BenchError
from hil.journal import Journal
from hil.results.store import RunFolder
from hil.run.recorder import Current
from hil.run.setup_notes import keep_setup_log
from hil.run.verdict import Verdict


class Store:
    """A driver store that tells this much of its changes; None: the machine does not answer."""

    def __init__(self, text: str | None) -> None:
        self._text = text

    def log(self) -> str:
        if self._text is None:
            raise BenchError("the machine", seen="silence")
        return self._text


@pytest.mark.parametrize(
    ("verdict", "text", "kept"),
    [
        (Verdict.FAILED, "!!!  sto: no", True),
        (Verdict.ERROR, "!!!  sto: no", True),
        (Verdict.PASSED, "!!!  sto: no", False),
        (Verdict.FAILED, "", False),
        (Verdict.FAILED, None, False),
    ],
)
def test_kept_when_a_test_failed(
    verdict: Verdict, text: str | None, kept: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Of a test that failed after it changed the store; never in the way of the verdict when the machine is gone.

    pnputil's code says that an install failed, and only this file says why.
    """
    folder = RunFolder(tmp_path, "desk", "night")
    current = Current(request.node, "", 0.0, ExitStack(), verdict=verdict)
    keep_setup_log(Store(text), current, folder, Journal())  # type: ignore[arg-type]
    assert [Path(name).name for name in current.artifacts] == ["setupapi.dev.log"] * kept
    assert [(folder.path / name).read_text(encoding="utf-8") for name in current.artifacts] == [text] * kept
