r"""The INF of the sample miniport: DIRID 13, isolated registry, standardized keywords, error log service.

Values and defaults of keywords: Microsoft, "Standardized INF Keywords for Network Devices".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

PROVIDER = "HIL Lab"
DEVICE = "HIL Lab Virtual Ethernet Adapter"
HARDWARE_IDS = (r"PCI\VEN_1D0F&DEV_7A10&SUBSYS_00011D0F&REV_01", r"PCI\VEN_1D0F&DEV_7A10")


@dataclass(frozen=True)
class Release:
    """What one package says of itself."""

    version: str
    date: date
    driver: str = "hilnic"
    """Name of the INF, the catalog, the image and the service."""
    provider: str = PROVIDER
    hardware_ids: tuple[str, ...] = HARDWARE_IDS
    """Most specific first."""
    reboot: bool = False
    """Windows is to restart after it was put on a device that runs."""

    @property
    def inf_name(self) -> str:
        return f"{self.driver}.inf"

    @property
    def sys_name(self) -> str:
        return f"{self.driver}.sys"

    @property
    def cat_name(self) -> str:
        return f"{self.driver}.cat"



_ON_OFF = {"0": "Disabled", "1": "Enabled"}
_BY_DIRECTION = {"0": "Disabled", "1": "Tx Enabled", "2": "Rx Enabled", "3": "Rx & Tx Enabled"}
_SPEEDS = {100: ("4", "100 Mbps Full Duplex"), 1000: ("6", "1.0 Gbps Full Duplex"), 10000: ("7", "10 Gbps Full Duplex")}
_ENUMS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("*FlowControl", "Flow Control", "3", _BY_DIRECTION),
    ("*InterruptModeration", "Interrupt Moderation", "1", _ON_OFF),
    ("*IPChecksumOffloadIPv4", "IPv4 Checksum Offload", "3", _BY_DIRECTION),
    ("*TCPChecksumOffloadIPv4", "TCP Checksum Offload (IPv4)", "3", _BY_DIRECTION),
    ("*TCPChecksumOffloadIPv6", "TCP Checksum Offload (IPv6)", "3", _BY_DIRECTION),
    ("*UDPChecksumOffloadIPv4", "UDP Checksum Offload (IPv4)", "3", _BY_DIRECTION),
    ("*UDPChecksumOffloadIPv6", "UDP Checksum Offload (IPv6)", "3", _BY_DIRECTION),
    ("*LsoV2IPv4", "Large Send Offload V2 (IPv4)", "1", _ON_OFF),
    ("*LsoV2IPv6", "Large Send Offload V2 (IPv6)", "1", _ON_OFF),
    ("*RSS", "Receive Side Scaling", "1", _ON_OFF),
    ("*WakeOnMagicPacket", "Wake on Magic Packet", "1", _ON_OFF),
    ("*WakeOnPattern", "Wake on Pattern Match", "1", _ON_OFF),
    ("*ModernStandbyWoLMagicPacket", "Wake on Magic Packet in Modern Standby", "0", _ON_OFF),
    ("WakeOnLink", "Wake on Link Change", "0", _ON_OFF),
    ("WakeFromS5", "Wake from Power Off", "1", _ON_OFF),
    ("*PMARPOffload", "ARP Offload", "1", _ON_OFF),
    ("*PMNSOffload", "NS Offload", "1", _ON_OFF),
    ("*PriorityVLANTag", "Packet Priority & VLAN", "3", {
        "0": "Packet Priority & VLAN Disabled", "1": "Packet Priority Enabled", "2": "VLAN Enabled",
        "3": "Packet Priority & VLAN Enabled",
    }),
)  # fmt: skip
_INTS = (
    # keyword, description, default, least, most, step
    ("*JumboPacket", "Jumbo Packet", 1514, 1514, 9014, 1),
    ("*ReceiveBuffers", "Receive Buffers", 256, 80, 2048, 8),
    ("*TransmitBuffers", "Transmit Buffers", 512, 80, 2048, 8),
    ("*NumRssQueues", "Maximum Number of RSS Queues", 4, 1, 8, 1),
)

_HEAD = r"""; {device}, for the virtual bench
[Version]
Signature   = "$Windows NT$"
Class       = Net
ClassGuid   = {{4d36e972-e325-11ce-bfc1-08002be10318}}
Provider    = %Provider%
CatalogFile = {cat}
DriverVer   = {date:%m/%d/%Y},{version}
PnpLockdown = 1

[Manufacturer]
%Provider% = HilNic,NTamd64.10.0...19041

[HilNic.NTamd64.10.0...19041]
{models}

[SourceDisksNames]
1 = %Disk%

[SourceDisksFiles]
{sys} = 1

[DestinationDirs]
HilNic.copy = 13

[HilNic.copy]
{sys}

[HilNic.ndi.NTamd64]
Characteristics = 0x84 ; NCF_HAS_UI | NCF_PHYSICAL
BusType         = 5 ; PCI
*IfType            = 6 ; IF_TYPE_ETHERNET_CSMACD
*MediaType         = 0 ; NdisMedium802_3
*PhysicalMediaType = 14 ; NdisPhysicalMedium802_3
CopyFiles = HilNic.copy
AddReg    = HilNic.reg, HilNic.params
{reboot}
[HilNic.ndi.NTamd64.Services]
AddService = {service}, 0x2, HilNic.service, HilNic.log

[HilNic.ndi.NTamd64.HW]
AddReg = HilNic.hw

[HilNic.hw]
HKR, Interrupt Management,, 0x00000010
HKR, Interrupt Management\MessageSignaledInterruptProperties,, 0x00000010
HKR, Interrupt Management\MessageSignaledInterruptProperties, MSISupported, 0x00010001, 1
HKR, Interrupt Management\MessageSignaledInterruptProperties, MessageNumberLimit, 0x00010001, 16

[HilNic.service]
DisplayName    = %Device%
ServiceType    = 1 ; SERVICE_KERNEL_DRIVER
StartType      = 3 ; SERVICE_DEMAND_START
ErrorControl   = 1 ; SERVICE_ERROR_NORMAL
ServiceBinary  = %13%\{sys}
LoadOrderGroup = NDIS

[HilNic.log]
AddReg = HilNic.logreg

[HilNic.logreg]
HKR,, EventMessageFile, 0x00020000, "%%SystemRoot%%\System32\netevent.dll"
HKR,, TypesSupported, 0x00010001, 7

[HilNic.reg]
HKR, Ndi, Service, 0, "{service}"
HKR, Ndi\Interfaces, UpperRange, 0, "ndis5"
HKR, Ndi\Interfaces, LowerRange, 0, "ethernet"
; each release sets it anew
HKR,, WakeFromS5, 0, "1"

[HilNic.params]
"""
_TAIL = r"""
HKR, Ndi\params\SecureOnPassword, ParamDesc, 0, "SecureOn Password"
HKR, Ndi\params\SecureOnPassword, type, 0, "edit"
HKR, Ndi\params\SecureOnPassword, LimitText, 0, "12"
HKR, Ndi\params\SecureOnPassword, UpperCase, 0, "1"
HKR, Ndi\params\SecureOnPassword, default, 0, ""
HKR, Ndi\params\SecureOnPassword, Optional, 0, "1"
HKR, Ndi\params\NetworkAddress, ParamDesc, 0, "Locally Administered Address"
HKR, Ndi\params\NetworkAddress, type, 0, "edit"
HKR, Ndi\params\NetworkAddress, LimitText, 0, "12"
HKR, Ndi\params\NetworkAddress, UpperCase, 0, "1"
HKR, Ndi\params\NetworkAddress, default, 0, ""
HKR, Ndi\params\NetworkAddress, Optional, 0, "1"

[Strings]
Provider = "{provider}"
Device   = "{device}"
Disk     = "{device} installation disk"
"""


def inf_text(release: Release, link_mbps: int) -> str:
    """The INF with CR LF line ends; the adapter offers no speed above ``link_mbps``."""
    names = {
        "device": DEVICE, "provider": release.provider, "service": release.driver, "cat": release.cat_name,
        "sys": release.sys_name, "version": release.version, "date": release.date,
        "models": "\n".join(f"%Device% = HilNic.ndi, {name}" for name in release.hardware_ids),
        "reboot": "Reboot\n" if release.reboot else "",
    }  # fmt: skip
    speeds = {"0": "Auto Negotiation"} | {value: text for mbps, (value, text) in _SPEEDS.items() if mbps <= link_mbps}
    lines = [line for entry in (("*SpeedDuplex", "Speed & Duplex", "0", speeds), *_ENUMS) for line in _enum(*entry)]
    lines += [line for entry in _INTS for line in _int(*entry)]
    text = _HEAD.format(**names) + "\n".join(lines) + _TAIL.format(**names)
    return text.replace("\n", "\r\n")


def _enum(keyword: str, description: str, default: str, choices: dict[str, str]) -> list[str]:
    key = rf"HKR, Ndi\params\{keyword}"
    return [
        *_param(keyword, description, "enum", default),
        *(rf'{key}\enum, "{value}", 0, "{text}"' for value, text in choices.items()),
    ]


def _int(keyword: str, description: str, default: int, least: int, most: int, step: int) -> list[str]:
    key = rf"HKR, Ndi\params\{keyword}"
    return [
        *_param(keyword, description, "int", str(default)),
        f'{key}, min, 0, "{least}"', f'{key}, max, 0, "{most}"', f'{key}, step, 0, "{step}"', f'{key}, base, 0, "10"',
    ]  # fmt: skip


def _param(keyword: str, description: str, kind: str, default: str) -> list[str]:
    key = rf"HKR, Ndi\params\{keyword}"
    return [f'{key}, ParamDesc, 0, "{description}"', f'{key}, type, 0, "{kind}"', f'{key}, default, 0, "{default}"']
