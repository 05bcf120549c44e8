"""Switches behind other programs, with stand-ins for these programs on the path."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import pytest

from hil.errors import BenchError, UsageError
from hil.instruments import Switch, open_instrument
from hil.instruments.session import InstrumentLost, InstrumentRefused, WrongInstrument
from hil.testbed.model import Instrument

YKUSHCMD = """
import pathlib, sys
state = pathlib.Path(sys.argv[0]).with_name("state")
arguments = sys.argv[1:]
if arguments == ["-l"]:
    print("Attached YKUSH Boards:\\n1. Board found with serial number: YK12345")
    sys.exit()
assert arguments[:3] == ["ykush", "-s", "YK12345"], arguments
if arguments[4] == "3":
    sys.exit("no such port")
if arguments[3] in ("-u", "-d"):
    state.write_text(arguments[3])
else:
    print("Downstream port", arguments[4], "is", "OFF" if state.exists() and state.read_text() == "-d" else "ON")
"""
UHUBCTL = """
import pathlib, sys
state = pathlib.Path(sys.argv[0]).with_name("state")
if "-a" in sys.argv:
    state.write_text(sys.argv[-1])
print("Current status for hub 1-1 [2109:2817 hub]")
for port in (1, 2, 3):
    off = port == 2 and state.exists() and state.read_text() == "off"
    print(f"  Port {port}: {'0000 off' if off else '0103 power enable connect'}")
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """``program(name, text)``: a stand-in on the path."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def install(name, text):
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(0o755)

    return install


def entry(family, resource, channel, **changes):
    return Instrument(role="usb_port", family=family, resource=resource, channel=channel, timeout_s=5).model_copy(
        update=changes
    )


def test_ykush(program, journal):
    """A port of a YKUSH board follows, and reads back."""
    program("ykushcmd", YKUSHCMD)
    port = open_instrument("port", entry("ykush", "YK12345", "1"), journal)
    port.off()
    assert port.state() is Switch.OFF
    port.on()
    assert port.state() is Switch.ON


def test_the_other_board_is_never_switched(program, journal):
    """Without a match of the serial number nothing is switched; the program itself would take the first board."""
    program("ykushcmd", YKUSHCMD)
    with pytest.raises(WrongInstrument, match="YK12345"):
        open_instrument("port", entry("ykush", "YK99999", "1"), journal)


def test_refusal(program, journal):
    """An exit code is a refusal, with the program's words."""
    program("ykushcmd", YKUSHCMD)
    with pytest.raises(InstrumentRefused, match="no such port"):
        open_instrument("port", entry("ykush", "YK12345", "3"), journal).on()


def test_uhubctl_looks_at_its_own_port(program, journal):
    """The neighbouring ports are on, which is not this port's state."""
    program("uhubctl", UHUBCTL)
    port = open_instrument("port", entry("uhubctl", "1-1", "2"), journal)
    port.off()
    assert port.state() is Switch.OFF


def test_program_that_hangs(program, journal):
    """A program that never ends costs its deadline."""
    program("uhubctl", "import time; time.sleep(60)")
    with pytest.raises(InstrumentLost, match="no answer"):
        open_instrument("port", entry("uhubctl", "1-1", "2", timeout_s=0.3), journal)


def test_program_that_is_missing(journal, monkeypatch, tmp_path):
    """What is missing and how to get it is in the message."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="install"):
        open_instrument("port", entry("ykush", "YK12345", "1"), journal)


def test_unclear_words_are_unknown(program, journal):
    """A state that says both or neither is not taken for off."""
    program("ykushcmd", YKUSHCMD.replace('"is", "OFF" if', '"is", "ON/OFF" if'))
    port = open_instrument("port", entry("ykush", "YK12345", "1"), journal)
    port._timing = replace(port._timing, confirm_s=0.1)
    with pytest.raises(BenchError, match="unknown"):
        port.off()


def test_labgrid_that_is_not_installed(journal):
    """Without the extra the adapter says that the module is missing."""
    spec = entry("labgrid", "no_such_module@127.0.0.1", "1", role="outlet")
    with pytest.raises(InstrumentRefused, match="ModuleNotFoundError"):
        open_instrument("mains", spec, journal)
