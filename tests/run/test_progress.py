"""What a person sees while a run goes on."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import termios
from typing import Any

WAITS = """
from hil.wait import wait_until
from hil.clock import Deadline
def test_waits(journal):
    "Looks for a while."
    until = Deadline(1.2)
    wait_until(lambda: until.expired, what="the device to go", timeout_s=5, journal=journal)
"""


def test_plain_lines_when_it_is_not_a_terminal(place: Any) -> None:
    """In a log of CI there is a line for each test and nothing that moves."""
    outcome = place.run(WAITS)
    assert re.search(r"^1/1 pass +1\.\d s  test_suite\.py::test_waits$", outcome.text, re.MULTILINE)
    assert "\x1b" not in outcome.text
    assert "waits for" not in outcome.text


def test_a_live_line_on_a_terminal(place: Any) -> None:
    """On a terminal the running test is shown with what it waits for, and nothing of that line stays behind."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (20, 40))
    environment = {**place.environment, "TERM": "xterm"}
    with subprocess.Popen(
        place.command(WAITS), cwd=place.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = _read_all(ours)
        assert process.wait(20) == 0
    assert "desk  0/1" in shown
    assert re.search(r"  [01] s  test_suite\.py::test_waits", shown)
    assert "  1 s of at most 5 s  waits for the dev…" in shown, "cut where the window ends"
    assert re.search(r"1/1 .{0,20}pass", shown)
    # the last live line was erased (CSI 2 K) after it was drawn
    assert shown.rindex("\x1b[2K") > shown.rindex("waits for")


def _read_all(terminal: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:  # what Linux says when the other end is closed
            part = b""
        if not part:
            return b"".join(parts).decode()
        parts.append(part)
