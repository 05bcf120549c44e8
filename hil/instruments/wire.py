"""A TCP connection on which every wait ends at one deadline and the end of the stream is an error, never a spin."""

from __future__ import annotations

import re
import select
import socket
import sys
from collections.abc import Callable
from enum import Enum

from hil.clock import now_s
from hil.errors import UsageError

_KEEPALIVE_IDLE_S, _KEEPALIVE_PROBES = 5, 3


def host_and_port(resource: str, default_port: int) -> tuple[str, int]:
    """What ``host`` or ``host:port`` names. Raises UsageError for anything else."""
    found = re.fullmatch(r"([^:/]+)(?::(\d{1,5}))?", resource)
    port = int(found[2] or default_port) if found is not None else 0
    if found is None or not 0 < port < 1 << 16:
        raise UsageError(
            "the address of an instrument", seen=resource,
            next_step=f"write it like 192.0.2.10 or 192.0.2.10:{default_port}",
        )  # fmt: skip
    return found[1], port


class Health(Enum):
    """What lies on a connection on which nothing is awaited."""

    QUIET = "quiet"
    ENDED = "ended"
    UNREAD = "unread"
    """Bytes that nobody asked for: a late answer, or a second line."""


class Wire:
    """Connects at once, with ``TCP_NODELAY``, and raises OSError at the latest after ``timeout_s``.

    ``begin`` starts the clock of one exchange; what is sent and received until the next ``begin`` shares it.
    TimeoutError means the clock ran out, ConnectionError that the peer has gone.
    It has the methods of a socket that pyvisa-py's protocols use, so that these stand on it unchanged.
    """

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self.where = f"{host}:{port}"
        self._ends_s = now_s() + timeout_s
        self._socket = socket.create_connection((host, port), timeout=timeout_s)
        self._socket.setblocking(False)
        self._wait_to_read, self._wait_to_write = _waiter(self._socket, write=False), _waiter(self._socket, write=True)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):  # Linux; the system's default is two hours
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_IDLE_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)

    def begin(self, timeout_s: float) -> None:
        self._ends_s = now_s() + timeout_s

    def health(self) -> Health:
        """Look without waiting and without taking anything."""
        try:
            seen = self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return Health.QUIET
        except OSError:
            return Health.ENDED
        return Health.UNREAD if seen else Health.ENDED

    def recv(self, size: int) -> bytes:
        """At least one byte, at most ``size``."""
        self._wait(self._wait_to_read)
        data = self._socket.recv(size)
        if not data:
            raise self._ended()
        return data

    def recv_into(self, buffer: bytearray | memoryview, size: int = 0) -> int:
        self._wait(self._wait_to_read)
        count = self._socket.recv_into(buffer, size)
        if not count:
            raise self._ended()
        return count

    def recv_exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            data += self.recv(size - len(data))
        return bytes(data)

    def sendall(self, data: bytes | bytearray | memoryview) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                self._wait(self._wait_to_write)

    def settimeout(self, _seconds: float | None) -> None:
        """Ignored: a timeout for each call would let a peer that drips bytes hold the caller for ever."""

    def close(self) -> None:
        self._socket.close()

    def _wait(self, ready: Callable[[float], bool]) -> None:
        remaining_s = self._ends_s - now_s()
        if remaining_s <= 0 or not ready(remaining_s):
            raise TimeoutError(f"no complete answer from {self.where} in time")

    def _ended(self) -> ConnectionError:
        return ConnectionResetError(f"{self.where} closed the connection")


def _waiter(sock: socket.socket, *, write: bool) -> Callable[[float], bool]:
    """Waits for ``sock``; true when it is ready. Unlike select(), poll() takes descriptors above 1023."""
    if sys.platform == "win32":
        return lambda seconds: any(select.select([] if write else [sock], [sock] if write else [], [], seconds))
    poll = select.poll()
    poll.register(sock, select.POLLOUT if write else select.POLLIN)
    return lambda seconds: bool(poll.poll(seconds * 1000))
