"""Folders of runs, as a run leaves them, without one."""

from __future__ import annotations

import resource
from pathlib import Path

from hil.journal import Journal
from hil.results.model import Measurement, RunInfo, Skip, TestResult, Trouble
from hil.results.store import ResultWriter

START = "2026-11-22T13:00:00+00:00"


def a_test(name: str, verdict: str, *troubles: Trouble, **fields: object) -> TestResult:
    return TestResult(f"suites/test_pnp.py::{name}", f"Claim of {name}.", verdict, START, 1.5, troubles, **fields)  # type: ignore[arg-type]


def device(message: str, error: str = "Bugcheck") -> Trouble:
    return Trouble("call", "failed", "device", error, message, wanted="goes on", seen=message, trace="Traceback")


def bench(message: str) -> Trouble:
    return Trouble("call", "error", "bench", "BenchError", message)


NIGHT = [
    a_test("test_good", "passed", measurements=(Measurement("tcp send", 941.2, "Mbit/s", at_least=913.2),)),
    a_test("test_slow", "failed", device("700"), measurements=(Measurement("tcp", 700.0, "Mbit/s", at_least=913.2),)),
    a_test("test_crash[a]", "failed", device("bugcheck 0xD1 <b>")),
    a_test("test_crash[b]", "failed", device("bugcheck 0xD1 <b>"), artifacts=("artifacts/MEMORY.DMP",)),
    a_test("test_lost", "error", bench("relay stuck")),
    a_test("test_none", "skipped", skip=Skip("bench desk has no slot", ("slot",))),
    a_test("test_rss", "skipped", skip=Skip("the adapter has no RSS", side="device")),
]


def user_s() -> float:
    """Time that this thread has computed. The system's share depends on who else writes files just now."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_utime


def record_test(journal: Journal, test: str, steps: int = 1) -> None:
    """What a short test leaves on the journal."""
    journal.test = test
    with journal.span("test", test, claim="Claim."):
        for number in range(steps):
            with journal.span("step", f"pull the slot {number}") as outcome:
                outcome["watts"] = 3.5
                with journal.span("command", "Get-NetAdapter -Name 'Ethernet 2'") as answer:
                    answer["output"] = "Name: Ethernet 2, Status: Up"
                journal.event("instrument", "slot: ROUT:OPEN (@101)", reply="1", duration_s=0.002)
            journal.event("sample", "wire", sent_mbps=900.0 + number, received_mbps=0.0, link=number % 3 != 1)
            journal.event("sample", "watts", watts=31.0 + number % 2)
        journal.event("sample", "windows", adapter="Up", load_percent=7.0)
        journal.event("failing", "Bugcheck: bugcheck 0xD1", during="call")
        journal.event(
            "event", "Microsoft-Windows-NDIS 10400", log="System", level=3, fields=["</script><b>"], age_s=0.0,
            machine_time=START, offset_s=-0.18, uncertainty_s=0.002,
        )  # fmt: skip
        journal.event("error", "Bugcheck: bugcheck 0xD1", during="call", verdict="failed")
    journal.test = None


def a_run(
    folder: Path, tests: list[TestResult], exit_code: int | None = 1, *, started: str = START, **info: object
) -> Path:
    """A folder with results.jsonl and journal.jsonl; the first test has a story on the journal."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "artifacts").mkdir(exist_ok=True)
    (folder / "artifacts/MEMORY.DMP").write_bytes(b"PAGEDU64")
    for name in ("journal.jsonl", "results.jsonl"):
        (folder / name).unlink(missing_ok=True)
    journal = Journal(folder / "journal.jsonl")
    if tests:
        record_test(journal, tests[0].test, steps=5)
    journal.close()
    writer = ResultWriter(folder / "results.jsonl", lambda line: line)
    fields = {"testbed": "desk", "facts": {"package": "HIL Lab hilnic.inf 2.1.0.0"}, **info}
    writer.run(RunInfo(folder.name, started, "0.1.0", **fields))  # type: ignore[arg-type]
    for test in tests:
        writer.test(test)
    if exit_code is not None:
        writer.end(exit_code)
    writer.close()
    return folder
