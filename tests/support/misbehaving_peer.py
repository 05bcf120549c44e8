"""A real TCP server that misbehaves as instruments do in the field; one thread for each connection."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

IDENTITY = b"HIL Lab,Peer,P-1,1.0"


class Connection:
    """One client, seen from the instrument. ``number`` counts the connections from 1."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock, self.number = sock, number
        self._lines = sock.makefile("rb")

    def line(self) -> bytes:
        """The next message without its end; ends the conversation when the client has gone."""
        line = self._lines.readline()
        if not line:
            raise ConnectionResetError("client has gone")
        return line.rstrip(b"\r\n")

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def greet(self, identity: bytes = IDENTITY) -> None:
        """Answer what the guarded session asks at every open, up to the end of its error queue."""
        for _ in range(3):
            self.send(self.usual(self.line(), identity))

    @staticmethod
    def usual(message: bytes, identity: bytes = IDENTITY) -> bytes:
        """A good instrument's answer; a question of its own is answered with itself."""
        known = {b"*IDN?": identity, b"*ESR?": b"0", b"SYST:ERR?": b'0,"No error"'}
        return known.get(message, message) + b"\n"

    def serve(self) -> None:
        """Be a good instrument until the client goes."""
        while True:
            message = self.line()
            if message.endswith(b"?"):
                self.send(self.usual(message))

    def finish(self) -> None:
        """End the stream as a dying process does (FIN)."""
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._lines.close()  # it holds the socket open, too
        self.sock.close()


Behaviour = Callable[[Connection], None]


class Peer:
    """Runs ``behaviour`` for each connection until it returns; the connection then stays open, and silent."""

    def __init__(self, behaviour: Behaviour, *, port: int = 0) -> None:
        self._behaviour = behaviour
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.connections: list[Connection] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def resource(self) -> str:
        return f"TCPIP::127.0.0.1::{self.port}::SOCKET"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = Connection(sock, len(self.connections) + 1)
                self.connections.append(connection)
                threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: Connection) -> None:
        with suppress(OSError, ValueError):
            self._behaviour(connection)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
            connection._lines.close()
            connection.sock.close()


class Spent:
    """Wall and processor seconds of the calling thread."""

    wall_s = 0.0
    cpu_s = 0.0


@contextmanager
def spent() -> Iterator[Spent]:
    found, wall, cpu = Spent(), time.monotonic(), time.thread_time()
    yield found
    found.wall_s, found.cpu_s = time.monotonic() - wall, time.thread_time() - cpu
