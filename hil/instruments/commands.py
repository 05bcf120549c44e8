"""Switches that another program drives, as tables of command lines: YKUSH boards, uhubctl hubs, labgrid's modules."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass

from hil.clock import now_s
from hil.errors import UsageError
from hil.instruments.roles import Identity, Switch
from hil.instruments.session import InstrumentLost, InstrumentRefused, WrongInstrument
from hil.journal import Journal
from hil.testbed.model import Instrument

Words = tuple[str, ...]


@dataclass(frozen=True)
class CommandSwitch:
    """Command lines with ``{resource}`` and ``{channel}``; patterns are searched in what ``read`` prints.

    ``identify`` must print the resource, or else another board is attached (or none).
    """

    vendor: str
    identify: Words
    on: Words
    off: Words
    read: Words
    on_pattern: str
    off_pattern: str
    install: str
    """What to do when the program is missing."""

    def contact(self, name: str, spec: Instrument, journal: Journal) -> CommandContact:
        return CommandContact(name, self, spec, journal)


class CommandContact:
    """One port. Programs run one at a time, each within the deadline."""

    def __init__(self, name: str, table: CommandSwitch, spec: Instrument, journal: Journal) -> None:
        self.name, self._table, self._spec, self._journal = name, table, spec, journal
        self._lock = threading.Lock()
        self._identity: Identity | None = None

    @property
    def identity(self) -> Identity:
        if self._identity is None:
            listed = self._run(self._table.identify)
            if self._spec.resource not in listed:
                raise WrongInstrument(
                    f"{self.name} at {self._spec.resource}", seen=listed.strip() or "nothing",
                    where=self._table.identify[0], next_step="compare serial number or location with the testbed file",
                )  # fmt: skip
            self._identity = Identity(self._table.vendor, "", self._spec.resource)
        return self._identity

    def read(self) -> Switch:
        self.identity  # noqa: B018 - without a serial number some programs switch the first board they find
        printed = self._run(self._table.read)
        on, off = (
            re.search(self._filled(pattern), printed) is not None
            for pattern in (self._table.on_pattern, self._table.off_pattern)
        )
        return Switch.UNKNOWN if on == off else Switch.ON if on else Switch.OFF

    def set(self, on: bool) -> None:
        self.identity  # noqa: B018
        self._run(self._table.on if on else self._table.off)

    def close(self) -> None:
        """Nothing stays open."""

    def _filled(self, text: str) -> str:
        return text.replace("{resource}", self._spec.resource).replace("{channel}", self._spec.channel)

    def _run(self, words: Words) -> str:
        command = [self._filled(word) for word in words]
        program, started_s = shutil.which(command[0]), now_s()
        shown = " ".join(word for word in command if "\n" not in word)
        if program is None:
            seen = f"{command[0]} is not installed"
            raise UsageError(f"a program for {self.name}", seen=seen, next_step=self._table.install)
        try:
            with self._lock:
                done = subprocess.run(
                    [program, *command[1:]], capture_output=True, text=True, errors="replace", check=False,
                    stdin=subprocess.DEVNULL, timeout=self._spec.timeout_s,
                )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            self._note(shown, started_s, error="no answer in time")
            raise InstrumentLost(
                f"{self.name}: {shown}", seen="no answer", tried=f"for {self._spec.timeout_s:g} s"
            ) from error
        self._note(shown, started_s, reply=done.stdout[-500:], exit_code=done.returncode)
        if done.returncode:
            seen = (done.stderr or done.stdout).strip()[-300:]
            raise InstrumentRefused(f"{self.name}: {shown}", seen=f"exit code {done.returncode}: {seen}")
        return done.stdout

    def _note(self, command: str, started_s: float, **fields: object) -> None:
        fields["duration_s"] = round(now_s() - started_s, 6)
        self._journal.event("instrument", f"{self.name}: {command}", **fields)


YKUSH = CommandSwitch(
    "Yepkit", ("ykushcmd", "-l"),
    ("ykushcmd", "ykush", "-s", "{resource}", "-u", "{channel}"),
    ("ykushcmd", "ykush", "-s", "{resource}", "-d", "{channel}"),
    ("ykushcmd", "ykush", "-s", "{resource}", "-g", "{channel}"),
    r"\bON\b", r"\bOFF\b", "install Yepkit's ykushcmd",
)  # fmt: skip

UHUBCTL = CommandSwitch(
    "USB hub", ("uhubctl", "-l", "{resource}"),
    ("uhubctl", "-l", "{resource}", "-p", "{channel}", "-a", "on"),
    ("uhubctl", "-l", "{resource}", "-p", "{channel}", "-a", "off"),
    ("uhubctl", "-l", "{resource}", "-p", "{channel}"),
    r"Port {channel}: [0-9a-f]{4}.*\bpower\b", r"Port {channel}: [0-9a-f]{4}.*\boff\b", "install uhubctl",
)  # fmt: skip

_LABGRID = """
import importlib, sys
action, resource, index = sys.argv[1:]
name, _, host = resource.partition("@")
module = importlib.import_module("labgrid.driver.power." + name)
port = getattr(module, "PORT", None)
if "://" not in host and ":" in host:
    host, port = host.split(":")
if action in ("on", "off"):
    module.power_set(host, port, int(index), action == "on")
print(resource, {True: "is on", False: "is off"}.get(module.power_get(host, port, int(index)), "is unknown"))
"""

LABGRID = CommandSwitch(
    "labgrid", (sys.executable, "-c", _LABGRID, "get", "{resource}", "{channel}"),
    (sys.executable, "-c", _LABGRID, "on", "{resource}", "{channel}"),
    (sys.executable, "-c", _LABGRID, "off", "{resource}", "{channel}"),
    (sys.executable, "-c", _LABGRID, "get", "{resource}", "{channel}"),
    r"is on\b", r"is off\b", "install the extra: pip install hil[labgrid]",
)  # fmt: skip
