"""The adapter's upper edge: a TAP device whose frames carry what a stack tells its miniport about them."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from dataclasses import dataclass
from io import FileIO

from hil.errors import BenchError

_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_TAP, _NO_PI, _VNET_HDR = 0x2, 0x1000, 0x4000
_CSUM, _TSO4, _TSO6 = 1, 2, 4
_DEVICE = "/dev/net/tun"


@dataclass(frozen=True)
class Offloads:
    """What the driver offers the stack above it; without large send the stack cuts by itself.

    The kernel knows one switch for all checksums, and no large send without it.
    """

    checksum: bool = True
    lso_v4: bool = True
    lso_v6: bool = True

    def flags(self) -> int:
        """For TUNSETOFFLOAD."""
        return _CSUM | self.lso_v4 * _TSO4 | self.lso_v6 * _TSO6 if self.checksum else 0


def open_tap(interface: str, offloads: Offloads) -> FileIO:
    """Make a TAP in the caller's namespace; it lives until its file (not blocking) is closed.

    Each read and write is one frame behind a ``virtio_net_hdr`` (:mod:`hil.virtual.nic.segment`). Raises BenchError
    that names the missing right.
    """
    try:
        tap = FileIO(os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC), "r+")
    except OSError as error:
        missing = error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO)
        raise BenchError(
            "a TAP device for the virtual NIC",
            seen=f"open: {error.strerror}",
            where=_DEVICE,
            next_step="load the kernel module tun, and let the container have the device (--device /dev/net/tun)"
            if missing
            else f"give this user read and write on {_DEVICE}",
        ) from error
    try:
        fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", interface.encode(), _TAP | _NO_PI | _VNET_HDR))
        fcntl.ioctl(tap, _TUNSETOFFLOAD, offloads.flags())
    except OSError as error:
        tap.close()
        raise BenchError(
            "a TAP device for the virtual NIC",
            seen=f"TUNSETIFF: {error.strerror}",
            where=_DEVICE,
            next_step="run with CAP_NET_ADMIN in the namespace, as root or in a user namespace",
        ) from error
    return tap
