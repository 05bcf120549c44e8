"""A bench that ``hil lab up`` keeps up, and runs on variants of its testbed as a person starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from hil.bench import Bench
from hil.errors import ExitCode
from hil.instruments import Switch
from hil.journal import Journal
from hil.testbed.model import Testbed
from hil.wait import wait_until

HIL = [sys.executable, "-m", "hil.cli"]
SUITE = """
def test_before():
    pass

def test_up(driver, adapter):
    assert adapter.wait_up().status == "Up"

def test_rate(driver, traffic):
    assert traffic.tcp(seconds=0.3).mbps > 1
"""


@dataclass(frozen=True)
class Outcome:
    """A run that ended."""

    exit_code: int
    text: str
    folder: Path
    """Of its report; not there when the run was refused before it began."""

    @property
    def verdicts(self) -> dict[str, str]:
        return {line["test"].partition("::")[2]: line["verdict"] for line in self._lines if line["kind"] == "test"}

    @property
    def reason(self) -> str:
        """Why the run ended before its last test."""
        return str(self._lines[-1]["reason"])

    @property
    def _lines(self) -> list[dict[str, Any]]:
        """The whole lines of results.jsonl."""
        text = (self.folder / "results.jsonl").read_text().rpartition("\n")[0]
        return [json.loads(line) for line in text.splitlines()]

    @property
    def complete(self) -> bool:
        """Whether all that a run leaves behind is there."""
        return all((self.folder / name).stat().st_size for name in ("results.jsonl", "index.html", "junit.xml"))


class Desk:
    """A bench that is up, and runs on variants of its testbed, each in a folder of its own."""

    def __init__(self, folder: Path, described: dict[str, Any]) -> None:
        self.folder, self.described = folder, described

    @property
    def testbed(self) -> Testbed:
        return Testbed.model_validate(self.described)

    def variant(self, place: Path, changes: dict[str, Any]) -> Path:
        """A testbed file with some keys (``machine.ssh.port``) changed; its state is its own."""
        tree = json.loads(json.dumps({**self.described, "state_dir": str(place / "state")}))
        for name, value in changes.items():
            *path, last = name.split(".")
            node = tree
            for key in path:
                node = node[key]
            node[last] = value
        file = place / "testbed.yaml"
        YAML().dump(tree, file)
        return file

    def unrest(self) -> list[str]:
        """What is not in its rest position, and the machine if it does not answer."""
        with Bench(self.testbed, Journal()) as bench:
            found = [role for role in ("outlet", "slot", "cable") if bench.instrument(role).state() is not Switch.ON]
            found += ["button"] if bench.button.state() is not Switch.OFF else []
            return found + ([] if bench.machine.os().build else ["machine"])


@contextmanager
def lab_up(folder: Path, *arguments: str) -> Iterator[Desk]:
    """A bench of its own; faults of this folder can be named."""
    (folder / "box.yaml").write_text("name: box\nvirtual: {}\nstate_dir: state\n")
    command = [*HIL, "lab", "up", "box.yaml", "--json", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as lab:
        assert lab.stdout is not None
        yield Desk(folder, json.loads(lab.stdout.readline())["testbed"])
        lab.send_signal(signal.SIGINT)
        assert lab.wait(20) == ExitCode.OK
    assert [*(folder / "state").iterdir()] == []


class Runs:
    """Runs in one folder; none may leave a process behind."""

    def __init__(self, place: Path) -> None:
        self.place, self._mark = place, uuid.uuid4().hex
        self.environment = {**os.environ, "HIL_TEST_MARK": self._mark, "COLUMNS": "200", "HOME": str(place / "home")}

    def start(self, testbed: Path, suite: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """As a shell does it: in a process group of its own."""
        (self.place / "test_suite.py").write_text(suite)
        command = [*HIL, "run", f"--testbed={testbed}", "-p", "no:cacheprovider", *arguments, "test_suite.py"]
        return subprocess.Popen(
            command, cwd=self.place, env={**self.environment, **environment}, process_group=0,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def end(self, run: subprocess.Popen[str], reports: Path | None = None) -> Outcome:
        with run:
            text, _ = run.communicate(timeout=60)
        wait_until(lambda: not self.survivors(), what="all processes of the run to end", timeout_s=10)
        assert not (self.place / "home/.local").exists(), "something was written to the user's own state"
        return Outcome(run.returncode, text, ((reports or self.place / "reports") / "latest").resolve())

    def __call__(self, testbed: Path, suite: str, *arguments: str, **environment: str) -> Outcome:
        return self.end(self.start(testbed, suite, *arguments, **environment))

    def survivors(self) -> list[str]:
        return [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if self._mark in _environment(path)]


def _environment(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:  # it ended, or is another user's
        return ""


def is_told(outcome: Outcome, exit_code: ExitCode, *messages: str) -> None:
    """The run ended so, with all messages and without a traceback, and left its report; the driver is not blamed."""
    assert outcome.exit_code == exit_code, outcome.text
    assert [message for message in messages if message not in outcome.text] == [], outcome.text
    assert "Traceback" not in outcome.text
    if outcome.folder.exists():
        assert outcome.complete
        assert "failed" not in outcome.verdicts.values()
