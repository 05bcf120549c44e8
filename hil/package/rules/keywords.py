"""Standardized keywords as the standard has them; the data are in :mod:`hil.package.rules.standardized`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from hil.package.keywords import Keyword
from hil.package.rules.parameters import NUMERIC, field, settings_of
from hil.package.rules.rule import Seen, error, note, warning
from hil.package.rules.standardized import Standardized, standardized
from hil.package.subject import Subject, Variant

_FIRST_BUILD = {  # NDIS version -> first build of Windows with it
    "6.60": 14393, "6.70": 15063, "6.80": 16299, "6.81": 17134, "6.82": 17763, "6.83": 18362, "6.84": 19041,
    "6.85": 20348, "6.86": 22000, "6.87": 22621, "6.88": 25398, "6.89": 26100,
}  # fmt: skip


def _standard(subject: Subject) -> Iterator[tuple[Variant, Keyword, Standardized]]:
    for variant, keyword in settings_of(subject):
        found = standardized().get(keyword.name.lower())
        if found and found.confirmed:
            yield variant, keyword, found


def _number(text: str, base: int = 10) -> int | None:
    try:
        return int(text, base)
    except ValueError:
        return None


@warning("an asterisk for standardized keywords only", "correct the name, or drop the asterisk")
def unknown_keyword(subject: Subject) -> Iterator[Seen]:
    """A keyword with an asterisk is one of Microsoft's.

    Source: Standardized INF Keywords for Network Devices.
    """
    known = {entry.keyword.lower(): entry.keyword for entry in standardized().values()}
    for _, keyword in settings_of(subject):
        if keyword.name.startswith("*") and keyword.name.lower() not in known:
            near = difflib.get_close_matches(keyword.name.lower(), known, 1, 0.8)
            yield Seen(keyword.number, f"{keyword.name}" + (f"; perhaps {known[near[0]]}" if near else ""))


@note("the asterisk of a standardized keyword", "add the asterisk, so that tools and Windows find the setting")
def asterisk_missing(subject: Subject) -> Iterator[Seen]:
    """A setting that has a standardized keyword uses it.

    Source: Standardized INF Keywords for Network Devices.
    """
    for variant, keyword in settings_of(subject):
        name = f"*{keyword.name.lower()}"
        beside = {other.name.lower() for other in variant.keywords}
        if name in standardized() and standardized()[name].shown and name not in beside:
            yield Seen(keyword.number, f"{keyword.name} for {standardized()[name].keyword}")


@error("an INF without *RssOrVmqPreference and *SriovPreferred", "remove it; it is the administrator's to set")
def forbidden_keyword(subject: Subject) -> Iterator[Seen]:
    """Preferences between features are not in the INF.

    Source: Handling SR-IOV, VMQ, and RSS Standardized INF Keywords.
    """
    forbidden = {name for name, entry in standardized().items() if entry.forbidden}
    for variant in subject.with_settings:
        for entry in variant.install.registry:
            name = entry.subkey.lower().removeprefix("ndi\\params\\")
            if name in forbidden or (not entry.subkey and entry.name.lower() in forbidden):
                yield Seen(entry.number, name if name in forbidden else entry.name)


@note("a keyword of a feature that Windows still has", "remove it from INFs for Windows 10 and later")
def legacy_keyword(subject: Subject) -> Iterator[Seen]:
    """Connection offload, LSO version 1 and IPsec offload are gone.

    Source: Enumeration Keywords; Standardized INF Keywords for VMQ.
    """
    for _, keyword, standard in _standard(subject):
        if standard.legacy:
            yield Seen(keyword.number, keyword.name)


@warning("the documented type of a standardized keyword", "use that type; the certification kit compares it")
def keyword_type(subject: Subject) -> Iterator[Seen]:
    """A standardized keyword has its documented type.

    Source: Enumeration Keywords; Keywords That Can Be Edited; Device.Network.LAN.Base.AdvProperties.
    """
    for variant, keyword, standard in _standard(subject):
        line, kind = field(variant, keyword, "type")
        family = "int" if keyword.kind in NUMERIC else keyword.kind
        if kind and standard.shown and family != standard.type:
            yield Seen(line, f"{keyword.name} is {kind.lower()}, documented as {standard.type} ({standard.source})")


@warning("documented values of a standardized keyword", "use the documented values")
def keyword_values(subject: Subject) -> Iterator[Seen]:
    """An enum offers documented values only.

    Source: Enumeration Keywords, and the page of the keyword's feature.
    """
    for variant, keyword, standard in _standard(subject):
        if keyword.kind != "enum" or standard.type != "enum":
            continue
        others = [value for value, _ in keyword.choices if (n := _number(value)) is None or not standard.allows(n)]
        if others:
            entry = variant.values[rf"ndi\params\{keyword.name.lower()}\enum", others[0].lower()]
            yield Seen(entry.number, f"{keyword.name} offers {', '.join(others)} ({standard.source})")


@warning("the documented range of a standardized keyword", "keep min and max within the documented range")
def keyword_range(subject: Subject) -> Iterator[Seen]:
    """A number's range lies within the documented one.

    Source: Keywords That Can Be Edited, and the page of the keyword's feature.
    """
    for variant, keyword, standard in _standard(subject):
        if keyword.kind not in NUMERIC or standard.type != "int":
            continue
        if keyword.minimum is not None and standard.minimum is not None and keyword.minimum < standard.minimum:
            text = f"{keyword.name} from {keyword.minimum}, documented from {standard.minimum} ({standard.source})"
            yield Seen(field(variant, keyword, "min")[0], text)
        if keyword.maximum is not None and standard.maximum is not None and keyword.maximum > standard.maximum:
            text = f"{keyword.name} to {keyword.maximum}, documented to {standard.maximum} ({standard.source})"
            yield Seen(field(variant, keyword, "max")[0], text)


@note("the documented default of a standardized keyword", "keep it, unless the device has a reason")
def keyword_default(subject: Subject) -> Iterator[Seen]:
    """A standardized keyword starts with its documented value.

    Source: Enumeration Keywords, and the page of the keyword's feature.
    """
    for variant, keyword, standard in _standard(subject):
        value = _number(keyword.default, keyword.base)
        if value is not None and standard.defaults and value not in standard.defaults:
            wanted = " or ".join(map(str, standard.defaults))
            line = field(variant, keyword, "default")[0]
            yield Seen(line, f"{keyword.name} starts with {value}, documented {wanted} ({standard.source})")


@note("keywords of the oldest Windows that the section is for", "raise the build in the decoration, if it matters")
def keyword_too_new(subject: Subject) -> Iterator[Seen]:
    """A keyword works on every Windows that gets it.

    Source: Overview of NDIS Versions, and the page of the keyword's feature.
    """
    for variant, keyword, standard in _standard(subject):
        first = _FIRST_BUILD.get(standard.ndis)
        fields = variant.models[0].section.lower().rpartition(".nt")[2].split(".")
        build = _number(fields[5]) if len(fields) > 5 else None
        if first and build and build < first:
            yield Seen(keyword.number, f"{keyword.name} needs build {first}, the models are for {build} and later")


@warning("the same offloads for IPv4 and IPv6", "offer the keyword for the other version too")
def offload_parity(subject: Subject) -> Iterator[Seen]:
    """What is offloaded for one version of IP is for the other.

    Source: Device.Network.LAN.Base.IPv4AndIPv6OffloadParity.
    """
    for variant in subject.with_settings:
        names = {keyword.name.lower(): keyword for keyword in variant.keywords}
        for name, keyword in names.items():
            standard = standardized().get(name)
            other = re.sub("ipv[46]$", lambda found: "ipv6" if found[0] == "ipv4" else "ipv4", name)
            if standard and not standard.legacy and other != name and other in standardized() and other not in names:
                yield Seen(keyword.number, f"{keyword.name} without {standardized()[other].keyword}")


@warning("*NumRSSQueues beside *RSS", "offer the number of queues")
def rss_without_queues(subject: Subject) -> Iterator[Seen]:
    """Receive side scaling comes with its number of queues.

    Source: Device.Network.LAN.RSS.RSS.
    """
    for variant in subject.with_settings:
        names = {keyword.name.lower(): keyword for keyword in variant.keywords}
        if "*rss" in names and "*numrssqueues" not in names:
            yield Seen(names["*rss"].number, "*RSS alone")


@warning("*RssMaxProcGroup beside *RssMaxProcNumber", "write both; together they name one processor")
def rss_max_processor(subject: Subject) -> Iterator[Seen]:
    """The highest RSS processor has a number and a group.

    Source: Standardized INF Keywords for RSS.
    """
    for variant in subject.with_settings:
        names = {keyword.name.lower(): keyword for keyword in variant.keywords}
        if "*rssmaxprocnumber" in names and "*rssmaxprocgroup" not in names:
            yield Seen(names["*rssmaxprocnumber"].number, "*RssMaxProcNumber alone")


RULES = (
    unknown_keyword, asterisk_missing, forbidden_keyword, legacy_keyword, keyword_type, keyword_values, keyword_range,
    keyword_default, keyword_too_new, offload_parity, rss_without_queues, rss_max_processor,
)  # fmt: skip
