"""The Windows PC that holds the NIC under test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hil.clock import Deadline
from hil.errors import BenchError, UsageError
from hil.journal import Journal
from hil.remote import Command, Completed, PowerShell, PowerShellError, SshSession, transfer
from hil.testbed import model
from hil.wait import pause
from hil.windows import power, restart, tools
from hil.windows.clock import Boot, read_clock
from hil.windows.crash import Crashes
from hil.windows.event_log import EventLog
from hil.windows.process import RunningProcess

if TYPE_CHECKING:
    from types import TracebackType

    from hil.windows.power import SleepState, Suspension
    from hil.windows.wake import Wake

# well-known SIDs of a token's integrity; names are localized
_ELEVATED_SIDS = (b"S-1-16-12288", b"S-1-16-16384")
_CLOCK_SAMPLES = 3
_WHOLE_S, _RETRY_S = 30.0, 0.2
"""After sshd's first answer PowerShell and WMI are given this long: on a busy disk they come up later."""


@dataclass(frozen=True)
class OsInfo:
    """What Windows says of itself."""

    caption: str
    build: int
    computer_name: str
    last_boot: datetime
    elevated: bool
    free_disk_gb: float
    memory_gb: float
    firmware: str
    """Maker and version of the BIOS, as Win32_BIOS has them."""


@dataclass(frozen=True)
class ResourceUsage:
    """What leaks in the kernel show in."""

    non_paged_pool_bytes: int
    paged_pool_bytes: int
    handles: int
    processes: int


@dataclass(frozen=True)
class LoadedImage:
    """The .sys that is in memory for a service; hash (upper case) of the file it was loaded from."""

    service: str
    path: str | None
    sha256: str | None
    running: bool


class Machine:
    """One machine over one SSH connection and one PowerShell runspace; a context manager."""

    def __init__(self, settings: model.Machine, journal: Journal) -> None:
        self.settings, self.journal = settings, journal
        self.where = f"{settings.ssh.user}@{settings.ssh.host}:{settings.ssh.port}"
        self.ssh = SshSession(settings.ssh, journal)
        self.shell = PowerShell(self.ssh, settings.shell, journal)
        self.shell.on_open(Command("Import-Module", Name=tools.MODULE))
        self.events = EventLog(self.shell)
        self.crashes = Crashes(self)
        self.clock_offset_s = 0.0
        """Machine's clock minus the controller's, measured at the last connect."""
        self.clock_uncertainty_s = float("inf")
        """Half the round trip of that measurement."""
        self._suspension: Suspension | None = None
        self._asleep: Callable[[], bool] | None = None
        """The witness of that suspension."""

    @property
    def asleep_below_w(self) -> float:
        """Watts that only a sleeping machine draws. Raises UsageError when the testbed does not say."""
        if self.settings.asleep_below_w is None:
            raise UsageError("machine.asleep_below_w in the testbed", next_step="read the meter while it sleeps")
        return self.settings.asleep_below_w

    def connect(self) -> None:
        """Log on, send the companion module, measure the clock. Raises UsageError for a machine that is not Windows."""
        self.ssh.connect()
        self._must_be_windows()
        tools.send_module(self.ssh)
        self._measure_clock()

    def close(self) -> None:
        self.shell.close()
        self.ssh.close()

    def __enter__(self) -> Machine:
        try:
            self.connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reconnect(self, timeout_s: float | None = None) -> float:
        """Throw the connection away, half open or not, and make a new one; the deadline is for all attempts.

        Gives back the controller's time of the machine's first answer.
        """
        deadline = Deadline(timeout_s if timeout_s is not None else self.settings.resume_timeout_s)
        answered_s = self.ssh.reconnect(deadline.timeout_s)
        whole = Deadline(min(_WHOLE_S, deadline.remaining_s))
        while True:
            try:
                tools.send_module(self.ssh)  # a crash or an undo may have taken it away
                self._measure_clock()
                return answered_s
            except BenchError:
                if whole.expired:
                    raise
            pause(_RETRY_S, why="sshd answers before Windows is all there")
            self.ssh.reconnect(deadline.remaining_s)

    def tool(self, exe: str, *args: str, timeout_s: float = 60.0, ok: Sequence[int] = (0,)) -> Completed:
        """Run a native program to its end. Raises BenchError for an exit code that is not in ``ok``."""
        done = self.ssh.run([exe, *args], timeout_s=timeout_s)
        if done.exit_code not in ok:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
            raise BenchError(
                f"{exe} {' '.join(args)} to end with {' or '.join(map(str, ok))}",
                seen=f"exit code {done.exit_code} (0x{done.exit_code:X}): {said[:500]}",
                where=self.where,
            )
        return done

    def start(self, exe: str, *args: str) -> RunningProcess:
        """Start a native program and come back at once."""
        self.journal.event("command", f"start {exe}", args=args)
        return RunningProcess(self.ssh, self.shell, [exe, *args])

    def upload(self, local: Path, remote: str) -> bool:
        """Make the remote file equal to the local one; False when it already was."""
        return transfer.upload(self.ssh, local, remote)

    def download(self, remote: str, local: Path) -> None:
        transfer.download(self.ssh, remote, local)

    def os(self) -> OsInfo:
        """Build, free space on C:, elevation and the like; one batch and one native program."""
        system, computer, disk, bios = self.shell.batch(
            [
                Command("Get-CimInstance", ClassName="Win32_OperatingSystem"),
                Command("Get-CimInstance", ClassName="Win32_ComputerSystem"),
                Command("Get-CimInstance", ClassName="Win32_LogicalDisk", Filter="DeviceID='C:'"),
                Command("Get-CimInstance", ClassName="Win32_BIOS"),
            ]
        )
        return OsInfo(
            caption=str(system[0]["Caption"]),
            build=int(system[0]["BuildNumber"]),
            computer_name=str(computer[0]["Name"]),
            last_boot=system[0]["LastBootUpTime"].astimezone(UTC),
            elevated=any(sid in self.tool("whoami", "/groups").stdout for sid in _ELEVATED_SIDS),
            free_disk_gb=int(disk[0]["FreeSpace"]) / 2**30,
            memory_gb=int(computer[0]["TotalPhysicalMemory"]) / 2**30,
            firmware=f"{bios[0]['Manufacturer']} {bios[0]['SMBIOSBIOSVersion']}",
        )

    def boot(self) -> Boot:
        """Which boot this is; compare with :meth:`Boot.differs_from`."""
        return read_clock(self.shell).boot

    def reboot(self, *, timeout_s: float | None = None) -> Boot:
        """Restart, and prove it: another boot, seen in two good sessions in a row. Raises BenchError otherwise."""
        return restart.reboot(self, timeout_s)

    def wait_booted(self, *, after: Boot, timeout_s: float | None = None) -> Boot:
        """Until the machine answers from another boot than ``after``."""
        return restart.wait_booted(self, after=after, timeout_s=timeout_s)

    def shut_down(self, *, witness: Callable[[], bool]) -> Boot:
        """Soft off (S5), proven by ``witness`` (a meter, say); the boot that ended, for :meth:`wait_booted`."""
        return restart.shut_down(self, witness)

    def suspend(self, state: SleepState = "S3", *, wake_after_s: int = 120) -> Suspension:
        """Ask for sleep with wake events kept and a wake timer as guard; comes back before the machine sleeps."""
        self._suspension, self._asleep = power.suspend(self, state, wake_after_s), None
        return self._suspension

    def wait_asleep(self, timeout_s: float | None = None, *, witness: Callable[[], bool] | None = None) -> None:
        """Until the machine is silent, and ``witness`` (a meter, say) agrees. Raises DutError when it stays on."""
        if self._suspension is None:
            raise UsageError("suspend() before wait_asleep()")
        self._asleep = witness
        timeout_s = timeout_s if timeout_s is not None else self.settings.sleep_timeout_s
        power.wait_asleep(self, self._suspension, timeout_s, witness)

    def wait_awake(self, suspension: Suspension, timeout_s: float | None = None) -> Wake:
        """Until it is back on fresh sessions with its records of the sleep; by default until past the guard.

        Modern Standby is left alone until the witness of :meth:`wait_asleep` sees its end, or the guard is over.
        Raises WakeFailed when it does not come, Bugcheck (or DutError) when it booted instead of resuming.
        """
        wake = power.wait_awake(self, suspension, timeout_s, self._asleep)
        self._suspension = None
        return wake

    def ensure_awake(self) -> None:
        """Come back to a machine that may sleep, boot or be well; for undo. Raises BenchError when it is lost."""
        power.ensure_awake(self, self._suspension)
        self._suspension = None

    def resource_usage(self) -> ResourceUsage:
        row = self.shell.run(Command("Get-HilResourceUsage"))[0]
        return ResourceUsage(
            non_paged_pool_bytes=int(row["NonPagedPoolBytes"]),
            paged_pool_bytes=int(row["PagedPoolBytes"]),
            handles=int(row["HandleCount"]),
            processes=int(row["ProcessCount"]),
        )

    def processor_ticks(self) -> tuple[int, int]:
        """Idle and total, of 100 ns summed over the processors, since the boot; between two readings lies the load."""
        row = self.shell.run(Command("Get-HilProcessorTime"))[0]
        return int(row["IdleTicks"]), int(row["TotalTicks"])

    def loaded_image(self, service: str) -> LoadedImage:
        """What is in memory for a service, which a pending restart can make older than what is installed."""
        row = self.shell.run(Command("Get-HilLoadedImage", Service=service))[0]
        path, digest = row["Path"], row["Sha256"]
        return LoadedImage(
            service, str(path) if path else None, str(digest).upper() if digest else None, bool(row["Running"])
        )

    def sleep_states(self) -> tuple[str, ...]:
        """Sleep states that firmware and Windows offer: S3, S4, S0ix ..."""
        return tuple(map(str, self.shell.run(Command("Get-HilPower"))[0]["States"]))

    @property
    def answers(self) -> bool:
        """Connected as far as anybody knows, and no sleep is under way that a question could disturb."""
        return self.ssh.connected and self._suspension is None

    def _measure_clock(self) -> None:
        try:
            reading = read_clock(self.shell, samples=_CLOCK_SAMPLES)
        except PowerShellError as error:
            if not error.command.startswith("Import-Module"):
                raise  # WMI, for one, answers later after a boot than sshd
            raise UsageError(
                "the companion module in PowerShell on the machine",
                seen=str(error),
                where=self.where,
                next_step="run docs/prepare-machine.ps1 on the machine once (it allows local scripts)",
            ) from error
        self.clock_offset_s, self.clock_uncertainty_s = reading.offset_s, reading.uncertainty_s
        self.journal.event(
            "observation", "clock of the machine",
            offset_s=round(reading.offset_s, 4), uncertainty_s=round(reading.uncertainty_s, 4),
        )  # fmt: skip

    def _must_be_windows(self) -> None:
        done = self.ssh.run(["cmd", "/c", "ver"])
        if done.exit_code != 0 or b"Windows" not in done.stdout:
            raise UsageError(
                "a Windows machine",
                seen=(done.stdout or done.stderr).decode("utf-8", "replace").strip()[:200],
                where=self.where,
                next_step="correct machine.ssh in the testbed",
            )
