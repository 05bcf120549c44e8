"""Builds the sample packages into a folder: current, previous, and one that was altered after it was signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from hil.clock import utc_now
from hil.virtual.driver import image
from hil.virtual.driver.inf_text import CAT_NAME, DEVICE, HARDWARE_IDS, INF_NAME, SYS_NAME, inf_text
from hil.virtual.driver.signing import Publisher

CURRENT = ("2.1.0.0", date(2025, 9, 15))
PREVIOUS = ("2.0.0.0", date(2025, 3, 3))
PUBLISHER = "HIL Lab Test Certificate"


@dataclass(frozen=True)
class SamplePackages:
    """Where things are; each package is a folder."""

    current: Path
    previous: Path
    broken: Path
    """The current package with one byte of its .sys changed after signing."""
    certificate: Path
    """The publisher's self-signed certificate, DER: to be trusted as root and as publisher."""
    iperf3: Path


def build(
    folder: Path, link_mbps: int = 1000, written_inf: Callable[[str], str] = lambda text: text
) -> SamplePackages:
    """Make everything below ``folder``; the adapter of the INF runs at ``link_mbps``.

    ``written_inf`` gets each INF as it should be, and returns it as it is written and signed.
    """
    publisher = Publisher.create(PUBLISHER, utc_now())
    for name, (version, released) in (("current", CURRENT), ("previous", PREVIOUS)):
        _package(folder / name, version, released, written_inf(inf_text(version, released, link_mbps)), publisher)
    _altered(folder / "current", folder / "broken")
    certificate = folder / "hil-lab.cer"
    certificate.write_bytes(publisher.der)
    tools = folder / "tools"
    tools.mkdir(parents=True, exist_ok=True)
    iperf3 = tools / "iperf3.exe"
    iperf3.write_bytes(image.program("iperf3.exe", "3.18.0.0", "iperf3", _moment(CURRENT[1])))
    return SamplePackages(folder / "current", folder / "previous", folder / "broken", certificate, iperf3)


def _package(folder: Path, version: str, released: date, inf: str, publisher: Publisher) -> None:
    files = {
        INF_NAME: inf.encode("ascii"),
        SYS_NAME: image.driver(SYS_NAME, version, DEVICE, _moment(released)),
    }
    files[CAT_NAME] = publisher.sign_catalog(files, HARDWARE_IDS, utc_now())
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _altered(source: Path, target: Path) -> None:
    """The same files with the last byte of the driver's code section changed: padding, so the image stays valid."""
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        data = bytearray(file.read_bytes())
        if file.name == SYS_NAME:
            data[0x5FF] ^= 0xFF
        (target / file.name).write_bytes(data)


def _moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
