"""Native programs of the virtual Windows: how command lines are taken apart, exit codes, texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_windows import VirtualWindows

from hil.remote.quoting import join
from hil.virtual.power_state import Power
from hil.virtual.tools.command_line import split
from hil.wait import async_pause


@pytest.fixture(scope="module")
def pc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualWindows]:
    with VirtualWindows(tmp_path_factory.mktemp("pc")) as machine:
        yield machine


@pytest.fixture
def plain_user(tmp_path: Path) -> Iterator[VirtualWindows]:
    with VirtualWindows(tmp_path, elevated=False) as machine:
        yield machine


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (r'"C:\Program Files\x.exe" -s "a b"', [r"C:\Program Files\x.exe", "-s", "a b"]),
        (r"a\\b c\d", [r"a\\b", r"c\d"]),
        (r'"a\\" b', ["a\\", "b"]),
        (r"a\"b", ['a"b']),
        (r'"a""b"', ['a"b']),
        (r'"" x', ["", "x"]),
        ("a^&b", ["a&b"]),
        ("  a\tb ", ["a", "b"]),
    ],
)
def test_words(line, words):
    """Quotes, backslashes and carets mean what the C runtime and cmd.exe mean by them.

    A path with a blank that is cut in two installs the wrong thing, or nothing.
    """
    assert split(line) == words


WORDS = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="%^&|<>!()"), min_size=1)


@given(st.lists(WORDS, min_size=1))
def test_the_clients_quoting_is_undone(words):
    """What the client quotes for Windows arrives as the words that it was given.

    Client and model were written by different hands; they must agree on every path.
    """
    assert split(join(words)) == words


def test_unknown_program(pc):
    """A program that is not there gets cmd.exe's own words and exit code 1; a wrong path gets the other message.

    A harness must tell a missing tool from a tool that failed.
    """
    code, text = pc.run("iperf3 -s")
    assert (code, text) == (
        1, "'iperf3' is not recognized as an internal or external command,\noperable program or batch file.\n"
    )  # fmt: skip
    assert pc.run(r"C:\nowhere\iperf3.exe -s") == (1, "The system cannot find the path specified.\n")


def test_operators_are_not_run(pc):
    """A second command behind & or a pipe is refused, never silently dropped.

    An unquoted argument must not become a command.
    """
    code, text = pc.run("whoami & shutdown /r")
    assert (code, text) == (255, "& was unexpected at this time.\n")
    assert not pc.bench.machine.shutdown_pending


def test_who_and_where(pc):
    """whoami, hostname, ver and cmd /c answer as on the machine that they claim to be.

    Provisioning reads the integrity level to know that it is elevated.
    """
    assert pc.run("whoami") == (0, "hil-vm\\hil\n")
    assert "S-1-16-12288" in pc.run("whoami /groups")[1]
    assert pc.run("hostname") == (0, "HIL-VM\n")
    assert pc.run('cmd /c "hostname"') == (0, "HIL-VM\n")
    assert "10.0.26100" in pc.run("ver")[1]
    assert pc.run("cmd /c exit 7")[0] == 7


def test_shutdown_can_be_aborted(pc):
    """A scheduled restart is refused a second time (1190) and can be aborted; a second abort is error 1116.

    An interrupted run must not leave a machine that restarts in the middle of the next one.
    """
    assert pc.run("shutdown /r /t 600")[0] == 0
    assert pc.run("shutdown /r /t 600")[0] == 1190
    assert pc.run("shutdown /a")[0] == 0
    code, text = pc.run("shutdown /a")
    assert code == 1116
    assert "1116" in text
    assert pc.bench.machine.power is Power.ON


def test_shutdown_needs_elevation(plain_user):
    """Without elevation shutdown, powercfg /h and wevtutil cl are refused, and whoami shows a medium level.

    The machine's account decides what a night can do; it must be found out at the start.
    """
    assert plain_user.run("shutdown /r /t 0")[0] == 5
    assert plain_user.run("powercfg /h off")[0] == 1
    assert plain_user.run("wevtutil cl System")[0] == 5
    assert "S-1-16-8192" in plain_user.run("whoami /groups")[1]


def test_hibernate(pc):
    """shutdown /h hibernates; with hibernation off it is error 50, and /a no longer lists it.

    S4 tests must be skipped on such a machine, with the cause.
    """
    assert pc.run("shutdown /h")[0] == 0

    async def asleep() -> None:
        while pc.bench.machine.power is not Power.HIBERNATED:
            await async_pause(0.001)
        pc.bench.machine.press_button(0.1)
        while pc.bench.machine.power is not Power.ON:
            await async_pause(0.001)

    pc.wait(asleep())
    assert "Type: Power Button" in pc.run("powercfg /lastwake")[1]
    assert pc.run("powercfg /hibernate off")[0] == 0
    assert pc.run("shutdown /h")[0] == 50
    assert "Hibernation has not been enabled." in pc.run("powercfg /a")[1]
    assert pc.run("powercfg /hibernate on")[0] == 0


def test_wake_devices(pc):
    """A device can be disarmed and armed by its name, and the query follows.

    Whoever tests wake must know which devices may wake.
    """
    name = "Intel(R) Ethernet Controller (3) I225-V"
    assert name in pc.run("powercfg /devicequery wake_armed")[1]
    assert pc.run(f'powercfg /devicedisablewake "{name}"')[0] == 0
    assert name not in pc.run("powercfg /devicequery wake_armed")[1]
    assert pc.run(f'powercfg /deviceenablewake "{name}"')[0] == 0
    assert pc.run('powercfg /deviceenablewake "No such thing"')[0] == 1


def test_wevtutil(pc):
    """Logs can be listed, queried by XPath, exported without overwriting; a wrong name is 15007.

    A person who looks at a bad night uses this tool.
    """
    assert "System\n" in pc.run("wevtutil el")[1]
    code, text = pc.run('wevtutil qe System "/q:*[System[EventID=6005]]" /rd:true /c:1 /f:xml')
    assert code == 0
    assert text.count("<EventID>6005</EventID>") == 1
    assert pc.run("wevtutil gl NoSuchLog")[0] == 15007
    assert pc.run(r'wevtutil qe System "/q:*[System["')[0] == 15001
    assert pc.run(r"wevtutil epl System C:\hil\system.evtx")[0] == 0
    assert pc.run(r"wevtutil epl System C:\hil\system.evtx")[0] == 80
    assert pc.run(r"wevtutil epl System C:\hil\system.evtx /ow:true")[0] == 0
