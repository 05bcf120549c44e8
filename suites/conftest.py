"""Arrangements that several suites share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hil.clock import now_s
from hil.errors import WakeFailed
from hil.instruments import Meter, Power
from hil.journal import Journal
from hil.package.keywords import HARMLESS, harmless
from hil.wait import wait_until
from hil.windows import Adapter, Machine, Suspension, Wake, WakeSource

if TYPE_CHECKING:
    from hil.bench import Bench
    from hil.package import Package
    from hil.run.fixtures import AsUsual, Record
    from hil.testbed.model import Limits
    from hil.traffic import Traffic

# standardized keyword: without it a magic packet does not end Modern Standby
STANDBY_MAGIC = "*ModernStandbyWoLMagicPacket"


@pytest.fixture
def off_default(package: Package) -> tuple[str, str]:
    """A harmless setting that the driver offers, and a value that is not its default, so that its loss shows."""
    for keyword in harmless(package.keywords):
        if value := keyword.off_default():
            return keyword.name, value
    pytest.skip(f"the driver offers none of {', '.join(HARMLESS)} with two values")


@pytest.fixture
def configured(
    driver: object, adapter: Adapter, off_default: tuple[str, str], undo: Callable[..., None]
) -> dict[str, str]:
    """The adapter's settings, with one of them moved off its default: ``off_default``."""
    keyword, value = off_default
    before = adapter.settings()[keyword]
    adapter.set(keyword, value)
    undo(adapter.set, keyword, before)
    adapter.wait_up()
    return adapter.settings()


@pytest.fixture
def full_rate(
    traffic: Traffic, adapter: Adapter, limits: Limits, record: Record, as_usual: AsUsual
) -> Callable[[str], None]:
    """Asserts that the link carries what it should, and mostly does: called after what must not have slowed it."""

    def check(when: str) -> None:
        # 1448 of 1538 bytes on the wire are payload at MTU 1500 with TCP timestamps
        limit_mbps = limits.tcp_of_ceiling * adapter.link_mbps * 1448 / 1538
        mbps = traffic.tcp(streams=4, seconds=2).mbps
        record(f"tcp {when}", mbps, "Mbit/s", at_least=limit_mbps)
        assert mbps >= limit_mbps, f"{mbps:.0f} Mbit/s {when}, at least {limit_mbps:.0f} wanted"
        as_usual(f"tcp {when}", mbps, "Mbit/s")

    return check


class Asleep:
    """A sleep that was entered and is proven by two witnesses: the meter now, the records of Windows afterwards."""

    def __init__(self, machine: Machine, meter: Meter, journal: Journal, suspension: Suspension) -> None:
        self._machine, self._meter, self._journal, self._suspension = machine, meter, journal, suspension

    def stays(self, through: str) -> Power:
        """What was just done does not wake it. Raises WakeFailed when the meter sees that it does."""
        with self._journal.span("step", f"stays asleep: {through}"):
            return self._meter.stays_below(self._machine.asleep_below_w, self._machine.settings.wake_shows_s)

    def woken_by(self, cause: Callable[..., object], *arguments: object) -> Wake:
        """Call what must wake it: it slept until then, the meter sees it wake, and Windows tells by whom.

        ``latency_s`` counts from the cause to the machine's first answer. Raises WakeFailed.
        """
        limit_w = self._machine.asleep_below_w
        assert self._meter.read_w() < limit_w, "awake already, before anything woke it"
        started_s = now_s()
        cause(*arguments)
        wait_until(
            lambda: self._meter.read_w() > limit_w, what=f"the meter to see the machine wake (over {limit_w:g} W)",
            timeout_s=self._machine.settings.wake_shows_s, journal=self._journal, error=WakeFailed,
        )  # fmt: skip
        seen_s = now_s() - started_s
        wake = self.ended()
        return replace(wake, latency_s=seen_s + wake.latency_s)

    def ended(self) -> Wake:
        """By whatever ends it, the timer at the latest."""
        return self._machine.wait_awake(self._suspension)


@pytest.fixture
def asleep(machine: Machine, meter: Meter, undo: Callable[..., None], limits: Limits, journal: Journal):
    """``asleep("S3")``: the machine sleeps, the meter says so, and a timer will wake it if nothing else does.

    The timer waits longer where the machine is to be watched as it ``stays`` asleep, so and so often.
    """

    def enter(state: str, wake_after_s: int | None = None, stays: int = 0) -> Asleep:
        meter.confirm_above(machine.asleep_below_w)  # or else its word for sleep is worth nothing
        watched_s = math.ceil(stays * machine.settings.wake_shows_s)
        suspension = machine.suspend(state, wake_after_s=(wake_after_s or limits.wake_guard_s) + watched_s)
        undo(machine.ensure_awake)
        machine.wait_asleep(witness=lambda: meter.read_w() < machine.asleep_below_w)
        return Asleep(machine, meter, journal, suspension)

    return enter


@pytest.fixture(params=[pytest.param(state, marks=pytest.mark.requires(state)) for state in ("S3", "S4", "S0ix")])
def state(request: pytest.FixtureRequest) -> str:
    """Each sleep state, where the machine offers it."""
    return str(request.param)


@pytest.fixture
def light(bench: Bench) -> str:
    """The state that an idle machine falls into: S3, or S0ix where that is in its place."""
    return "S0ix" if "S0ix" in bench.testbed.capabilities() else "S3"


@pytest.fixture
def wakeful(configured: dict[str, str], adapter: Adapter, undo: Callable[..., None]) -> dict[str, str]:
    """The adapter's settings, with the wake by magic packet from Modern Standby switched on where there is such."""
    if configured.get(STANDBY_MAGIC) == "0":
        adapter.set(STANDBY_MAGIC, "1")
        undo(adapter.set, STANDBY_MAGIC, "0")
        adapter.wait_up()
    return adapter.settings()


@pytest.fixture
def by_adapter(adapter: Adapter, record: Record) -> Callable[[Wake], None]:
    """Asserts that it was the NIC that woke the machine, and keeps how long that took.

    Of Modern Standby Windows says only that no one else did.
    """

    def check(wake: Wake) -> None:
        record(f"woken by the NIC from {wake.state}", wake.latency_s, "s")
        named = wake.by_device(adapter.instance_id) or (wake.state, wake.source) == ("S0ix", WakeSource.UNNAMED)
        assert wake.before_guard and named, f"woken by {wake.source}: {wake.source_text}"

    return check
