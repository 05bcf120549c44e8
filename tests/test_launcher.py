"""``lab`` in a checkout where its environment cannot be made: the person can mend it, so it ends with exit code 4."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NO_INDEX = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}


@pytest.fixture
def checkout(tmp_path):
    for name in ("lab", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def run_lab(checkout):
    return subprocess.run(
        [checkout / "lab", "doctor"], env={**os.environ, **NO_INDEX}, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip


def test_environment_whose_python_is_gone(checkout):
    """An upgrade of the system takes the Python away: the environment is made anew, and says what that lacks.

    Exit code 127 from every command, or 1 ("the driver failed") without a network, sends a person to the wrong place.
    """
    bin_ = checkout / ".venv" / "bin"
    bin_.mkdir(parents=True)
    (bin_ / "python").symlink_to("/usr/bin/python3.999")
    stamp = f"{checkout} {hashlib.sha256((checkout / 'pyproject.toml').read_bytes()).hexdigest()}  -"
    (checkout / ".venv" / "stamp").write_text(stamp)
    ended = run_lab(checkout)
    assert ended.returncode == 4, ended.stderr
    assert "could not be installed" in ended.stderr
    assert not (checkout / ".venv" / "stamp").exists()


def test_environment_that_cannot_be_made(checkout):
    """Why no environment can be made is told in the words of who tried, and nothing is installed for it."""
    (checkout / ".venv").touch()
    ended = run_lab(checkout)
    assert ended.returncode == 4, ended.stderr
    assert "Error: " in ended.stderr
    assert ".venv could not be made" in ended.stderr
    assert "installing" not in ended.stderr
