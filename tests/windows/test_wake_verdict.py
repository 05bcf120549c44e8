"""What ended a sleep, told from the records of Windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hil.windows.event_log import KERNEL_POWER, POWER_TROUBLESHOOTER, Event
from hil.windows.wake import Wake, WakeSource, verdict

SLEPT = datetime(2026, 3, 1, 2, 0, 0, tzinfo=UTC)
GUARD = SLEPT + timedelta(seconds=120)
NIC = r"PCI\VEN_1D0F&DEV_7A10\4&2A8F1C3&0&00E4"


def records(*, woke_after_s: float, source: int, text: str = "", state: int = 4) -> list[Event]:
    woke = SLEPT + timedelta(seconds=woke_after_s)
    account = (SLEPT, woke, 1, 2, 3, 4, 0, 0, 0, 0, state, state, source, len(text), text, 0, 0, 0, "", "", 0)
    return [
        Event("System", 1, KERNEL_POWER, 42, 4, SLEPT, (state, state, 4, 0, 1)),
        Event("System", 2, KERNEL_POWER, 107, 4, SLEPT + timedelta(seconds=2), (state, state, state)),
        Event("System", 3, POWER_TROUBLESHOOTER, 1, 4, woke, account),
    ]


def read(events: list[Event]) -> Wake | None:
    return verdict(events, guard=GUARD, latency_s=1.0)


def test_device() -> None:
    """The NIC named as source, well before the timer: the wake by magic packet that a suite wants to see."""
    wake = read(records(woke_after_s=10, source=5, text="HIL NIC"))
    assert wake is not None
    assert (wake.state, wake.source, wake.source_text, wake.before_guard) == ("S3", WakeSource.DEVICE, "HIL NIC", True)


def test_timer() -> None:
    """The guard's timer, at its time: the NIC did not wake the machine, and the bench was not lost."""
    wake = read(records(woke_after_s=120.4, source=6, text="[PROCESS] pwsh.exe", state=5))
    assert wake is not None
    assert wake.by_timer
    assert wake.state == "S4"


@pytest.mark.parametrize(("woke_after_s", "source"), [(10, 6), (121, 5), (121, 1), (10, 0)])
def test_contradiction_is_unknown(woke_after_s: float, source: int) -> None:
    """An early timer, a device at the timer's time, a source that Windows does not know: no verdict is made up."""
    wake = read(records(woke_after_s=woke_after_s, source=source))
    assert wake is not None
    assert wake.source is WakeSource.UNKNOWN
    assert not wake.by_device(NIC)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_every_record_is_needed(missing: int) -> None:
    """Without one of the three records there is no whole sleep to judge: the reader has to wait, or to fail."""
    events = records(woke_after_s=10, source=5)
    del events[missing]
    assert read(events) is None


def test_the_last_sleep_counts() -> None:
    """Of two sleeps in the log the later one is judged."""
    wake = read(records(woke_after_s=120, source=6) + records(woke_after_s=10, source=5, text="HIL NIC"))
    assert wake is not None
    assert wake.source is WakeSource.DEVICE


def standby(*, woke_after_s: float, reason: int) -> list[Event]:
    left = (*[0] * 9, reason, *[0] * 42)
    return [
        Event("System", 1, KERNEL_POWER, 506, 4, SLEPT, (12, True, False, 0, 0, 0, 0, 0)),
        Event("System", 2, KERNEL_POWER, 507, 4, SLEPT + timedelta(seconds=woke_after_s), left),
    ]


@pytest.mark.parametrize(
    ("woke_after_s", "reason", "source"),
    [
        (10, 1, WakeSource.BUTTON),
        (120.2, 8, WakeSource.TIMER),
        (10, 9, WakeSource.UNNAMED),
        (10, 8, WakeSource.UNKNOWN),
        (121, 9, WakeSource.UNKNOWN),
    ],
)
def test_modern_standby(woke_after_s: float, reason: int, source: WakeSource) -> None:
    """Modern Standby has other records and names no device: a button, our timer, or something else before it."""
    wake = read(standby(woke_after_s=woke_after_s, reason=reason))
    assert wake is not None
    assert (wake.state, wake.source) == ("S0ix", source)
    assert not wake.by_device(NIC)


def test_standby_that_goes_on() -> None:
    """Without its end a standby is no whole sleep."""
    assert read(standby(woke_after_s=10, reason=1)[:1]) is None
    assert read(standby(woke_after_s=10, reason=1)[1:]) is None
