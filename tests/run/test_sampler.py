"""Sampling beside the tests: what it sees, that a sleeping machine is left alone, that nothing of it reaches a test."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from hil.clock import Deadline
from hil.errors import BenchError
from hil.journal import Journal, Record
from hil.run.sampler import Sample, Sampler
from hil.testbed.lease import LeaseLost
from hil.wait import pause, wait_until

VIRTUAL = "name: box\nvirtual: {timescale: 0.02}\nstate_dir: state\n"
SUITE = """
from hil.wait import pause

def test_flows(driver, traffic, journal):
    pause(1.5, why="samples")
    traffic.tcp(seconds=2)
    pause(1.2, why="samples")

def test_pulled(driver, adapter, slot, undo):
    pause(0.6, why="samples")
    slot.pull()
    undo(slot.plug)
    pause(1.5, why="samples")

def test_sleeps(machine, meter, journal):
    suspension = machine.suspend("S3", wake_after_s=4)
    machine.wait_asleep(witness=lambda: meter.read_w() < 6)
    with journal.span("step", "asleep"):
        pause(1, why="it sleeps")
    assert machine.wait_awake(suspension).state == "S3"
    pause(2.5, why="samples")
"""


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """The journal of one run on a virtual bench, which the first process that asks makes for all."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    journal = shared / "sampled/reports/latest/journal.jsonl"
    with (shared / "sampled.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not journal.exists():
            run_sampled(shared / "sampled")
    return [json.loads(line) for line in journal.read_text().splitlines()]


def run_sampled(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "box.yaml").write_text(VIRTUAL)
    (folder / "test_suite.py").write_text(SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--testbed", "box.yaml", "-p", "no:cacheprovider"],
        cwd=folder, env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def samples(records: list[Record], source: str, test: str = "") -> list[Record]:
    return [
        record
        for record in records
        if record["kind"] == "sample" and record["what"] == source and test in str(record["test"])
    ]


def test_rate_and_link(records: list[Record]) -> None:
    """The rate that the wire really had stands beside what the test did to it."""
    assert max(one.get("sent_mbps", 0) for one in samples(records, "wire", "test_flows")) > 100
    assert {one.get("link") for one in samples(records, "wire", "test_pulled")} >= {True, False}


def test_watts_and_load(records: list[Record]) -> None:
    """Power and processor load are on the same clock; under traffic both are more than in sleep."""
    flowing = [one["watts"] for one in samples(records, "watts", "test_flows") if "watts" in one]
    sleeping = [one["watts"] for one in samples(records, "watts", "test_sleeps") if "watts" in one]
    assert max(flowing) > 30
    assert min(sleeping) < 6
    assert any(0 < one.get("load_percent", 0) < 100 for one in samples(records, "windows", "test_flows"))
    assert {"received_discarded_packets", "adapter"} <= set().union(*samples(records, "windows", "test_flows"))


def test_a_sleeping_machine_is_left_alone(records: list[Record]) -> None:
    """A question may wake it: between falling asleep and waking nothing is asked of Windows."""
    asleep = [record["t_s"] for record in records if record["what"] == "asleep"]
    assert len(asleep) == 2
    assert not [one for one in samples(records, "windows") if asleep[0] < one["t_s"] < asleep[1]]
    assert [one for one in samples(records, "windows") if one["t_s"] > asleep[1]], "it goes on after the sleep"


def test_records_of_windows_on_the_runs_clock(records: list[Record]) -> None:
    """Kernel-Power 42 lies where the test put the machine to sleep, within the clock's uncertainty and some slack."""
    asked_s = next(record["t_s"] for record in records if str(record["what"]).startswith("Suspend-HilMachine"))
    entered = [record for record in records if record["what"] == "Microsoft-Windows-Kernel-Power 42"]
    assert len(entered) == 1
    at_s = entered[0]["t_s"] - entered[0]["age_s"]
    assert asked_s - entered[0]["uncertainty_s"] <= at_s <= asked_s + 2
    assert entered[0]["offset_s"] != 0


def test_instruments_lane_is_the_tests_own(records: list[Record]) -> None:
    """The sampler's readings do not fill the journal's list of what the test asked the meter."""
    asked = [record for record in records if record["kind"] == "instrument" and "test_pulled" in str(record["test"])]
    assert not [record for record in asked if str(record["what"]).startswith("meter")]


def test_the_cost_is_known(records: list[Record]) -> None:
    """Each source ends with the processor time it took, which is a small share of the run."""
    spent = {one["what"]: one["processor_s"] for one in records if "processor_s" in one}
    assert set(spent) == {"wire", "watts", "windows"}
    assert sum(spent.values()) < 0.1 * records[-1]["t_s"]


class Clockwork:
    """A source that does what it is told, in turn, and then goes on with the last."""

    name, interval_s = "clockwork", 0.01

    def __init__(self, *acts: Sample | Exception | Callable[[], Sample]) -> None:
        self._acts, self.reads, self.closed = list(acts), 0, 0

    def read(self, *, last: bool) -> Sample | None:
        self.reads += 1
        act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
        if isinstance(act, Exception):
            raise act
        return act() if callable(act) else act

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def sampled() -> Iterator[Callable[[Clockwork, int], list[Any]]]:
    """``sampled(source, 3)``: what the journal got until the source was read so often."""

    def run(source: Clockwork, reads: int) -> list[Any]:
        journal, seen = Journal(), list[Any]()
        journal.listen(seen.append)
        sampler = Sampler(journal, [source])
        sampler.start()
        wait_until(lambda: source.reads >= reads, what="reads", timeout_s=10)
        sampler.stop()
        sampler.stop()
        told = [{key: one[key] for key in one if key in ("value", "missing")} for one in seen]
        return [one for one in told if one]

    yield run


def test_what_says_nothing_new_is_not_written(sampled: Callable[[Clockwork, int], list[Any]]) -> None:
    """A night of an idle link is one line, not a hundred thousand."""
    assert sampled(Clockwork({"value": 1}, {"value": 1}, {"value": 2}), 10) == [{"value": 1}, {"value": 2}]


def test_trouble_is_noted_and_survived(sampled: Callable[[Clockwork, int], list[Any]]) -> None:
    """A source that fails is closed, its cause is on the timeline, and it is asked again."""
    source = Clockwork({"value": 1}, BenchError("an answer", seen="silence"), {"value": 2})
    assert sampled(source, 3) == [{"value": 1}, {"missing": "an answer; seen: silence"}, {"value": 2}]
    assert source.closed == 2


def test_a_lost_lease_ends_it() -> None:
    """Another run has the bench: nothing of it is asked any more."""
    source = Clockwork(LeaseLost("the lease"))
    sampler = Sampler(Journal(), [source])
    sampler.start()
    wait_until(lambda: source.closed == 1, what="the source to be closed", timeout_s=10)
    sampler.stop()
    assert source.reads == 1


def test_no_test_waits_for_a_slow_source() -> None:
    """A source that hangs holds up neither another one nor the thread of the tests."""
    journal, seen = Journal(), list[Any]()
    journal.listen(lambda record: seen.append(record["what"]))

    def hang() -> Sample:
        pause(2, why="a hanging source")
        return {}

    quick = Clockwork({"value": 1}, {"value": 2}, {"value": 3})
    quick.name = "quick"
    deadline = Deadline(1.0)
    sampler = Sampler(journal, [Clockwork(hang), quick])
    sampler.start()
    assert not deadline.expired
    wait_until(lambda: seen.count("quick") >= 3, what="samples of the other", timeout_s=1.5)
    sampler.stop()


def test_silence_is_of_one_thread(tmp_path: Path) -> None:
    """What the test does while a sample is taken stays on the journal."""
    seen = list[Any]()
    journal = Journal(tmp_path / "journal.jsonl")
    journal.listen(lambda record: seen.append(record["what"]))
    with journal.silence():
        journal.event("instrument", "of the sampler")
        with journal.span("step", "of the sampler too"):
            pass
        other = Thread(target=lambda: journal.event("instrument", "of the test"))
        other.start()
        other.join()
    journal.event("instrument", "after")
    journal.close()
    assert seen == ["of the test", "after"]
