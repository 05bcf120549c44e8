r"""Install sections of a network adapter: characteristics, media, the Ndi key, interrupts."""

from __future__ import annotations

from collections.abc import Iterator

from hil.package.rules.rule import Seen, error, note, warning
from hil.package.subject import Subject, Variant

_VIRTUAL, _SOFTWARE, _PHYSICAL, _NO_SERVICE, _HAS_UI = 0x1, 0x2, 0x4, 0x10, 0x80
_KINDS = _VIRTUAL | _SOFTWARE | _PHYSICAL
_PCI_BUS, _PNP_BUS = 5, 15
_MEDIA = ("*IfType", "*MediaType", "*PhysicalMediaType")
_MEDIA_OF_TYPE = {6: (0,), 71: (0, 16), 243: (0, 9), 244: (0, 9)}
"""*MediaType by *IfType: Ethernet, WLAN, and mobile broadband of two kinds (ndis.h, ipifcons.h)."""
_OBSOLETE_RANGES = ("ndis2", "ndis3", "ndis4")
_MSIX_LIMIT = 2048
_QUEUES_OF_ONE_MESSAGE = 2


def _characteristics(variant: Variant) -> int | None:
    return dict(variant.install.network).get("Characteristics")


def _line(variant: Variant, key: str) -> int:
    found = (line.number for line in variant.install.directives if (line.key or "").lower() == key.lower())
    return next(found, variant.install.number)


@error("Characteristics in each install section", "for a PCI or USB adapter: Characteristics = 0x84")
def characteristics_missing(subject: Subject) -> Iterator[Seen]:
    """The section says what kind of component it installs.

    Source: DDInstall Section in a Network INF File, "Characteristics".
    """
    for variant in subject.whole_adapters:
        if _characteristics(variant) is None:
            yield Seen(variant.install.number, f"[{variant.install.section}] has none")


@error("one of virtual, software-enumerated and physical, with a service", "choose NCF_VIRTUAL (1), 2 or NCF_PHYSICAL")
def characteristics_exclude(subject: Subject) -> Iterator[Seen]:
    """Characteristics do not contradict each other.

    Source: DDInstall Section in a Network INF File, "Characteristics".
    """
    for variant in subject.adapters:
        value = _characteristics(variant) or 0
        kinds = [bit for bit in (_VIRTUAL, _SOFTWARE, _PHYSICAL) if value & bit]
        if len(kinds) > 1 or (kinds and value & _NO_SERVICE):
            yield Seen(_line(variant, "Characteristics"), f"Characteristics = {value:#x}")


@note("NCF_HAS_UI (0x80) where there are settings to show", "add 0x80 to Characteristics")
def settings_without_ui(subject: Subject) -> Iterator[Seen]:
    """An adapter with advanced properties says that it has a user interface.

    Source: Specifying Configuration Parameters for the Advanced Properties Page.
    """
    for variant in subject.adapters:
        value = _characteristics(variant)
        if value is not None and variant.keywords and not value & _HAS_UI:
            yield Seen(_line(variant, "Characteristics"), f"{len(variant.keywords)} settings, {value:#x}")


@error("BusType for a physical adapter", "PCI: BusType = 5; USB: BusType = 15")
def bus_type_missing(subject: Subject) -> Iterator[Seen]:
    """A physical adapter's section says on which bus it is.

    Source: DDInstall Section in a Network INF File, "BusType".
    """
    for variant in subject.whole_adapters:
        if (_characteristics(variant) or 0) & _PHYSICAL and "BusType" not in dict(variant.install.network):
            yield Seen(variant.install.number, f"[{variant.install.section}] has none")


@warning("the BusType of the hardware ids", "PCI\\ ids: BusType = 5; USB\\ ids: BusType = 15")
def bus_type_differs(subject: Subject) -> Iterator[Seen]:
    """BusType and the hardware ids speak of the same bus.

    Source: DDInstall Section in a Network INF File, "BusType" (values of INTERFACE_TYPE).
    """
    wanted = {"PCI": _PCI_BUS, "USB": _PNP_BUS}
    for variant in subject.adapters:
        value = dict(variant.install.network).get("BusType")
        if value is not None and wanted.get(variant.bus, value) != value:
            yield Seen(_line(variant, "BusType"), f"BusType = {value} for {variant.models[0].hardware_id}")


@error("*IfType, *MediaType and *PhysicalMediaType", "Ethernet: 6, 0 and 14")
def media_missing(subject: Subject) -> Iterator[Seen]:
    """The three media keywords are there; without them NDIS 6 never initializes the miniport.

    Source: Standardized INF Keywords for Network Devices.
    """
    for variant in subject.whole_adapters:
        missing = _missing_media(variant)
        if missing and _is_ndis6(variant, missing):
            yield Seen(variant.install.number, f"[{variant.install.section}] lacks {', '.join(missing)}")


@note("a driver for NDIS 6", "add *IfType, *MediaType and *PhysicalMediaType if it is one")
def looks_like_ndis5(subject: Subject) -> Iterator[Seen]:
    """Without any standardized keyword it is an INF of the times before Windows Vista.

    Source: Standardized INF Keywords for Network Devices.
    """
    for variant in subject.whole_adapters:
        missing = _missing_media(variant)
        if missing and not _is_ndis6(variant, missing):
            yield Seen(variant.install.number, f"[{variant.install.section}] has no standardized keyword")
            return  # once says enough


def _missing_media(variant: Variant) -> list[str]:
    found = {key.lower() for key, _ in variant.install.network}
    return [key for key in _MEDIA if key.lower() not in found and ("", key.lower()) not in variant.values]


def _is_ndis6(variant: Variant, missing: list[str]) -> bool:
    """Whether anything in it is of NDIS 6: another media keyword, a standardized setting, models of Vista or later."""
    major = variant.models[0].section.lower().rpartition(".nt")[2].split(".")[1:2]
    standardized = any(keyword.name.startswith("*") for keyword in variant.keywords)
    return len(missing) < len(_MEDIA) or standardized or (bool(major) and major[0].isdigit() and int(major[0]) >= 6)


@warning("a *MediaType of the *IfType", "Ethernet: 6 with 0; WLAN: 71 with 16; mobile broadband: 243 or 244 with 9")
def media_differ(subject: Subject) -> Iterator[Seen]:
    """Interface type and medium belong together.

    Source: MB Miniport Driver INF Requirements; NDIS Interface Types.
    """
    for variant in subject.adapters:
        media = dict(variant.install.network)
        kind, medium = media.get("*IfType"), media.get("*MediaType")
        if kind is not None and medium is not None and medium not in _MEDIA_OF_TYPE.get(kind, (medium,)):
            yield Seen(_line(variant, "*MediaType"), f"*IfType = {kind}, *MediaType = {medium}")


@error("Ndi\\Service with the name of the function driver's service", "HKR, Ndi, Service, 0, \"name\"")
def ndi_service(subject: Subject) -> Iterator[Seen]:
    r"""Ndi\Service names the service that AddService makes.

    Source: Adding Service-Related Values to the Ndi Key.
    """
    for variant in subject.whole_adapters:
        service, entry = variant.install.function_driver, variant.values.get(("ndi", "service"))
        if service and entry is None:
            yield Seen(variant.install.number, f"[{variant.install.section}] writes none")
        elif service and entry and str(entry.data).lower() != service.name.lower():
            yield Seen(entry.number, f"Ndi\\Service is {entry.data!s}, the service is {service.name}")


@error("Ndi\\Interfaces with UpperRange and LowerRange", "Ethernet: ndis5 and ethernet")
def ndi_ranges(subject: Subject) -> Iterator[Seen]:
    r"""The adapter says what can be bound above and below it.

    Source: Specifying Binding Interfaces.
    """
    for variant in subject.whole_adapters:
        for name in ("UpperRange", "LowerRange"):
            if (r"ndi\interfaces", name.lower()) not in variant.values:
                yield Seen(variant.install.number, f"[{variant.install.section}] writes no {name}")


@error("binding ranges that Windows knows", "UpperRange ndis5 is right for NDIS 6 drivers too")
def ndi_range_obsolete(subject: Subject) -> Iterator[Seen]:
    """Binding ranges of NDIS 2 to 4 are gone.

    Source: Specifying Binding Interfaces; INF Validation Errors and Warnings, code 2500.
    """
    for variant in subject.adapters:
        for name in ("upperrange", "lowerrange"):
            entry = variant.values.get((r"ndi\interfaces", name))
            ranges = [part.strip().lower() for part in str(entry.data).split(",")] if entry else []
            for part in ranges:
                if entry and part in _OBSOLETE_RANGES:
                    yield Seen(entry.number, f"{entry.name} has {part}")


@warning("the network medium as LowerRange of a physical adapter", "Ethernet: ethernet; WLAN: wlan or ethernet")
def lower_range_of_hardware(subject: Subject) -> Iterator[Seen]:
    """A physical adapter's lower edge is its medium; filters do not bind above nolower.

    Source: Specifying Binding Interfaces.
    """
    for variant in subject.adapters:
        entry = variant.values.get((r"ndi\interfaces", "lowerrange"))
        if entry and (_characteristics(variant) or 0) & _PHYSICAL and "nolower" in str(entry.data).lower():
            yield Seen(entry.number, f"LowerRange is {entry.data!s}")


@warning("no CoServices for an adapter", "remove the value: an adapter has one service")
def ndi_coservices(subject: Subject) -> Iterator[Seen]:
    """Only protocols, clients and services have CoServices.

    Source: Adding Service-Related Values to the Ndi Key.
    """
    for variant in subject.adapters:
        if entry := variant.values.get(("ndi", "coservices")):
            yield Seen(entry.number, "Ndi\\CoServices")


@error("MessageNumberLimit from 1 to 2048 and MSISupported as REG_DWORD", "write them with flags 0x00010001")
def msi_values(subject: Subject) -> Iterator[Seen]:
    """Message-signalled interrupts are asked for in the right form.

    Source: Enabling Message-Signaled Interrupts in the Registry.
    """
    for variant in subject.variants:
        for entry in variant.msi:
            if entry.name.lower() not in ("msisupported", "messagenumberlimit"):
                continue
            if entry.kind != "REG_DWORD":
                yield Seen(entry.number, f"{entry.name} is {entry.kind}")
            elif entry.name.lower() == "messagenumberlimit" and not 1 <= int(str(entry.data)) <= _MSIX_LIMIT:
                yield Seen(entry.number, f"MessageNumberLimit is {entry.data!s}")


def _msi(variant: Variant, name: str) -> int | None:
    found = [entry.data for entry in variant.msi if entry.name.lower() == name]
    return found[-1] if found and isinstance(found[-1], int) else None


@warning("MSISupported = 1 for a PCI adapter with RSS", "add it in the .HW section")
def rss_without_msi(subject: Subject) -> Iterator[Seen]:
    """Receive side scaling on PCI needs message-signalled interrupts.

    Source: Device.Network.LAN.RSS.RSS; Enabling Message-Signaled Interrupts in the Registry.
    """
    for variant in subject.whole_adapters:
        rss = next((keyword for keyword in variant.keywords if keyword.name.lower() == "*rss"), None)
        if rss and variant.bus == "PCI" and _msi(variant, "msisupported") != 1:
            yield Seen(rss.number, f"*RSS, but no MSISupported = 1 in [{variant.install.section}.HW]")


@note("a message for each RSS queue", "raise MessageNumberLimit, or offer fewer queues")
def fewer_messages_than_queues(subject: Subject) -> Iterator[Seen]:
    """The interrupt messages suffice for the RSS queues that can be chosen.

    Source: Device.Network.LAN.RSS.RSS (two queues may share one vector below 10 Gbit/s).
    """
    for variant in subject.adapters:
        queues = next((keyword for keyword in variant.keywords if keyword.name.lower() == "*numrssqueues"), None)
        limit = _msi(variant, "messagenumberlimit")
        if queues and limit:
            offered = [queues.maximum or 0, *(int(value) for value, _ in queues.choices if value.isdigit())]
            if max(offered) > max(_QUEUES_OF_ONE_MESSAGE, limit):
                yield Seen(queues.number, f"up to {max(offered)} queues, MessageNumberLimit is {limit}")


RULES = (
    characteristics_missing, characteristics_exclude, settings_without_ui, bus_type_missing, bus_type_differs,
    media_missing, looks_like_ndis5, media_differ, ndi_service, ndi_ranges, ndi_range_obsolete,
    lower_range_of_hardware, ndi_coservices, msi_values, rss_without_msi, fewer_messages_than_queues,
)  # fmt: skip
