"""Each rule: an INF that breaks it, beside the sample, which breaks none."""

from __future__ import annotations

from datetime import date

import pytest

from hil.package import Inf, Severity
from hil.package.check import check_inf
from hil.package.rules import RULES, files, images, signing
from hil.virtual.driver.inf_text import Release, inf_text

SAMPLE = inf_text(Release("2.1.0.0", date(2025, 9, 15)), 1000)
TODAY = date(2026, 1, 1)
PARAMS = "\n[HilNic.params]\n"
"""What follows is joined with the sample's settings, since sections of one name are merged."""
FOLDER_RULES = {rule.id for rule in (*files.RULES, *images.RULES, *signing.RULES)} - {
    "file-not-listed", "disk-not-listed", "path-leaves-package", "catalog-listed-as-source", "store-folder-differs",
}  # fmt: skip
"""Rules that look at files: in test_check.py."""

# rule: what is replaced in the sample, by what (None: the text is added at the end)
CASES: dict[str, tuple[tuple[str | None, str], ...]] = {
    "encoding": ((None, '\n; Gerät'),),
    "signature": (("$Windows NT$", "$Chicago$"),),
    "class-and-guid": (("4d36e972", "4d36e973"),),
    "provider-missing": (("Provider    = %Provider%", ""),),
    "provider-microsoft": (('Provider = "HIL Lab"', 'Provider = "Microsoft"'),),
    "driver-ver": (("09/15/2025,2.1.0.0", "15/09/2025,2.1.0.0"),),
    "driver-ver-form": (("09/15/2025,2.1.0.0", "9/15/2025,2.1.0.0"),),
    "driver-date-in-future": (("09/15/2025", "01/02/2026"),),
    "catalog-missing": (("CatalogFile = hilnic.cat", ""),),
    "catalog-name": (("CatalogFile = hilnic.cat", r"CatalogFile = x\hilnic.cat"),),
    "pnp-lockdown": (("PnpLockdown = 1", "PnpLockdown = 0"),),
    "cannot-be-understood": (("Characteristics = 0x84", "Characteristics = many"),),
    "duplicate-section": ((None, "\n[HilNic.reg]\nHKR, Ndi, More, 0, x\n"),),
    "section-not-found": (("AddReg    = HilNic.reg,", "AddReg    = HilNic.rge, HilNic.reg,"),),
    "template-token": (("= HilNic,NTamd64.10.0...19041", "= HilNic,NTamd64.10.0...19041,NT$ARCH$"),),
    "undefined-string": (("1 = %Disk%", "1 = %Disc%"),),
    "strings-differ": ((None, '\n[Strings.0407]\nProvider = "HIL"\nDevice = "Karte"\n'),),
    "unused-section": ((None, "\n[HilNic.old.reg]\nHKR, Ndi, More, 0, x\n"),),
    "needs-other-part": (("AddService =", "Include = net.inf\nNeeds = Other.HW\nAddService ="),),
    "needed-section-not-found": (("BusType         = 5", "BusType         = 5\nNeeds = Elsewhere"),),
    "field-too-long": (('"HIL Lab"', f'"{"x" * 5000}"'),),
    "models-not-found": (("= HilNic,NTamd64.10.0...19041", "= HilNic,NTamd64.10.0...19041,NTarm64.10.0"),),
    "target-decoration": (("= HilNic,NTamd64.10.0...19041", "= HilNic,NTamd64.10.0...19041,NTsparc"),),
    "install-section-not-found": (("HilNic.ndi, PCI\\VEN_1D0F&DEV_7A10\r", "HilNic.dni, PCI\\VEN_1D0F&DEV_7A11\r"),),
    "nothing-offered": (("19041", "99999"),),
    "hardware-id-form": (("SUBSYS_00011D0F", "SUBSYS_0001DOF"),),
    "hardware-id-twice": (
        (None, "\n[HilNic.NTamd64.10.0...19041]\n%Device% = Other, PCI\\VEN_1D0F&DEV_7A10\n[Other]\n"),
    ),
    "characteristics-missing": (("Characteristics = 0x84", ";"),),
    "characteristics-exclude": (("Characteristics = 0x84", "Characteristics = 0x85"),),
    "settings-without-ui": (("Characteristics = 0x84", "Characteristics = 0x4"),),
    "bus-type-missing": (("BusType         = 5", ";"),),
    "bus-type-differs": (("BusType         = 5", "BusType = 15"),),
    "media-missing": (("*MediaType         = 0", ";"),),
    "looks-like-ndis5": (
        ("*IfType            = 6", ";"), ("*MediaType         = 0", ";"), ("*PhysicalMediaType = 14", ";"),
        ("HilNic.reg, HilNic.params", "HilNic.reg"), (",NTamd64.10.0...19041", ",NTamd64"),
        ("[HilNic.NTamd64.10.0...19041]", "[HilNic.NTamd64]"),
    ),
    "media-differ": (("*MediaType         = 0", "*MediaType = 9"),),
    "ndi-service": (('Service, 0, "hilnic"', 'Service, 0, "hilnic2"'),),
    "ndi-ranges": (('HKR, Ndi\\Interfaces, LowerRange, 0, "ethernet"', ""),),
    "ndi-range-obsolete": (('UpperRange, 0, "ndis5"', 'UpperRange, 0, "ndis3,ndis5"'),),
    "lower-range-of-hardware": (('LowerRange, 0, "ethernet"', 'LowerRange, 0, "nolower"'),),
    "ndi-coservices": ((None, '\n[HilNic.reg]\nHKR, Ndi, CoServices, 0x10000, "hilnic"\n'),),
    "msi-values": (("MessageNumberLimit, 0x00010001, 16", "MessageNumberLimit, 0x00010001, 4096"),),
    "rss-without-msi": (("MSISupported, 0x00010001, 1", "MSISupported, 0x00010001, 0"),),
    "fewer-messages-than-queues": (("MessageNumberLimit, 0x00010001, 16", "MessageNumberLimit, 0x00010001, 4"),),
    "one-function-driver": (("AddService = hilnic, 0x2,", "AddService = hilnic, 0x0,"),),
    "service-incomplete": (("StartType      = 3", ";"),),
    "service-binary-path": ((r"%13%\hilnic.sys", r"system32\hilnic.sys"),),
    "service-binary-not-copied": ((r"%13%\hilnic.sys", r"%12%\hilnic.sys"),),
    "service-type": (("ServiceType    = 1", "ServiceType = 0x10"),),
    "service-disabled": (("StartType      = 3", "StartType = 4"),),
    "event-log-values": (("TypesSupported, 0x00010001, 7", "TypesSupported, 0, 7"),),
    "event-log-missing": (("HilNic.service, HilNic.log", "HilNic.service"),),
    "coinstaller": ((None, "\n[HilNic.ndi.NTamd64.CoInstallers]\nAddReg = HilNic.reg\n"),),
    "class-install": ((None, "\n[ClassInstall32]\nAddReg = HilNic.reg\n"),),
    "legacy-directive": ((None, "\n[HilNic.ndi.NTamd64]\nDelReg = Old\n[Old]\nHKR,, Old\n"),),
    "not-run-from-driver-store": (("HilNic.copy = 13", "HilNic.copy = 12"),),
    "registry-not-isolated": ((None, "\n[HilNic.reg]\nHKLM, Software\\Hil, x, 0, y\n"),),
    "service-registry-not-isolated": (
        (None, "\n[HilNic.service]\nAddReg = Svc\n[Svc]\nHKR,, TextModeFlags, 0x10001, 1\n"),
    ),
    "filters-by-registry": ((None, '\n[HilNic.hw]\nHKR,, UpperFilters, 0x10000, "other"\n'),),
    "reserved-name": ((None, PARAMS + 'HKR, Ndi\\params\\BusType, ParamDesc, 0, "Bus"\n'),),
    "setting-incomplete": ((None, PARAMS + 'HKR, Ndi\\params\\Mine, type, 0, "int"\n'),),
    "default-missing": ((None, PARAMS + 'HKR, Ndi\\params\\Mine, ParamDesc, 0, "x"\n'),),
    "setting-not-text": (('*JumboPacket, default, 0, "1514"', "*JumboPacket, default, 0x10001, 1514"),),
    "enum-without-choices": ((None, PARAMS + 'HKR, Ndi\\params\\Mine, type, 0, "enum"\n'),),
    "default-no-choice": (('*RSS, default, 0, "1"', '*RSS, default, 0, "2"'),),
    "range-impossible": (('*JumboPacket, max, 0, "9014"', '*JumboPacket, max, 0, "1000"'),),
    "default-out-of-range": (('*JumboPacket, default, 0, "1514"', '*JumboPacket, default, 0, "9999"'),),
    "default-off-step": (('*ReceiveBuffers, default, 0, "256"', '*ReceiveBuffers, default, 0, "257"'),),
    "unknown-keyword": (("*FlowControl", "*FlowControll"),),
    "asterisk-missing": (("params\\*FlowControl", "params\\FlowControl"),),
    "forbidden-keyword": ((None, '\n[HilNic.reg]\nHKR,, *SriovPreferred, 0, "1"\n'),),
    "legacy-keyword": (("params\\*LsoV2IPv4", "params\\*LsoV1IPv4"),),
    "keyword-type": (('*JumboPacket, type, 0, "int"', '*JumboPacket, type, 0, "edit"'),),
    "keyword-values": (('*FlowControl\\enum, "3"', '*FlowControl\\enum, "7"'),),
    "keyword-range": (('*ReceiveBuffers, min, 0, "80"', '*ReceiveBuffers, min, 0, "0"'),),
    "keyword-default": (('*FlowControl, default, 0, "3"', '*FlowControl, default, 0, "1"'),),
    "keyword-too-new": (("params\\*PMNSOffload", "params\\*NdisPoll"),),
    "offload-parity": (("params\\*LsoV2IPv6", "params\\Mine"),),
    "rss-without-queues": (("params\\*NumRssQueues", "params\\Mine"),),
    "rss-max-processor": (("params\\*TransmitBuffers", "params\\*RssMaxProcNumber"),),
    "file-not-listed": (("[SourceDisksFiles]\r\nhilnic.sys = 1", "[SourceDisksFiles]\r\nhilnic2.sys = 1"),),
    "disk-not-listed": (("hilnic.sys = 1", "hilnic.sys = 2"),),
    "path-leaves-package": (("hilnic.sys = 1", "hilnic.sys = 1,..\\other"),),
    "catalog-listed-as-source": (("hilnic.sys = 1", "hilnic.sys = 1\r\nhilnic.cat = 1"),),
    "store-folder-differs": (("hilnic.sys = 1", "hilnic.sys = 1,x64"),),
}  # fmt: skip


def broken(case: tuple[tuple[str | None, str], ...]) -> str:
    text = SAMPLE
    for old, new in case:
        assert old is None or old in text, old
        text = text + new if old is None else text.replace(old, new)
    return text


def findings(text: str, **options: object):
    return check_inf(text.encode("utf-8"), "hilnic.inf", today=TODAY, **options).findings


def test_the_sample_breaks_no_rule():
    """The sample INF has no finding of any severity, so that each case below fires by its own change."""
    assert findings(SAMPLE) == ()


@pytest.mark.parametrize("rule", CASES)
def test_rule_fires(rule):
    """One change to the sample, and the rule that is meant says so, with a line of the file."""
    text = broken(CASES[rule])
    found = [finding for finding in findings(text) if finding.rule == rule]
    assert found
    assert all(0 < finding.line <= text.count("\n") + 1 and finding.message and finding.wanted for finding in found)


def test_every_rule_has_a_case():
    """A rule without an INF that breaks it could have died unnoticed."""
    assert {rule.id for rule in RULES} == set(CASES) | FOLDER_RULES | {"not-newer-than-previous"}


def test_every_rule_names_its_source():
    """Each rule has a claim and a document that it stands in: a vendor will ask who says so."""
    for rule in RULES:
        assert rule.summary.endswith(".") and rule.source, rule.id
        assert rule.wanted and rule.next_step, rule.id


@pytest.mark.parametrize(
    ("version", "fires"),
    [("09/15/2025,2.1.0.1", False), ("09/16/2025,1.0.0.0", False), ("09/15/2025,2.1.0.0", True),
     ("09/14/2025,3.0.0.0", True)],
)  # fmt: skip
def test_newer_than_the_previous_release(version, fires):
    """Windows ranks by date first, then by version: a package that ranks lower is never installed by itself."""
    previous = Inf.parse(SAMPLE.encode(), "old.inf")
    found = findings(SAMPLE.replace("09/15/2025,2.1.0.0", version), previous=previous)
    assert [finding.rule for finding in found] == ["not-newer-than-previous"] * fires


def test_line_is_the_line_to_look_at():
    """The finding's line is that of the wrong entry, also behind a continued line and a merged section."""
    lines = broken(CASES["default-no-choice"]).split("\n")
    (finding,) = [one for one in findings("\n".join(lines)) if one.rule == "default-no-choice"]
    assert '*RSS, default, 0, "2"' in lines[finding.line - 1]


def test_inf_that_cannot_be_read():
    """Bytes that are no INF are one finding, not a traceback."""
    (finding,) = check_inf(b"[Version]\nSignature=x\n", "x.inf").findings
    assert (finding.rule, finding.severity, finding.where) == ("unreadable", Severity.ERROR, "x.inf:1")


def test_section_of_an_included_inf_is_not_missed():
    """What an INF of Windows brings along is not called missing."""
    text = SAMPLE.replace("Characteristics = 0x84", "Include = netrndis.inf\r\nNeeds = Usb_Rndis.ndi")
    assert findings(text.replace("BusType         = 5", ";").replace("*IfType            = 6", ";")) == ()


def test_wlan_helper_section_is_right():
    """[x.HW] may need a section of netvwifibus.inf that does not end in .HW: Microsoft's own drivers do."""
    text = SAMPLE.replace("[HilNic.ndi.NTamd64.HW]", "[HilNic.ndi.NTamd64.HW]\r\nInclude = netvwifibus.inf\r\n"
                          "Needs = VWiFiBus.PnPFilterRegistration")  # fmt: skip
    assert findings(text) == ()
