"""Sockets of a machine that can fall asleep or lose its power."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any


def bound(port: int) -> socket.socket:
    """A socket bound to a loopback port (0: any), also beside another that is bound to it and does not listen."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setblocking(False)
    made.bind(("127.0.0.1", port))
    return made


class Gate:
    """A transport that can be frozen: what comes stays in the kernel's buffer, what goes waits here."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._frozen = False
        self._waiting = bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._frozen:
            self._waiting += data
        else:
            self._transport.write(data)

    def freeze(self) -> None:
        if not self._frozen:
            self._frozen = True
            with contextlib.suppress(RuntimeError):  # it is closing
                self._transport.pause_reading()

    def thaw(self) -> None:
        if self._frozen:
            self._frozen = False
            self._transport.write(bytes(self._waiting))
            self._waiting.clear()
            with contextlib.suppress(RuntimeError):
                self._transport.resume_reading()

    def reset(self) -> None:
        """Drop the connection with RST."""
        with contextlib.suppress(OSError):  # the client was faster
            self._transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        self._transport.abort()
