"""What the System log tells of the whole machine."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hil.errors import Bugcheck, DutError
from hil.windows.crash import IncidentKind, incidents
from hil.windows.event_log import KERNEL_GENERAL, KERNEL_POWER, NDIS, WER, Event

NOW = datetime(2026, 3, 1, tzinfo=UTC)
D1 = (0xD1, 0x10, 2, 0, 0xFFFFF80412345678)
DUMP = r"C:\WINDOWS\Minidump\030126-1.dmp"


def log(*records: tuple[str, int, tuple[object, ...]]) -> list[Event]:
    return [Event("System", number, record[0], record[1], 4, NOW, record[2]) for number, record in enumerate(records)]


BOOT = (KERNEL_GENERAL, 12, ())
ASKED = ("User32", 1074, (r"C:\Windows\System32\shutdown.exe", "HIL-VM"))
CLEAN = (ASKED, ("EventLog", 6006, ()), (KERNEL_GENERAL, 13, ()))


def test_bugcheck() -> None:
    """A dirty boot with a code is that bugcheck, with its parameters and dump: not a timeout of whatever ran."""
    report = (WER, 1001, ("0x000000d1 (0x10, 0x2, 0x0, 0xfffff80412345678)", DUMP, "id"))
    (found,) = incidents(log(BOOT, (KERNEL_POWER, 41, (*D1, 0)), report))
    assert (found.kind, found.code, found.parameters, found.dump) == (IncidentKind.BUGCHECK, 0xD1, D1[1:], DUMP)
    assert "0xD1 DRIVER_IRQL_NOT_LESS_OR_EQUAL" in found.what
    assert isinstance(found.error("bench"), Bugcheck)


def test_bugcheck_known_only_from_the_report() -> None:
    """Firmware can lose the code of Kernel-Power 41; the report names it all the same."""
    report = (WER, 1001, ("0x0000009f (0x0000000000000003, 0xffff, 0x0, 0x1)", DUMP, "id"))
    (found,) = incidents(log(BOOT, (KERNEL_POWER, 41, (0, 0, 0, 0, 0, 0)), report))
    assert (found.kind, found.code, found.parameters) == (IncidentKind.BUGCHECK, 0x9F, (3, 0xFFFF, 0, 1))


def test_power_loss() -> None:
    """A dirty boot without a code is power lost or a hang: a lab fault must not be filed as a driver's crash."""
    (found,) = incidents(log(BOOT, (KERNEL_POWER, 41, (0, 0, 0, 0, 0, 0)), ("EventLog", 6008, ())))
    assert found.kind is IncidentKind.POWER_LOSS
    assert not isinstance(found.error(), Bugcheck)


def test_death_in_a_sleep_transition() -> None:
    """SleepInProgress is told: a driver that hangs the way to S3 looks like a power cut otherwise."""
    (found,) = incidents(log(BOOT, (KERNEL_POWER, 41, (0, 0, 0, 0, 0, 4))))
    assert "in a sleep transition" in found.what


def test_clean_restart() -> None:
    """A clean restart is told apart, with who asked for it: Windows Update in the night, for one."""
    (found,) = incidents(log(*CLEAN, BOOT, ("EventLog", 6005, ())))
    assert found.kind is IncidentKind.REBOOT
    assert "shutdown.exe" in found.what


def test_each_boot_has_its_own_cause() -> None:
    """Two boots are two incidents, and the request for the first does not explain the second."""
    kinds = [found.kind for found in incidents(log(*CLEAN, BOOT, BOOT, (KERNEL_POWER, 41, (*D1, 0))))]
    assert kinds == [IncidentKind.REBOOT, IncidentKind.BUGCHECK]
    second = incidents(log(*CLEAN, BOOT, BOOT))[1]
    assert second.kind is IncidentKind.UNEXPLAINED
    assert "shutdown.exe" not in second.what


def test_boot_without_a_trace() -> None:
    """A boot with neither a shutdown nor a crash before it is not called a clean restart: nobody would look at it.

    The kernel itself may still tell that the last shutdown was good, when its records are gone.
    """
    last_shutdown_good = ("Microsoft-Windows-Kernel-Boot", 20)
    (found,) = incidents(log(BOOT, (*last_shutdown_good, (False, True, 41))))
    assert found.kind is IncidentKind.UNEXPLAINED
    (found,) = incidents(log(BOOT, (*last_shutdown_good, (True, True, 41))))
    assert found.kind is IncidentKind.REBOOT


def test_crash_without_a_dump_says_so() -> None:
    """With volmgr 161 in place of WER 1001 there is no dump to look for, and the code is all there is."""
    (found,) = incidents(log(BOOT, ("volmgr", 161, ()), (KERNEL_POWER, 41, (*D1, 0))))
    assert found.kind is IncidentKind.BUGCHECK and found.dump is None
    assert "no dump was written" in found.what


def test_ndis_reset_and_fatal_event() -> None:
    """NDIS resets and fatal miniport events are found with their reason: neither stops Windows by itself."""
    reset = (NDIS, 10400, ("{guid}", 7, 1, "HIL NIC", 2, 1))
    fatal = (NDIS, 10317, ("{guid}", 7, 1, "HIL NIC", 74))
    removed = (NDIS, 10317, ("{guid}", 7, 1, "HIL NIC", 76))
    first, second = incidents(log(reset, fatal, removed))
    assert (first.kind, second.kind) == (IncidentKind.RESET, IncidentKind.FATAL)
    assert "stopped responding" in first.what
    assert "D0" in second.what
    assert isinstance(first.error(), DutError)


def test_quiet_log() -> None:
    """Ordinary records are no incident: a guard that cries wolf is switched off."""
    assert incidents([]) == []
    sleep = ((KERNEL_POWER, 42, (4, 4, 4, 0, 1)), (KERNEL_POWER, 107, (4, 4, 4)))
    assert incidents(log(*sleep, ("EventLog", 6013, ()))) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from([KERNEL_GENERAL, KERNEL_POWER, WER, NDIS, "User32"]),
            st.sampled_from([12, 41, 1001, 10400, 10317, 1074]),
            st.lists(st.integers() | st.text(max_size=20) | st.none(), max_size=6).map(tuple),
        ),
        max_size=12,
    )
)
def test_any_log_is_read(records: list[tuple[str, int, tuple[object, ...]]]) -> None:
    """Truncated or odd fields never break the guard: it is needed most when a machine is in trouble."""
    found = incidents(log(*records))
    boots = sum((provider, id_) == (KERNEL_GENERAL, 12) for provider, id_, _ in records)
    causes = [one for one in found if one.kind not in (IncidentKind.RESET, IncidentKind.FATAL)]
    assert len(causes) in (boots, boots + 1)
