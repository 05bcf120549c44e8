"""The Windows PC that holds the NIC under test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hil.journal import Journal
from hil.testbed import model

if TYPE_CHECKING:
    from types import TracebackType

    from hil.remote import Completed, PowerShell, SshSession
    from hil.windows.crash import Crashes
    from hil.windows.event_log import EventLog
    from hil.windows.power import Suspension, Wake


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


@dataclass(frozen=True)
class Boot:
    """Which boot this is: wall time by the machine's clock, and the controller's monotonic time of its tick zero."""

    started: datetime
    origin_s: float


@dataclass(frozen=True)
class ResourceUsage:
    non_paged_pool_bytes: int
    paged_pool_bytes: int
    handles: int
    processes: int


@dataclass(frozen=True)
class LoadedImage:
    """The .sys that is in memory for a service; hash of the file it was loaded from."""

    service: str
    path: str
    sha256: str
    running: bool


class RunningProcess:
    """A native program at work on the machine."""

    def wait(self, timeout_s: float) -> Completed:
        """Its end. Raises BenchError when it still runs at the deadline."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it if it still runs; never raises for a machine that is gone."""
        raise NotImplementedError


class Machine:
    """One machine over one SSH connection and one PowerShell runspace; a context manager."""

    shell: PowerShell
    ssh: SshSession
    events: EventLog
    crashes: Crashes
    clock_offset_s: float
    """Machine's clock minus the controller's, measured at the last connect."""
    clock_uncertainty_s: float
    """Half the round trip of that measurement."""

    def __init__(self, settings: model.Machine, journal: Journal) -> None:
        raise NotImplementedError

    def connect(self) -> None: ...
    def close(self) -> None: ...
    def reconnect(self, timeout_s: float | None = None) -> None:
        """Throw the connection away, half open or not, and make a new one; the deadline is for all attempts."""

    def __enter__(self) -> Machine: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def tool(self, exe: str, *args: str, timeout_s: float = 60.0, ok: Sequence[int] = (0,)) -> Completed:
        """Run a native program to its end. Raises BenchError for an exit code that is not in ``ok``."""
        raise NotImplementedError

    def start(self, exe: str, *args: str) -> RunningProcess:
        """Start a native program and come back at once."""
        raise NotImplementedError

    def upload(self, local: Path, remote: str) -> None: ...
    def download(self, remote: str, local: Path, *, limit_bytes: int | None = None) -> None: ...
    def os(self) -> OsInfo:
        raise NotImplementedError

    def boot(self) -> Boot:
        raise NotImplementedError

    def reboot(self, *, timeout_s: float | None = None) -> Boot:
        """Restart, and prove it: another boot, seen in two good sessions in a row."""
        raise NotImplementedError

    def suspend(self, state: Literal["S3", "S4"] = "S3", *, wake_after_s: int = 120) -> Suspension:
        """Ask for sleep with wake events kept and a wake timer as guard; comes back before the machine sleeps."""
        raise NotImplementedError

    def wait_asleep(self, timeout_s: float | None = None, *, witness: Callable[[], bool] | None = None) -> None:
        """Until the machine is silent on the network, and ``witness`` (a meter, say) agrees. Raises DutError when it stays on."""

    def wait_awake(self, suspension: Suspension, timeout_s: float | None = None) -> Wake:
        """Until it is back on a fresh session with its resume records. Raises WakeFailed; Bugcheck when it crashed."""
        raise NotImplementedError

    def resource_usage(self) -> ResourceUsage:
        raise NotImplementedError

    def loaded_image(self, service: str) -> LoadedImage:
        raise NotImplementedError
