"""The running Windows: its parts, its boot, and the doors through which SSH reaches it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hil.clock import utc_now

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench
    from hil.virtual.windows.boot_options import BootOptions
    from hil.virtual.windows.devices import Devices
    from hil.virtual.windows.driver_store import DriverStore
    from hil.virtual.windows.event_log import EventLog
    from hil.virtual.windows.files import Files
    from hil.virtual.windows.registry import Registry
    from hil.virtual.windows.services import Services
    from hil.virtual.windows.trust import Certificates
    from hil.virtual.windows.verifier import Verifier


class Windows:
    """Windows 11 as the suites see it. Parts of the package side are built as ``Part(windows)``:
    trust.Certificates, driver_store.DriverStore, boot_options.BootOptions, verifier.Verifier."""

    bench: VirtualBench
    user: str
    computer_name: str
    build: int
    elevated: bool
    files: Files
    registry: Registry
    services: Services
    events: EventLog
    devices: Devices
    certificates: Certificates
    driver_store: DriverStore
    boot_options: BootOptions
    verifier: Verifier
    last_boot: datetime
    clock_offset: timedelta

    def now(self) -> datetime:
        """The machine's clock, UTC: the host's plus a small offset."""
        return utc_now() + self.clock_offset

    def at_boot(self, action: Callable[[], None]) -> None:
        """Run ``action`` early in every boot (not on resume): pending boot options, verifier settings, reboots owed."""
