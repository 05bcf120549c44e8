"""A family of sample packages, one version after the other, for ``hil bisect`` on the virtual bench.

Which of them has a defect is said when the bench starts: ``--fault package.module:Class@3.4.0.0`` gives it to the
drivers of this version and later.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hil.clock import utc_now
from hil.package import Package
from hil.virtual.driver import image
from hil.virtual.driver.packages import build
from hil.virtual.driver.signing import Publisher

PUBLISHER = "HIL Lab Family Certificate"
CERTIFICATE = "hil-lab.cer"
FIRST = date(2025, 10, 1)
"""Younger than the releases that a virtual bench brings itself."""
_APART = timedelta(days=7)


def build_family(folder: Path, versions: list[str], link_mbps: int = 1000) -> Path:
    """A folder for each version below ``folder``, a week apart by their dates; comes back with their certificate."""
    publisher = Publisher.create(PUBLISHER, utc_now())
    with TemporaryDirectory() as samples:
        sample = Package.load(build(Path(samples), link_mbps).current)
        for number, version in enumerate(versions):
            _release(sample, folder / version, version, FIRST + number * _APART, publisher)
    certificate = folder / CERTIFICATE
    certificate.write_bytes(publisher.der)
    return certificate


def _release(sample: Package, place: Path, version: str, released: date, publisher: Publisher) -> None:
    """The sample as it would be had it been released then."""
    source = sample.folder
    inf = (source / sample.inf_name).read_bytes().decode("ascii")
    inf = re.sub(r"(?m)^(DriverVer\s*=\s*)[^\r\n]*", rf"\g<1>{released:%m/%d/%Y},{version}", inf)
    moment = datetime(released.year, released.month, released.day, tzinfo=UTC)
    files = {
        sample.inf_name: inf.encode("ascii"),
        sample.driver: image.driver(sample.driver, version, sample.models[0].description, moment),
    }
    assert sample.catalog is not None, "the sample is signed"
    catalog = sample.inf.catalog_file(sample.target.architecture)
    assert catalog is not None, "its INF names the catalog"
    files[catalog] = publisher.sign_catalog(files, sample.hardware_ids, utc_now())
    place.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (place / name).write_bytes(data)
