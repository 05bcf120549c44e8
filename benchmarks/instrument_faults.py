"""How many kinds of fault the guarded session survives, and how many pyvisa does as it is.

    python benchmarks/instrument_faults.py

Each kind is really done to a virtual instrument (its control port) or to the client's process, and tried with each
client in a process of its own. A kind is survived when all of this holds, without help from the caller:

- every call ends within its timeout of 0.4 s and a little, and does not spin (processor time under 0.3 s);
- no answer is wrong, and what was not done is not taken for done;
- the next use of the same client works, or says truthfully why it cannot.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyvisa
from instrument_server import standing
from instrument_trials import TIMEOUT_S, TRIALS, Kind, NotSurvived, Trial, stalled_write, threads

from hil.instruments import family_named, open_instrument
from hil.instruments.scpi import Scpi
from hil.instruments.session import Session
from hil.instruments.slot import SwitchedSlot
from hil.instruments.switching import Timing
from hil.journal import Journal
from hil.testbed.model import Instrument

MOST_CPU_S, HANGS_S = 0.3, 8
SERIALS = {"slot": "SB0001", "meter": "C2SB00001E", "button": "MM3A0001"}
FAMILIES = {"slot": "scpi-relay", "meter": "yokogawa-wt300", "button": "rigol-m300"}


class Bare:
    """pyvisa with its pyvisa-py backend, terminations and timeout set as its manual says."""

    def __init__(self, _role: str, resource: str, _serial: str) -> None:
        self.visa: Any = pyvisa.ResourceManager("@py").open_resource(
            resource, read_termination="\n", write_termination="\n", timeout=TIMEOUT_S * 1000
        )

    def ask(self, question: str) -> str:
        return str(self.visa.query(question))

    def tell(self, command: str) -> None:
        self.visa.write(command)

    def pull(self, seen: Callable[[], bool]) -> None:  # noqa: ARG002 - nobody is asked
        self.visa.write("ROUT:OPEN (@1)")

    def close(self) -> None:
        self.visa.close()

    def open_again(self) -> None:
        self.visa.open()


class Guarded:
    """The guarded session; what moves goes through the role that stands on it."""

    def __init__(self, role: str, resource: str, serial: str) -> None:
        self._spec = Instrument(
            role="slot", family="scpi-relay", resource=resource, serial=serial, timeout_s=TIMEOUT_S
        )
        dialect = family_named(FAMILIES[role]).dialect
        assert isinstance(dialect, Scpi)
        self.session = Session(
            "unit", resource, Journal(), timeout_s=TIMEOUT_S, serial=serial, manners=dialect.manners
        )
        assert self.session.identity.serial == serial

    def ask(self, question: str) -> str:
        return self.session.query(question)

    def tell(self, command: str) -> None:
        self.session.command(command)

    def pull(self, seen: Callable[[], bool]) -> None:
        slot: SwitchedSlot = open_instrument("slot", self._spec, Journal(), state_dir=Path(tempfile.gettempdir()))
        slot._timing = Timing(confirm_s=0.3, witness_s=0.3)
        slot.pull(witness=seen)

    def close(self) -> None:
        self.session.close()

    def open_again(self) -> None:
        """The next use does."""


def outcome(kind: Kind, role: str, trial: Callable[[Trial], None]) -> str:
    """Empty when survived; in a child process, which is ended when it hangs."""
    with standing() as server:
        under = Trial(kind, role, server[role], SERIALS[role], server["control"])
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            os.write(writer, _tried(under, trial).encode()[:400])
            os._exit(0)
        os.close(writer)
        signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
        signal.alarm(HANGS_S)
        _, status, used = os.wait4(child, 0)
        signal.alarm(0)
        with os.fdopen(reader) as told:
            found = told.read()
    if os.waitstatus_to_exitcode(status):
        return f"hangs, {used.ru_utime + used.ru_stime:.1f} s of processor time in {HANGS_S} s"
    return found


def _tried(under: Trial, trial: Callable[[Trial], None]) -> str:
    before_s = time.process_time()
    try:
        trial(under)
    except NotSurvived as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the next use did not work
        return f"{type(error).__name__}: {error}"
    cpu_s = time.process_time() - before_s
    spins = trial not in (threads, stalled_write) and cpu_s > MOST_CPU_S
    return f"{cpu_s:.1f} s of processor time" if spins else ""


def main() -> int:
    counts = {"guarded": 0, "bare": 0}
    for role, transport, name, trial in TRIALS:
        found = {"guarded": outcome(Guarded, role, trial), "bare": outcome(Bare, role, trial)}
        for which, problem in found.items():
            counts[which] += not problem
        shown = " | ".join(f"{which}: {problem[:90] or 'survived'}" for which, problem in found.items())
        print(f"{transport:7} {name:27} {shown}", flush=True)
    print(f"\nof {len(TRIALS)} kinds: guarded session {counts['guarded']}, bare pyvisa {counts['bare']}")
    return 0 if counts["guarded"] == len(TRIALS) else 1


if __name__ == "__main__":
    sys.exit(main())
