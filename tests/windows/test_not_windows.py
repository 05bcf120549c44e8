"""A computer that is not what the testbed says."""

from __future__ import annotations

from pathlib import Path

import pytest
from linux_machine import linux_machine

from hil.errors import UsageError
from hil.journal import Journal
from hil.testbed import model
from hil.windows import Machine


def test_linux_is_refused(tmp_path: Path) -> None:
    """A testbed that points at the wrong computer is told so at once, before any file is written there."""
    with linux_machine(tmp_path) as ssh:
        machine = Machine(model.Machine(ssh=ssh), Journal())
        with pytest.raises(UsageError, match="a Windows machine") as caught, machine:
            pytest.fail("it was taken for Windows")
    assert "cmd: not found" in str(caught.value)
    assert "testbed" in str(caught.value)
