"""The kinds of fault that :mod:`instrument_faults` tries: each is done to a virtual instrument, or to the client."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyvisa

from hil.errors import BenchError

TIMEOUT_S, MARGIN_S = 0.4, 0.8
IDENTIFY, POSITION = "*IDN?", "ROUT:CLOS? (@{})"


class NotSurvived(Exception):
    """What went wrong."""


Kind = Callable[[str, str, str], Any]
"""Opens a client by role, resource and serial number."""


@dataclass
class Trial:
    """The instrument under a client: ``client()`` opens one, ``do`` spoils it."""

    kind: Kind
    role: str
    resource: str
    serial: str
    control: str

    def client(self) -> Any:
        return self.kind(self.role, self.resource, self.serial)

    def do(self, verb: str, **more: object) -> None:
        host, port = self.control.split(":")
        with socket.create_connection((host, int(port)), timeout=5) as control, control.makefile("rw") as lines:
            lines.write(json.dumps({"instrument": self.role, "do": verb, **more}) + "\n")
            lines.flush()
            answer = json.loads(lines.readline())
        assert answer == {"ok": True}, answer

    def plain(self, question: str) -> str:
        """Past both clients, on a socket: what is really so."""
        with socket.create_connection(("127.0.0.1", int(self.resource.split("::")[2])), timeout=2) as sock:
            sock.sendall(question.encode() + b"\n")
            return sock.makefile().readline().strip()


def must_fail(work: Callable[[], object], what: str) -> None:
    """The caller has to be told; how long it takes to tell him counts."""
    started = time.monotonic()
    try:
        work()
    except Exception:  # noqa: BLE001 - pyvisa-py raises what it likes; here any word is good enough
        told = True
    else:
        told = False
    finally:
        if (took_s := time.monotonic() - started) > TIMEOUT_S + MARGIN_S:
            raise NotSurvived(f"{what} took {took_s:.1f} s")
    if not told:
        raise NotSurvived(f"{what} was taken for success")


def must_be(found: str, wanted: str, what: str) -> None:
    if found != wanted:
        raise NotSurvived(f"{what}: {found!r}, not {wanted!r}")


def spoilt_answer(kind: str, *, wrong: bool = True) -> Callable[[Trial], None]:
    """One answer is spoilt; where it is ``wrong`` the caller must be told. The next one is right."""

    def trial_of(trial: Trial) -> None:
        client = trial.client()
        right = client.ask(IDENTIFY)
        trial.do("next", answers=[kind])
        if wrong:
            must_fail(lambda: client.ask("*STB?"), f"an answer that is {kind}")
        else:
            must_be(client.ask("*STB?"), "0", f"an answer that is {kind}")
        must_be(client.ask(IDENTIFY), right, "the next answer")

    return trial_of


def late_answer(trial: Trial) -> None:
    client = trial.client()
    right = client.ask(IDENTIFY)
    trial.do("late", seconds=TIMEOUT_S + 0.2)
    must_fail(lambda: client.ask("*STB?"), "an answer that is late")
    trial.do("late", seconds=0)
    time.sleep(0.3)
    must_be(client.ask(IDENTIFY), right, "the next answer")


def cut_between(*, reset: bool) -> Callable[[Trial], None]:
    """The connection ended while nobody looked: the next set is not lost."""

    def trial_of(trial: Trial) -> None:
        client = trial.client()
        client.ask(IDENTIFY)
        trial.do("cut", reset=reset)
        time.sleep(0.05)
        client.tell("ROUT:CLOS (@2)")
        time.sleep(0.05)
        must_be(trial.plain(POSITION.format(2)), "1", "the set")

    return trial_of


def frozen(trial: Trial) -> None:
    client = trial.client()
    right = client.ask(IDENTIFY)
    trial.do("freeze")
    must_fail(lambda: client.ask("*STB?"), "a question to a frozen instrument")
    trial.do("thaw")
    must_be(client.ask(IDENTIFY), right, "the next answer")


def set_while_frozen(trial: Trial) -> None:
    client = trial.client()
    client.ask(IDENTIFY)
    trial.do("freeze")
    must_fail(lambda: client.tell("ROUT:CLOS (@2)"), "a set that a frozen instrument did not act on")
    trial.do("thaw")


def stalled_write(trial: Trial) -> None:
    client = trial.client()
    client.ask(IDENTIFY)
    trial.do("freeze")
    must_fail(lambda: client.tell("\n".join(["*CLS"] * 6_000_000)), "a write that nobody reads")
    trial.do("thaw")


def closed_port(trial: Trial) -> None:
    trial.do("gone")
    must_fail(trial.client, "opening a port that is closed")


def unknown_host(trial: Trial) -> None:
    try:
        trial.kind(trial.role, f"TCPIP::{'a' * 70}.example::5025::SOCKET", trial.serial)
    except (BenchError, pyvisa.errors.Error, OSError):
        return
    except Exception as error:
        raise NotSurvived(f"a bare {type(error).__name__}") from error
    raise NotSurvived("opening a host that does not exist")


def exchanged(trial: Trial) -> None:
    client = trial.client()
    client.ask(IDENTIFY)
    trial.do("serial", serial="ANOTHER")
    trial.do("cut")
    time.sleep(0.05)
    must_fail(lambda: (client.tell("ROUT:CLOS (@2)"), client.tell("ROUT:CLOS (@2)")), "a set on another instrument")
    must_be(trial.plain(POSITION.format(2)), "0", "the other instrument")


def wrong_from_the_start(trial: Trial) -> None:
    trial.do("serial", serial="ANOTHER")
    must_fail(trial.client, "opening another instrument")


def restarted(trial: Trial) -> None:
    client = trial.client()
    client.tell("ROUT:CLOS (@2)")
    client.ask(IDENTIFY)
    trial.do("restart")
    time.sleep(0.05)
    must_be(client.ask(POSITION.format(2)), "0", "the position after a restart of the instrument")


def refused(trial: Trial) -> None:
    client = trial.client()
    must_fail(lambda: client.tell("ROUT:OPEN (@99)"), "a set that the instrument refused")
    must_be(client.ask(POSITION.format(1)), "1", "the next answer")


def ignored(trial: Trial) -> None:
    client = trial.client()
    trial.do("ignore", on=True)
    must_fail(lambda: client.pull(lambda: False), "a pull that was acknowledged and ignored")


def welded(trial: Trial) -> None:
    client = trial.client()
    trial.do("weld", on=True)
    must_fail(lambda: client.pull(lambda: False), "a pull with a welded contact")


def second_client(trial: Trial) -> None:
    trial.do("one_client", on=True)
    first = trial.client()
    first.ask(IDENTIFY)
    must_fail(trial.client, "opening an instrument that another client holds")


def nagle(trial: Trial) -> None:
    client = trial.client()
    client.ask(IDENTIFY)
    took_s = []
    for _ in range(5):
        started = time.monotonic()
        client.tell("ROUT:CLOS (@2)")
        client.ask("*OPC?")
        took_s.append(time.monotonic() - started)
    if min(took_s) > 0.03:
        raise NotSurvived(f"a set and a question took {min(took_s) * 1000:.0f} ms")


def threads(trial: Trial) -> None:
    client = trial.client()
    right = {IDENTIFY: client.ask(IDENTIFY), POSITION.format(1): "1"}
    wrong: list[str] = []

    def ask(question: str) -> None:
        try:
            wrong.extend(answer for _ in range(100) if (answer := client.ask(question)) != right[question])
        except Exception as error:  # noqa: BLE001 - as above
            wrong.append(str(error))

    workers = [threading.Thread(target=ask, args=(question,)) for question in right for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if wrong:
        raise NotSurvived(f"{len(wrong)} wrong answers, as {wrong[0]!r}")


def forked(trial: Trial) -> None:
    client = trial.client()
    right = client.ask(IDENTIFY)
    child = os.fork()
    question, wanted = (POSITION.format(1), "1") if child == 0 else (IDENTIFY, right)
    good = False
    with suppress(Exception):
        good = all(client.ask(question) == wanted for _ in range(100))
    if child == 0:
        os._exit(0 if good else 1)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or not good:
        raise NotSurvived("wrong answers in parent or child")


def neighbour(trial: Trial) -> None:
    client = trial.client()
    right = client.ask(IDENTIFY)
    pyvisa.ResourceManager("@py").close()
    must_be(client.ask(IDENTIFY), right, "the answer after somebody's rm.close()")


def many_files(trial: Trial) -> None:
    hoard = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    must_be(trial.client().ask(POSITION.format(1)), "1", "an answer with 1100 files open")
    for number in hoard:
        os.close(number)


def closed_and_opened(trial: Trial) -> None:
    client = trial.client()
    right = client.ask(IDENTIFY)
    client.close()
    client.open_again()
    must_be(client.ask(IDENTIFY), right, "the answer after close and open")


SOCKET: dict[str, Callable[[Trial], None]] = {
    "no answer": spoilt_answer("silent"), "late answer": late_answer, "half an answer": spoilt_answer("half"),
    "garbage byte": spoilt_answer("garbage"), "two lines for one question": spoilt_answer("twice", wrong=False),
    "CR LF": spoilt_answer("crlf", wrong=False), "FIN while waiting": spoilt_answer("fin"),
    "RST while waiting": spoilt_answer("rst"), "FIN before a set": cut_between(reset=False),
    "RST before a set": cut_between(reset=True), "frozen": frozen, "set while frozen": set_while_frozen,
    "write that nobody reads": stalled_write, "closed port": closed_port, "unknown host": unknown_host,
    "another instrument at open": wrong_from_the_start, "another instrument later": exchanged,
    "instrument restarts": restarted, "set refused": refused, "set ignored": ignored, "contact welded": welded,
    "held by another client": second_client, "Nagle's delay": nagle, "four threads": threads, "fork": forked,
    "rm.close() elsewhere": neighbour, "descriptors above 1023": many_files, "close and open": closed_and_opened,
}  # fmt: skip
OTHERS: dict[str, Callable[[Trial], None]] = {
    "no answer": spoilt_answer("silent"), "late answer": late_answer, "FIN while waiting": spoilt_answer("fin"),
    "RST while waiting": spoilt_answer("rst"), "frozen": frozen, "closed port": closed_port,
}  # fmt: skip
TRIALS = [
    *(("slot", "SOCKET", name, trial) for name, trial in SOCKET.items()),
    *(("meter", "HiSLIP", name, trial) for name, trial in OTHERS.items()),
    *(("button", "VXI-11", name, trial) for name, trial in OTHERS.items()),
]
