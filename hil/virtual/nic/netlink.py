"""Two netlink requests that pyroute2 has no words for: a tbf that counts Ethernet's overhead, and ending sockets."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

_HEADER = struct.Struct("=IHHII")
"""nlmsghdr: length, type, flags, sequence, port."""
_REQUEST, _ACK, _CREATE, _REPLACE, _DUMP = 0x1, 0x4, 0x400, 0x100, 0x300
_ERROR, _DONE = 2, 3

_NEW_QDISC = 36
_ROOT = 0xFFFFFFFF
_TBF_PARMS, _TBF_BURST = 1, 6
_LINKLAYER_ETHERNET = 1

_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY, _SOCK_DESTROY = 20, 21
_ALL_BUT_LISTENING = 0xFFF & ~(1 << 10)
_DIAG_MESSAGE = struct.Struct("=BBBB48s")
"""Head of inet_diag_msg: family, state, timer, retransmits, inet_diag_sockid."""


def shape(index: int, *, rate: int, burst: int, limit: int, overhead: int, smallest: int) -> None:
    """Make a token bucket (tc-tbf(8)) the root of interface ``index``, replacing what is there.

    ``rate`` in bytes a second; ``burst`` bytes may pass at once and ``limit`` bytes may wait; what the stack hands
    over is charged its bytes and ``overhead``, ``smallest`` at least. Raises OSError as the kernel gives it.
    """
    rate_spec = struct.pack("=BBHhHI", 0, _LINKLAYER_ETHERNET, overhead, 0, smallest, rate)
    parameters = rate_spec + bytes(12) + struct.pack("=III", limit, 0, 0)
    options = _attribute(_TBF_PARMS, parameters) + _attribute(_TBF_BURST, struct.pack("=I", burst))
    message = struct.pack("=BxxxiIII", socket.AF_UNSPEC, index, 0x10000, _ROOT, 0)
    message += _attribute(1, b"tbf\0") + _attribute(2, options)
    with _connect(socket.NETLINK_ROUTE) as netlink:
        _request(netlink, _NEW_QDISC, _CREATE | _REPLACE | _ACK, message)


def end_tcp_connections() -> None:
    """End each TCP connection of the namespace with ECONNABORTED, as a stack does whose interface is gone.

    sock_diag(7) with SOCK_DESTROY; listening sockets stay. Raises OSError where the kernel was built without it.
    """
    with _connect(_SOCK_DIAG) as netlink:
        for family in (socket.AF_INET, socket.AF_INET6):
            head = struct.pack("=BBBxI", family, socket.IPPROTO_TCP, 0, _ALL_BUT_LISTENING)
            found = [identity for _, _, _, _, identity in _dump(netlink, _SOCK_DIAG_BY_FAMILY, head + bytes(48))]
            for identity in found:
                try:
                    _request(netlink, _SOCK_DESTROY, _ACK, head + identity)
                except FileNotFoundError:
                    continue  # it ended by itself meanwhile


def _connect(protocol: int) -> socket.socket:
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    netlink.settimeout(5.0)
    return netlink


def _attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def _request(netlink: socket.socket, kind: int, flags: int, message: bytes) -> None:
    netlink.send(_HEADER.pack(_HEADER.size + len(message), kind, _REQUEST | flags, 0, 0) + message)
    for _ in _answers(netlink):
        return


def _dump(netlink: socket.socket, kind: int, message: bytes) -> Iterator[tuple[int, int, int, int, bytes]]:
    netlink.send(_HEADER.pack(_HEADER.size + len(message), kind, _REQUEST | _DUMP, 0, 0) + message)
    for answer_kind, payload in _answers(netlink):
        if answer_kind == _DONE:
            return
        yield _DIAG_MESSAGE.unpack_from(payload)


def _answers(netlink: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Messages as they come; an error is raised, an acknowledgement yielded like the rest."""
    while True:
        data = netlink.recv(1 << 16)
        while data:
            length, kind, _, _, _ = _HEADER.unpack_from(data)
            payload, data = data[_HEADER.size : length], data[(length + 3) & ~3 :]
            if kind == _ERROR and (code := struct.unpack_from("=i", payload)[0]):
                raise OSError(-code, os.strerror(-code))
            yield kind, payload
