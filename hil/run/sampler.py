"""What the bench does beside the test, for the timeline: rate, link, watts, processor load, records of Windows.

Each source has a thread and, where that is possible, a connection of its own, so that no test waits for a sample. A
meter mostly takes one client: its session is shared, and only between two of the test's own messages. The machine is
left alone while it sleeps, boots or does not answer. Nothing that goes wrong here reaches a test.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from typing import Protocol

from hil.bench import Bench
from hil.clock import Deadline, now_s, thread_s, utc_now
from hil.errors import BenchError, DeviceMissing, HilError
from hil.journal import Journal
from hil.testbed.lease import LeaseLost
from hil.windows import Adapter, Machine
from hil.windows.event_log import Bookmark

_RETRY_S = 2.0
"""After something went wrong; a machine that boots takes longer than that."""
_STOP_S = 10.0
_EVENTS_S = 5.0
"""Records keep: Windows writes them down, so they can be fetched later and all at once."""

_LOSSES = ("discarded_packets", "packet_errors")

Sample = Mapping[str, object]


class Source(Protocol):
    """Something to look at. ``read`` may raise HilError, and is then asked again after ``close``."""

    name: str
    interval_s: float

    def read(self, *, last: bool) -> Sample | None:
        """What is seen now; None when now is no time to look. At the ``last`` time nothing is left for later."""

    def close(self) -> None: ...


class Wire:
    """Rates and link as the partner's port counts them, through a port agent of its own; the machine is not asked."""

    name, interval_s = "wire", 0.2

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._open = ExitStack()
        self._before: tuple[float, int, int] | None = None

    def read(self, *, last: bool) -> Sample | None:  # noqa: ARG002 - counters leave nothing
        from hil.traffic import open_partner

        described = self._bench.testbed.partner
        assert described is not None
        if self._before is None:
            self._partner = open_partner(described, Journal(), self._bench.permit)
            self._open.callback(self._partner.close)
        counted, at_s = self._partner.counters(), now_s()
        # what the partner receives is what the machine sent
        now = at_s, counted.received_bytes, counted.sent_bytes
        before, self._before = self._before or now, now
        seconds = now[0] - before[0] or 1.0
        rates = [round((new - old) * 8 / seconds / 1e6, 3) for new, old in zip(now[1:], before[1:], strict=True)]
        return {"sent_mbps": rates[0], "received_mbps": rates[1], "link": self._partner.carrier}

    def close(self) -> None:
        self._open.close()
        self._before = None


class Watts:
    """The meter's newest reading."""

    name, interval_s = "watts", 0.5

    def __init__(self, bench: Bench) -> None:
        self._bench, self._meter = bench, bench.meter

    def read(self, *, last: bool) -> Sample | None:  # noqa: ARG002 - nor does a reading
        with self._bench.journal.silence():
            return {"watts": round(self._meter.read_w(), 3)}

    def close(self) -> None:
        """The session is the bench's."""


class Windows:
    """Processor load, state and losses of the adapter, and what Windows wrote, over a connection of its own."""

    name, interval_s = "windows", 1.0

    def __init__(self, bench: Bench) -> None:
        """Marks the event log over the bench's own session, since the first test may end all connections."""
        self._bench, self._instance_id = bench, bench.adapter.instance_id
        self._machine: Machine | None = None
        self._ticks: tuple[int, int] | None = None
        with bench.journal.silence():
            self._bookmark = bench.machine.events.mark()
        self._next_events = Deadline(0.0)

    def read(self, *, last: bool) -> Sample | None:
        if not self._bench.machine.answers:
            self.close()
            return None
        machine = self._connected()
        if last or self._next_events.expired:
            self._tell_events(machine)
        return {**self._load(machine), **self._adapter_now()}

    def close(self) -> None:
        machine, self._machine, self._ticks = self._machine, None, None
        if machine is not None:
            machine.close()

    def _load(self, machine: Machine) -> Sample:
        idle, total = machine.processor_ticks()
        before, self._ticks = self._ticks, (idle, total)
        if before is None or total <= before[1]:
            return {}
        return {"load_percent": round(100 * (1 - (idle - before[0]) / (total - before[1])), 1)}

    def _adapter_now(self) -> Sample:
        try:
            status = self._adapter.info().status
            counters = asdict(self._adapter.statistics()) if status == "Up" else {}
        except DeviceMissing:
            return {"adapter": "gone"}
        return {"adapter": status, **{name: counters[name] for name in counters if name.endswith(_LOSSES)}}

    def _connected(self) -> Machine:
        if self._machine is None:
            described = self._bench.testbed
            assert described.machine is not None and described.adapter is not None
            machine = Machine(described.machine, Journal())
            machine.ssh.permit = self._bench.permit
            try:
                machine.connect()
            except BaseException:
                machine.close()
                raise
            self._machine = machine
            self._adapter = Adapter(machine, described.adapter, self._instance_id)
        return self._machine

    def _tell_events(self, machine: Machine) -> None:
        """Each new record, with how long ago it was written by the controller's clock."""
        self._next_events = Deadline(_EVENTS_S)
        events, now = machine.events.since(self._bookmark), utc_now()
        newest = {event.log: event.record_id for event in events}
        self._bookmark = Bookmark({**self._bookmark.records, **newest})
        for event in events:
            age_s = (now - event.time).total_seconds() + machine.clock_offset_s
            self._bench.journal.event(
                "event", f"{event.provider} {event.id}", log=event.log, level=event.level, fields=event.fields,
                machine_time=event.time.isoformat(), age_s=round(age_s, 4),
                offset_s=round(machine.clock_offset_s, 4), uncertainty_s=round(machine.clock_uncertainty_s, 4),
            )  # fmt: skip


class Sampler:
    """Looks at each source at its pace until ``stop``; a sample that says nothing new is not written."""

    def __init__(self, journal: Journal, sources: list[Source]) -> None:
        self._journal, self._sources = journal, sources
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for source in self._sources:
            thread = threading.Thread(target=self._run, args=(source,), name=f"hil sampler {source.name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Idempotent; bounded, also where a source hangs."""
        self._stopped.set()
        while self._threads:
            self._threads.pop().join(_STOP_S)

    def _run(self, source: Source) -> None:
        seen: tuple[str | None, Sample] | None = None
        stopped, interval_s = False, source.interval_s
        try:
            while not stopped:
                stopped, test = self._stopped.wait(interval_s), self._journal.test
                sample, interval_s = self._look(source, last=stopped)
                if sample is not None and (test, sample) != seen:
                    seen = test, sample
                    self._journal.event("sample", source.name, **sample)
        except LeaseLost:
            return  # the tests end on it too, and say so
        finally:
            source.close()
            self._journal.event("sample", source.name, processor_s=round(thread_s(), 3))

    def _look(self, source: Source, *, last: bool) -> tuple[Sample | None, float]:
        """A sample, and when to look again. Raises LeaseLost."""
        try:
            return source.read(last=last), source.interval_s
        except LeaseLost:
            raise
        except HilError as error:
            source.close()
            return {"missing": str(error)}, _RETRY_S


def sampler(bench: Bench) -> Sampler:
    """For all that this bench has to look at; what cannot be looked at is noted once."""
    kinds: list[Callable[[Bench], Source]] = [Windows]
    kinds += [Wire] if bench.testbed.partner is not None else []
    kinds += [Watts] if bench.has("meter") else []
    sources: list[Source] = []
    for kind in kinds:
        try:
            sources.append(kind(bench))
        except BenchError as error:
            bench.journal.event("sample", kind.__name__.lower(), missing=str(error))
    return Sampler(bench.journal, sources)
