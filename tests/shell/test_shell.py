"""``hil shell`` as a person uses it: what is typed goes through standard input."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import Desk, lab_up

from hil.errors import BenchError, ExitCode
from hil.shell.names import Namespace

PLAIN = [sys.executable, "-c", "import sys; sys.modules['IPython'] = None; from hil.cli import main; main()", "shell"]
IPYTHON = [sys.executable, "-m", "hil.cli", "shell"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A bench that stands."""
    with lab_up(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


def start(place: Path, command: list[str], testbed: str) -> subprocess.Popen[str]:
    home = place / "home"
    home.mkdir(exist_ok=True)
    return subprocess.Popen(
        [*command, testbed], cwd=place, env={**os.environ, "HOME": str(home), "NO_COLOR": "1", "TERM": "dumb"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_names_open_when_they_are_used() -> None:
    """An instrument that does not answer costs nobody the prompt, and is tried anew; one that does is opened once."""
    opened: list[str] = []

    def meter() -> str:
        opened.append("meter")
        if len(opened) == 1:
            raise BenchError("an answer")
        return "it"

    names = Namespace({"meter": meter}, bench="desk")
    assert "meter" in names.keys()  # noqa: SIM118 - what is not open yet is completed, and is not in it
    with pytest.raises(BenchError):
        exec("meter", names)
    exec("def twice(): return meter, meter\nseen = twice()", names)
    assert names["seen"] == ("it", "it")
    assert opened == ["meter", "meter"]
    with pytest.raises(NameError):
        exec("bogus", names)


def test_ipython(desk: Desk, tmp_path: Path) -> None:
    """Fixtures answer by their names, mistakes do not end the prompt, and at Ctrl-D what was registered is undone."""
    typed = """
adapter.settings()["*ReceiveBuffers"]
machine.shell.run(Command("Get-NetAdapter", Name=adapter.name))[0]["Status"]
print("rate", 2 * 21)
nonsense
slot.pull(); undo(slot.plug); undo(print, "now it is undone")
adapter.wait_up(0.1)
"""
    with start(tmp_path, IPYTHON, str(desk.variant(tmp_path, {}))) as shell:
        told, _ = shell.communicate(typed, timeout=60)
    assert shell.returncode == ExitCode.OK, told
    for text in ("In [1]", "'256'", "'Up'", "rate 42", "NameError", "DeviceMissing: the adapter", "now it is undone"):
        assert text in told
    # an error of ours is its sentences
    assert "hil/windows/adapter.py" not in told


def test_plain_prompt_on_a_bench_that_stands(desk: Desk, tmp_path: Path) -> None:
    """Without IPython Python's own prompt does; a meter that is not there is told when it is used; SIGTERM ends what
    runs, and leaves the bench at rest and free."""
    dead = "TCPIP::127.0.0.1::1::SOCKET"
    testbed = desk.variant(tmp_path, {"instruments.meter.resource": dead})
    with start(tmp_path, PLAIN, str(testbed)) as shell:
        assert shell.stdin is not None and shell.stdout is not None
        shell.stdin.write("cable.disconnect(); undo(print, 'undone')\nmeter.read_w()\nprint('still', 'here')\n")
        shell.stdin.write("import time; print('so', 'long', flush=True); time.sleep(60)\n")
        shell.stdin.flush()
        told = ""
        while "so long" not in told:
            line = shell.stdout.readline()
            assert line, told
            told += line
        shell.send_signal(signal.SIGTERM)
        rest, _ = shell.communicate(timeout=60)
    assert shell.returncode == ExitCode.INTERRUPTED, told + rest
    for text in ("pip install 'hil[shell]'", "see that it is on, reachable", "still here", "undone"):
        assert text in told + rest
    assert desk.unrest() == []
