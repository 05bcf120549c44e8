"""``--adapter-settings``: a file that cannot be meant is refused before a bench is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hil.errors import UsageError
from hil.run.adapter_settings import read


@pytest.mark.parametrize("text", ["", "{", "[]", '{"*RSS": 1}', '{"*RSS": null}'])
def test_no_settings(text: str, tmp_path: Path) -> None:
    """Anything but keywords with texts is told with its file."""
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        read(path)
    assert error.value.where == str(path)


def test_settings(tmp_path: Path) -> None:
    """Keywords and registry values come back as they stand there."""
    path = tmp_path / "settings.json"
    path.write_text('{"*RSS": "1", "NetworkAddress": ""}')
    assert read(path) == {"*RSS": "1", "NetworkAddress": ""}


def test_a_run_is_refused(run: Callable) -> None:
    """A missing file ends the run with the exit code for what a person can mend, before any test."""
    outcome = run("def test_x(): pass", "--adapter-settings=none.json")
    assert outcome.exit_code == 4
    assert "--adapter-settings" in outcome.text
