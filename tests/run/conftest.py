"""Runs of small suites on a described bench, as a user starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from runs import Desk, Runs, lab_up

TESTBED = """\
name: desk
machine:
  ssh: {host: 127.0.0.1, port: 1, user: hil, key_file: key, host_key: ssh-ed25519 AAAA}
  boot_timeout_s: 1
adapter: {hardware_id: PCI, link_mbps: 1000, address: 198.18.0.1/24}
state_dir: state
"""


@dataclass(frozen=True)
class Outcome:
    """A run that ended: its exit code, what it printed, and what it left behind."""

    exit_code: int
    text: str
    folder: Path

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The whole lines of results.jsonl."""
        text = (self.folder / "results.jsonl").read_text().rpartition("\n")[0]
        return [json.loads(line) for line in text.splitlines()]

    @property
    def tests(self) -> dict[str, dict[str, Any]]:
        """Result by the test's name without its file."""
        return {line["test"].partition("::")[2]: line for line in self.lines if line["kind"] == "test"}

    @property
    def verdicts(self) -> dict[str, str]:
        return {name: line["verdict"] for name, line in self.tests.items()}


class Place:
    """A folder with a testbed and one suite; no bench is there, so only tests without one can pass."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "desk.yaml").write_text(TESTBED)
        (folder / "key").write_text("")

    def command(self, suite: str, *arguments: str) -> list[str]:
        (self.folder / "test_suite.py").write_text(f"import pytest\nfrom hil.errors import *\n{suite}")
        plugins = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
        return [sys.executable, "-m", "pytest", "--testbed", "desk.yaml", *plugins, *arguments]

    def run(self, suite: str, *arguments: str, before: Callable[[], None] | None = None) -> Outcome:
        done = subprocess.run(
            self.command(suite, *arguments),
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60, preexec_fn=before,
        )  # fmt: skip
        return self.outcome(done.returncode, done.stdout + done.stderr)

    def outcome(self, exit_code: int, text: str) -> Outcome:
        return Outcome(exit_code, text, (self.folder / "reports/latest").resolve())

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.folder), "COLUMNS": "200"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def run(place: Place) -> Callable[..., Outcome]:
    """``run(suite, "-k", "x")``: pytest with the plug-in, in a process of its own."""

    def run(suite: str, *arguments: str, before: Callable[[], None] | None = None) -> Outcome:
        return place.run(suite, *arguments, before=before)

    return run


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A golden bench that is up."""
    with lab_up(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """``runs(testbed, suite)``: hil run in a folder of its own."""
    return Runs(tmp_path)
