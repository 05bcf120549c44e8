"""Signed packages as a vendor might have them: the sample with another INF, or with more files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from hil.package import Package
from hil.virtual.driver import build
from hil.virtual.driver.signing import Publisher
from hil.virtual.faults import Fault

BASIC = "hilbasic"
"""Service and image of the first NIC of a family."""


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


class RewritesRings(Fault):
    """No defect: each install of a release sets the receive buffers anew, as the INFs of most vendors do."""

    def written_inf(self, text: str) -> str:
        return text.replace("HKR,, WakeFromS5, 0,", 'HKR,, *ReceiveBuffers, 0, "256"\r\nHKR,, WakeFromS5, 0,')


def without(*keywords: str) -> Callable[[str], str]:
    """An INF that does not offer these."""

    def edit(inf: str) -> str:
        for keyword in keywords:
            inf = re.sub(rf"(?m)^HKR, Ndi\\params\\{re.escape(keyword)}[,\\][^\r\n]*\r\n", "", inf)
        return inf

    return edit


def family(inf: str) -> str:
    """An INF for two NICs: the sample's is the second; the first has another service, image and settings."""
    models = re.search(r"(?m)^%Device% = HilNic\.ndi", inf)
    params = re.search(r"(?ms)^\[HilNic\.params\]\r\n.*?(?=^\[)", inf)
    assert models and params
    first = rf"""[HilBasic.ndi.NTamd64]
Characteristics = 0x84
BusType         = 5
*IfType            = 6
*MediaType         = 0
*PhysicalMediaType = 14
CopyFiles = HilBasic.copy
AddReg    = HilBasic.reg

[HilBasic.ndi.NTamd64.Services]
AddService = {BASIC}, 0x2, HilBasic.service

[HilBasic.service]
DisplayName    = %Device%
ServiceType    = 1
StartType      = 3
ErrorControl   = 1
ServiceBinary  = %13%\{BASIC}.sys
LoadOrderGroup = NDIS

[HilBasic.copy]
{BASIC}.sys

[HilBasic.reg]
HKR, Ndi, Service, 0, "{BASIC}"
HKR, Ndi\Interfaces, UpperRange, 0, "ndis5"
HKR, Ndi\Interfaces, LowerRange, 0, "ethernet"
HKR, Ndi\params\*FlowControl, ParamDesc, 0, "Flow Control"
HKR, Ndi\params\*FlowControl, type, 0, "enum"
HKR, Ndi\params\*FlowControl, default, 0, "0"
HKR, Ndi\params\*FlowControl\enum, "0", 0, "Disabled"
HKR, Ndi\params\*FlowControl\enum, "3", 0, "Rx & Tx Enabled"

""".replace("\n", "\r\n")
    inf = inf[: params.start()] + first + inf[params.start() :]
    inf = inf[: models.start()] + "%Device% = HilBasic.ndi, PCI\\VEN_1D0F&DEV_7A09\r\n" + inf[models.start() :]
    inf = inf.replace("hilnic.sys = 1\r\n", f"hilnic.sys = 1\r\n{BASIC}.sys = 1\r\n")
    return inf.replace("HilNic.copy = 13\r\n", "HilNic.copy = 13\r\nHilBasic.copy = 13\r\n")
