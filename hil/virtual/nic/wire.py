"""The cable and the partner's port: a pair of veth devices that carries true frames at the link's rate.

The adapter's end lies in a namespace of its own, where only the data path touches it; the partner's end is the
partner's whole world. With true frames the devices offer neither segmentation nor checksums, so the kernel cuts each
super-frame and fills each checksum before it crosses, in both directions, and the partner sees what a cable carries.
The adapter's end may gather received segments again, as a NIC with receive coalescing does.

tbf sees what the stack hands over, so a super-frame is charged its headers but the overhead of one frame only. The
rate is therefore that of full frames with the overhead taken out: exact for segmented TCP, 1.6 % slow for single
frames, never faster than the line. Super-frames pass whole, so frames come in bursts of up to 64 KB.

The kernel's own count of the partner's sent bytes leaves out the 14 bytes of each Ethernet header (veth counts so
towards a device that gathers); packets, and received bytes, are counted whole.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import ipaddress
import socket
import struct
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from hil.errors import BenchError
from hil.virtual.nic import netlink
from hil.virtual.nic.namespace import Namespace

if TYPE_CHECKING:
    from pyroute2 import IPRoute

NEAR, PARTNER = "wire0", "partner0"
_NEAR_INDEX = 1000
_WIRE_MTU = 9216
_FULL_FRAME, _FRAMING, _MIN_ON_WIRE = 1514, 24, 84
_MIN_BURST = 128 * 1024
_BURST_S = 0.002
_QUEUE = 4 << 20
_SEND_BUFFER = 400_000
"""Well below the queue of the shaper, so that a full wire makes the sender wait instead of losing frames."""
_RECEIVE_BUFFER = 8 << 20

_SIOCETHTOOL = 0x8946
_TX_CHECKSUM, _TSO, _GRO = 0x17, 0x1F, 0x2C
"""ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGRO."""
_SOL_PACKET, _PACKET_AUXDATA, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING = 263, 8, 15, 23
_ETH_P_ALL = 0x0003


class Wire:
    """From construction to :meth:`close`. Raises BenchError that names the missing right or kernel feature."""

    def __init__(self, mbps: float, *, true_frames: bool) -> None:
        self.partner = Namespace()
        self.near = Namespace()
        try:
            self._lay(true_frames)
            self.set_rate(mbps)
        except BaseException:
            self.close()
            raise

    def _lay(self, true_frames: bool) -> None:
        # an index that the partner's end does not have too: else Linux tells him of a lost link up to a second late
        near = {"ifname": NEAR, "kind": "veth", "mtu": _WIRE_MTU, "index": _NEAR_INDEX}
        other = {"ifname": PARTNER, "net_ns_fd": self.partner.fileno()}
        ask(self.near, "a veth pair", lambda ip: ip.link("add", **near, peer=other))
        self.near.call(lambda: _offload(NEAR, gro=True, cut=true_frames))
        self.partner.call(lambda: _offload(PARTNER, gro=False, cut=true_frames))
        ask(self.near, "a silent end of the wire", _silence)
        ask(self.partner, "the partner's port up", _bring_up)

    def open_socket(self) -> socket.socket:
        """A packet socket on the adapter's end: super-frames in, frames (perhaps gathered) out, VLAN tags aside."""
        return self.near.call(_packet_socket)

    def set_rate(self, mbps: float) -> None:
        """Layer-1 rate of each direction."""
        rate = int(mbps * 1e6 / 8 * _FULL_FRAME / (_FULL_FRAME + _FRAMING))
        burst = max(_MIN_BURST, int(rate * _BURST_S))

        def shape(ip: IPRoute, interface: str) -> None:
            (index,) = ip.link_lookup(ifname=interface)
            netlink.shape(index, rate=rate, burst=burst, limit=_QUEUE, overhead=_FRAMING, smallest=_MIN_ON_WIRE)

        ask(self.near, "a token bucket (sch_tbf)", lambda ip: shape(ip, NEAR))
        ask(self.partner, "a token bucket (sch_tbf)", lambda ip: shape(ip, PARTNER))

    def set_link(self, up: bool) -> None:
        """The partner sees the carrier of the adapter's end."""
        ask(self.near, "the wire up or down", lambda ip: set_link(ip, NEAR, state="up" if up else "down"))

    def set_partner_address(self, addresses: Iterable[str]) -> None:
        ask(self.partner, "the partner's address", lambda ip: set_addresses(ip, PARTNER, addresses))

    def close(self) -> None:
        self.near.close()
        self.partner.close()


def ask(namespace: Namespace, wanted: str, work: Callable[[IPRoute], None]) -> None:
    """Run ``work`` with a netlink connection inside ``namespace``; what the kernel refuses becomes a BenchError."""
    # here, since it costs a quarter of a second that the data path's process need not pay
    from pyroute2 import IPRoute, NetlinkError

    def inside() -> None:
        with IPRoute() as ip:
            work(ip)

    try:
        namespace.call(inside)
    except (NetlinkError, OSError) as error:
        code = getattr(error, "code", None) or getattr(error, "errno", None)
        raise BenchError(
            f"{wanted} for the virtual wire",
            seen=f"the kernel refused: {error}",
            next_step="run with CAP_NET_ADMIN, as root or in a user namespace"
            if code in (errno.EPERM, errno.EACCES)
            else "use a kernel with veth, tun and sch_tbf (built in, or as modules that are loaded)",
        ) from error


def set_link(ip: IPRoute, interface: str, **attributes: object) -> None:
    (index,) = ip.link_lookup(ifname=interface)
    ip.link("set", index=index, **attributes)


def set_addresses(ip: IPRoute, interface: str, addresses: Iterable[str]) -> None:
    """Replace what ``interface`` has; IPv6 addresses are usable at once (no duplicate address detection)."""
    (index,) = ip.link_lookup(ifname=interface)
    for family in (socket.AF_INET, socket.AF_INET6):
        ip.flush_addr(index=index, family=family, scope=0)
    for address in map(ipaddress.ip_interface, addresses):
        no_detection = {"flags": 0x02} if address.version == 6 else {}
        ip.addr("add", index=index, address=str(address.ip), prefixlen=address.network.prefixlen, **no_detection)


def _silence(ip: IPRoute) -> None:
    """No IPv6 address of its own: what the partner sees shall come from the adapter alone."""
    no_address = {"attrs": [["AF_INET6", {"attrs": [["IFLA_INET6_ADDR_GEN_MODE", 1]]}]]}
    set_link(ip, NEAR, IFLA_AF_SPEC=no_address)
    set_link(ip, NEAR, state="up")


def _bring_up(ip: IPRoute) -> None:
    set_link(ip, "lo", state="up")
    set_link(ip, PARTNER, state="up", mtu=1500)


def _offload(interface: str, *, gro: bool, cut: bool) -> None:
    """ethtool -K: whether received segments are gathered, and whether super-frames are cut before they cross."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command, value in ((_GRO, gro), (_TX_CHECKSUM, not cut), (_TSO, not cut)):
            setting = ctypes.create_string_buffer(struct.pack("=II", command, value))
            request = struct.pack("@16sP8x", interface.encode(), ctypes.addressof(setting))
            fcntl.ioctl(control, _SIOCETHTOOL, request)


def _packet_socket() -> socket.socket:
    try:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    except OSError as error:
        raise BenchError(
            "a packet socket on the virtual wire",
            seen=f"socket: {error.strerror}",
            next_step="run with CAP_NET_RAW, as root or in a user namespace",
        ) from error
    for option in (_PACKET_VNET_HDR, _PACKET_AUXDATA, _PACKET_IGNORE_OUTGOING):
        wire.setsockopt(_SOL_PACKET, option, 1)
    _set_buffer(wire, socket.SO_SNDBUF, 32, _SEND_BUFFER)
    _set_buffer(wire, socket.SO_RCVBUF, 33, _RECEIVE_BUFFER)
    wire.bind((NEAR, _ETH_P_ALL))
    wire.setblocking(False)
    return wire


def _set_buffer(wire: socket.socket, option: int, forced: int, size: int) -> None:
    """SO_SNDBUFFORCE (32) and SO_RCVBUFFORCE (33) pass the system's limit, for root only."""
    try:
        wire.setsockopt(socket.SOL_SOCKET, forced, size)
    except PermissionError:
        wire.setsockopt(socket.SOL_SOCKET, option, size)
