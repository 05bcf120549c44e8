"""Builds the sample packages into a folder: releases, another driver for the same NIC, and what Windows must refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hil.clock import utc_now
from hil.virtual.driver import image
from hil.virtual.driver.inf_text import DEVICE, HARDWARE_IDS, Release, inf_text
from hil.virtual.driver.signing import Publisher, unsigned_catalog

CURRENT = Release("2.1.0.0", date(2025, 9, 15))
PREVIOUS = Release("2.0.0.0", date(2025, 3, 3))
NEXT = Release("2.1.1.0", date(2025, 9, 22))
RESTARTING = Release("2.2.0.0", date(2025, 10, 20), reboot=True)
OTHER = Release("3.0.0.0", date(2025, 11, 3), driver="hiloem", provider="HIL OEM", hardware_ids=HARDWARE_IDS[1:])
"""A PC maker's: younger, and for any board of the kind, so that the NIC maker's own fits better."""
PUBLISHER = "HIL Lab Test Certificate"
_A_YEAR = timedelta(days=365)

Catalog = Callable[[dict[str, bytes], tuple[str, ...], datetime], bytes]
"""From files by name, hardware ids and the time."""


@dataclass(frozen=True)
class Folders:
    """Each package is a folder."""

    current: Path
    previous: Path
    other: Path
    """Another driver for the same NIC."""
    restarting: Path
    """A release after the current one that asks for a restart of Windows."""
    broken: Path
    """The current package with one byte of its .sys changed after signing."""
    unsigned: Path
    """A release with a catalog that nobody signed."""
    expired: Path
    """A release signed with a certificate that was over by then, without a time stamp."""
    revoked: Path
    """A release signed by a publisher of its own, whom a test may distrust."""


@dataclass(frozen=True)
class SamplePackages(Folders):
    """Where things are."""

    certificate: Path
    """The publisher's self-signed certificate, DER: to be trusted as root and as publisher."""
    iperf3: Path


def build(
    folder: Path, link_mbps: int = 1000, written_inf: Callable[[str], str] = lambda text: text
) -> SamplePackages:
    """Make everything below ``folder``; the adapter of the INF runs at ``link_mbps``.

    ``written_inf`` gets each INF as it should be, and returns it as it is written and signed.
    """
    now = utc_now()
    publisher = Publisher.create(PUBLISHER, now)
    late = publisher.issue("HIL Lab Expired Certificate", now - 2 * _A_YEAR, now - _A_YEAR)
    distrusted = publisher.issue("HIL Lab Second Publisher", now - timedelta(days=1), now + _A_YEAR)
    places = Folders(**{field.name: folder / field.name for field in fields(Folders)})

    def package(place: Path, release: Release, catalog: Catalog = publisher.sign_catalog) -> None:
        _package(place, release, written_inf(inf_text(release, link_mbps)), catalog)

    package(places.current, CURRENT)
    package(places.previous, PREVIOUS)
    package(places.other, OTHER)
    package(places.restarting, RESTARTING)
    package(places.unsigned, NEXT, unsigned_catalog)
    package(places.expired, NEXT, late.sign_catalog)
    package(places.revoked, NEXT, distrusted.sign_catalog)
    _altered(places.current, places.broken)
    certificate = folder / "hil-lab.cer"
    certificate.write_bytes(publisher.der)
    tools = folder / "tools"
    tools.mkdir(parents=True, exist_ok=True)
    iperf3 = tools / "iperf3.exe"
    iperf3.write_bytes(image.program("iperf3.exe", "3.18.0.0", "iperf3", _moment(CURRENT.date)))
    return SamplePackages(**vars(places), certificate=certificate, iperf3=iperf3)


def _package(folder: Path, release: Release, inf: str, catalog: Catalog) -> None:
    files = {
        release.inf_name: inf.encode("ascii"),
        release.sys_name: image.driver(release.sys_name, release.version, DEVICE, _moment(release.date)),
    }
    files[release.cat_name] = catalog(files, release.hardware_ids, utc_now())
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _altered(source: Path, target: Path) -> None:
    """The same files with the last byte of the driver's code section changed: padding, so the image stays valid."""
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        data = bytearray(file.read_bytes())
        if file.suffix == ".sys":
            data[0x5FF] ^= 0xFF
        (target / file.name).write_bytes(data)


def _moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
