"""Signed packages as a vendor might have them: the sample with another INF, or with more files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from hil.package import Package
from hil.virtual.driver import build
from hil.virtual.driver.signing import Publisher


def vendor_package(folder: Path, edit: Callable[[str], str], more: Mapping[str, bytes] | None = None) -> list[str]:
    """A package below ``folder`` whose INF is what ``edit`` makes of the sample's; how a run is told to take it."""
    sample = Package.load(build(folder / "samples").current)
    publisher = Publisher.create("HIL Lab Vendor", datetime.now(UTC))
    inf = edit((sample.folder / sample.inf_name).read_bytes().decode("ascii"))
    files = {
        sample.inf_name: inf.encode("ascii"), sample.driver: sample.driver_file.location.read_bytes(), **(more or {})
    }  # fmt: skip
    files["hilnic.cat"] = publisher.sign_catalog(files, sample.hardware_ids, datetime.now(UTC))
    (folder / "vendor").mkdir()
    for name, data in files.items():
        (folder / "vendor" / name).write_bytes(data)
    certificate = folder / "vendor.cer"
    certificate.write_bytes(publisher.der)
    return [f"--package={folder / 'vendor'}", f"--certificate={certificate}"]


def with_range(keyword: str, default: int, least: int, most: int, step: int) -> Callable[[str], str]:
    """An INF that offers a number in another range."""
    wanted = {"default": default, "min": least, "max": most, "step": step}

    def edit(inf: str) -> str:
        for name, number in wanted.items():
            entry = re.escape(rf"HKR, Ndi\params\{keyword}, {name}, 0, ")
            inf, found = re.subn(f'({entry})"[0-9]+"', rf'\g<1>"{number}"', inf)
            assert found == 1, name
        return inf

    return edit


def without(*keywords: str) -> Callable[[str], str]:
    """An INF that does not offer these."""

    def edit(inf: str) -> str:
        for keyword in keywords:
            inf = re.sub(rf"(?m)^HKR, Ndi\\params\\{re.escape(keyword)}[,\\][^\r\n]*\r\n", "", inf)
        return inf

    return edit
