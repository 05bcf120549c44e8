"""The tests and requirements of the Windows HLK for a LAN adapter, and why hil predicts nothing of some of them.

Facts: HLK documentation up to the kit of December 2018 and jobs found later, requirements as of 1709; newer kits may
know more. ``tests/results/make_hlk.py`` makes the data.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class HlkTest:
    """One job of the kit."""

    name: str
    category: str
    what: str
    machines: int | None
    needs: tuple[str, ...]
    os: tuple[str, ...]
    """client, server, mobile; empty when the documentation does not say."""
    retired: bool
    confirmed: bool
    """False when part of this record could not be confirmed."""


@dataclass(frozen=True)
class Requirement:
    id: str
    title: str
    gist: str
    optional: bool
    """Only for adapters that implement it."""
    tests: tuple[str, ...]
    """Names of HLK tests; empty when no test of the kit proves it."""


@dataclass(frozen=True)
class Catalogue:
    tests: Mapping[str, HlkTest]
    requirements: tuple[Requirement, ...]

    def named(self, name: str) -> tuple[str, ...]:
        """The tests that a mark means: the one of this name, or all variants of ``DF - PNP Remove Device Test *``."""
        if name in self.tests:
            return (name,)
        return tuple(test for test in self.tests if name.endswith("*") and test.startswith(name[:-1]))

    def nearest(self, name: str) -> str:
        """The test whose name is most like this one; empty when none is."""
        tails = {test.rpartition(" - ")[2].lower(): test for test in self.tests}
        found = difflib.get_close_matches(name, self.tests, n=1, cutoff=0.8)
        found = found or [tails[tail] for tail in difflib.get_close_matches(name.lower(), tails, n=1)]
        return found[0] if found else ""


@functools.cache
def catalogue() -> Catalogue:
    """Read once for a process."""
    data = json.loads(files("hil.results").joinpath("hlk.json").read_text(encoding="utf-8"))
    tests = [HlkTest(**{**row, "needs": tuple(row["needs"]), "os": tuple(row["os"])}) for row in data["tests"]]
    requirements = [Requirement(**{**row, "tests": tuple(row["tests"])}) for row in data["requirements"]]
    return Catalogue({test.name: test for test in tests}, tuple(requirements))


@dataclass(frozen=True)
class _Reason:
    """Why no local test predicts the HLK tests that it is about: of a category, with a need, or by name."""

    text: str
    categories: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    names: str = "(?!)"

    def explains(self, test: HlkTest) -> bool:
        named = re.search(self.names, test.name) is not None
        return named or test.category in self.categories or not set(self.needs).isdisjoint(test.needs)


_REASONS = (
    _Reason("needs virtual machines under Hyper-V on the test machine", ("sriov", "vmq"), ("hyper-v", "vhd")),
    _Reason("needs a cluster of four machines", needs=("cluster",)),
    _Reason("needs a link partner that speaks DCBX and priority flow control", ("qos",)),
    _Reason("needs a second RDMA adapter, with SMB Direct over it", ("rdma",)),
    _Reason("needs a link partner that speaks IPsec, and an adapter that offloads it", ("ipsec",)),
    _Reason("about TCP chimney, which Windows no longer offers", ("chimney",)),
    _Reason("for packages with a filter driver; hil tests miniports", ("lwf",)),
    _Reason("for WDF drivers: reads the function table that the driver was built with", names="^Wdf - "),
    _Reason("reads the DVL file of the driver's build, which is no part of the package", names="^Static Tools"),
    _Reason("a program of the kit judges the binary itself", names="^ApiValidator|^HyperVisor Code|^TDI filters"),
    _Reason("for boot-start drivers only, which a NIC driver is not", names="^DF - Embedded Signature"),
    _Reason("a filter driver of the kit vetoes or changes PnP requests; hil has none", names="Cancel|Rebalance"),
    _Reason("sends random requests to the device's objects from a program of the kit", names="^DF - Fuzz|IO process"),
    _Reason("mixes all of PnP, power and random requests for hours", names="CHAOS|MPE_Ethernet"),
    _Reason("proves the lab or the kit, not the driver", names="ConfigCheck|Server Core|test framework|Broker"),
    _Reason("stays in Modern Standby for 30 minutes to 12 hours", ("cs",)),
    _Reason(
        "asks the miniport in the kernel, through a protocol driver of the kit; hil puts no driver on the machine",
        names="OID|Oids|Cov|IOCTL|WMI|FaultHandling|PacketFilters|SingleEtherType|OffloadRsc|OffloadRSSv2|OffloadVMMQ"
        "|GenericMiniport|Lookahead|GlitchFree|Mini6Send$|NdisPoll keyword functional",
    ),
    _Reason("needs three network adapters in one machine", needs=("second-nic",)),
    _Reason("writes wrong types into the driver's key behind Windows' back; hil sets what Windows lets be set",
            names="1c_Registry"),
    _Reason("servers must have *NdisPoll in the INF; hil looks at its values, and not whether it is there",
            names="NdisPoll keyword validation"),
    _Reason("the kit's list of kernel routines that a miniport may not call is not public", names="1c_KernelCalls"),
    _Reason("needs frames that no partner's NIC sends: PAUSE, wrong checksums and lengths",
            names="TxFlowControl|InvalidPackets"),
    _Reason("needs a protocol driver of the kit on the machine, which sends and receives beside the TCP/IP stack",
            names="2c_Mini6|1c_Mini6PerfSend|MultiCast Address|ShortPackets| - Reset$"),
    _Reason("counts the interrupts of the adapter, which Windows tells no program", names="InterruptModeration"),
    _Reason("compares what the miniport states to NDIS of its power management, of which Windows shows a part",
            names="PM_Requirements"),
    _Reason("asks whether the idle device was suspended, which no cmdlet tells", names="SelectiveSuspend"),
    _Reason("fails allocations one by one under traffic; hil's low-resources profile asks starts and stops",
            names="with AutoFail"),
    _Reason("needs frames of which the contents are checked one by one on both ends", ("offload", "rss", "vlan")),
)  # fmt: skip


def why_not_covered(test: HlkTest) -> str:
    """One sentence; the first reason that fits."""
    if test.retired:
        return "retired: today's kits do not run it"
    return next((one.text for one in _REASONS if one.explains(test)), "no local test asks this yet")
