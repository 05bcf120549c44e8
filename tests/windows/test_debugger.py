"""Dumps on a debugger's computer, over a real SSH server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from debugger_host import DebuggerHost
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import BenchError
from hil.journal import Journal
from hil.virtual.windows.crash import AMD64, HEADER_BYTES
from hil.windows.debugger import analyze, parse


def dump(folder: Path, code: int = 0xD1) -> Path:
    """A file with a dump's header."""
    raw = bytearray(HEADER_BYTES)
    raw[:8] = b"PAGEDU64"
    raw[0x30:0x32] = AMD64.to_bytes(2, "little")
    raw[0x38:0x3C] = code.to_bytes(4, "little")
    folder.mkdir(exist_ok=True)
    path = folder / "MEMORY.DMP"
    path.write_bytes(raw)
    return path


@pytest.fixture
def host(tmp_path: Path) -> Iterator[DebuggerHost]:
    with DebuggerHost(tmp_path / "host") as host:
        yield host


def test_a_dump_is_analyzed(host: DebuggerHost, tmp_path: Path) -> None:
    """The dump travels there, the debugger reads it with the symbols, and its words say which function it was.

    The header alone never tells the guilty module; waiting for a person with a debugger costs a day.
    """
    path = dump(tmp_path / "test_pull")
    analysis = analyze(host.settings(), path, Journal())
    assert (analysis.image, analysis.symbol) == ("hilnic.sys", "hilnic!HilSend+1f")
    assert analysis.bucket == "0xD1_hilnic!HilSend"
    assert "DRIVER_IRQL_NOT_LESS_OR_EQUAL" in analysis.text
    assert (host.drive / "hil/dumps/test_pull-MEMORY.DMP").read_bytes() == path.read_bytes()
    (line,) = host.lines
    assert r"srv*C:\symbols*https://symbols.example" in line and '"!analyze -v; q"' in line


def test_debugger_that_is_not_there(host: DebuggerHost, tmp_path: Path) -> None:
    """A wrong path to kd is an error of the bench that names it; it says nothing of the crash."""
    with pytest.raises(BenchError, match="windbg on 127"):
        analyze(host.settings(kd="windbg"), dump(tmp_path / "t"), Journal())


def test_host_that_is_off(host: DebuggerHost, tmp_path: Path) -> None:
    """A debugger's computer that does not answer is told, and costs no more than its logon may."""
    settings = host.settings()
    ssh = settings.ssh.model_copy(update={"port": 1, "connect_timeout_s": 1.0})
    with pytest.raises(BenchError, match=r"127\.0\.0\.1:1"):
        analyze(settings.model_copy(update={"ssh": ssh}), dump(tmp_path / "t"), Journal())


@given(st.text(max_size=300))
def test_any_output(text: str) -> None:
    """Whatever a debugger prints is kept as it is."""
    assert parse(text).text == text
