"""An SNMP agent with switched outlets (RFC 1157): an APC rack PDU of either generation, or a Raritan PX.

It reads and writes BER by itself; the client in :mod:`hil.instruments` uses a library.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hil.virtual.instruments.pdu import Pdu
from hil.virtual.instruments.server import Habits, Mishap
from hil.wait import async_pause

_INTEGER, _OCTETS, _NULL, _OID, _SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
_GET, _RESPONSE, _SET = 0xA0, 0xA2, 0xA3
_NO_SUCH_NAME, _BAD_VALUE = 2, 3


def _tlv(tag: int, value: bytes) -> bytes:
    size = len(value)
    length = bytes([size]) if size < 128 else bytes([0x80 | (size.bit_length() + 7) // 8]) + _unsigned(size)
    return bytes([tag]) + length + value


def _unsigned(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _take(data: bytes, tag: int | None = None) -> tuple[int, bytes, bytes]:
    """Tag, value and rest. Raises ValueError when it is cut short or is not ``tag``."""
    if len(data) < 2:
        raise ValueError("cut short")
    size, at = data[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(data[2:at], "big")
    if len(data) < at + size or (tag is not None and data[0] != tag):
        raise ValueError("not what was expected")
    return data[0], data[at : at + size], data[at + size :]


def _integer(value: int) -> bytes:
    return _tlv(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _object_id(text: str) -> bytes:
    first, second, *rest = (int(part) for part in text.split("."))
    encoded = bytes([40 * first + second])
    for part in rest:
        groups = [part & 0x7F]
        while part := part >> 7:
            groups.append(0x80 | (part & 0x7F))
        encoded += bytes(reversed(groups))
    return _tlv(_OID, encoded)


@dataclass(frozen=True)
class Tree:
    """The numbers of one vendor's tree; ``description`` holds the place of the serial number, if it names one."""

    description: str
    object_id: str
    control: str
    state: str
    on: int
    off: int
    reads_on: int
    reads_off: int
    cancel: int | None = None
    later_on: int | None = None
    later_off: int | None = None
    serial: str = ""


APC_RPDU = Tree(
    "APC Web/SNMP Management Card (MN:AP7921B HR:B2 SN: {serial})", "1.3.6.1.4.1.318.1.3.4.5",
    "1.3.6.1.4.1.318.1.1.12.3.3.1.1.4", "1.3.6.1.4.1.318.1.1.12.3.5.1.1.4", 1, 2, 1, 2, 7, 4, 5, "5A1901E00001",
)  # fmt: skip
APC_RPDU2 = Tree(
    "APC Web/SNMP Management Card (MN:AP8932 HR:02 SN: {serial})", "1.3.6.1.4.1.318.1.3.4.6",
    "1.3.6.1.4.1.318.1.1.26.9.2.4.1.5", "1.3.6.1.4.1.318.1.1.26.9.2.4.1.5", 1, 2, 1, 2, 8, 5, 6, "3F0000A00001",
)  # fmt: skip
RARITAN_PX2 = Tree(
    "Raritan PX2", "1.3.6.1.4.1.13742.6",
    "1.3.6.1.4.1.13742.6.4.1.2.1.2.1", "1.3.6.1.4.1.13742.6.4.1.2.1.3.1", 1, 0, 7, 8,
)  # fmt: skip
SWITCH_PORT = Tree(
    "a managed switch", "1.3.6.1.4.1.9.1.1", "1.3.6.1.2.1.2.2.1.7", "1.3.6.1.2.1.2.2.1.8", 1, 2, 1, 2
)  # fmt: skip


class SnmpServer(asyncio.DatagramProtocol):
    """Answers one variable a message. A wrong community gets no answer, as from a real agent.

    Of the habits an agent without connections knows silence, half and spoilt answers, lateness and frost.
    """

    def __init__(self, pdu: Pdu, tree: Tree, community: str) -> None:
        self.pdu, self._tree, self._community = pdu, tree, community.encode()
        self.habits = Habits()
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def resource(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", self.port))
        self.port = self._transport.get_extra_info("sockname")[1]

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        for task in self._tasks:
            task.cancel()

    async def drop_clients(self, *, reset: bool = False) -> None:  # noqa: ARG002 - other servers have some
        raise TypeError("SNMP has no connections")

    async def restart(self) -> None:
        """What is under way is forgotten."""
        self.pdu.restart()

    def rename(self, serial: str) -> None:
        self.pdu.serial = serial

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, data: bytes, addr: tuple[str, int]) -> None:
        await self.habits.thawed.wait()
        mishap = self.habits.next()
        if mishap is Mishap.LOST:
            return
        try:
            answer = self._answer(data)
        except ValueError:
            return
        await async_pause(self.habits.late_s)
        if answer and mishap is not Mishap.SILENT and self._transport is not None:
            self._transport.sendto(mishap.of(answer), addr)
        if mishap is Mishap.FREEZE:
            self.habits.thawed.clear()

    def _answer(self, data: bytes) -> bytes | None:
        _, message, _ = _take(data, _SEQUENCE)
        _, version, rest = _take(message, _INTEGER)
        _, community, rest = _take(rest, _OCTETS)
        operation, pdu, _ = _take(rest)
        if community != self._community or operation not in (_GET, _SET):
            return None
        _, number, rest = _take(pdu, _INTEGER)
        _, _, rest = _take(rest, _INTEGER)
        _, _, rest = _take(rest, _INTEGER)
        _, variables, _ = _take(rest, _SEQUENCE)
        _, variable, _ = _take(variables, _SEQUENCE)
        _, name, value = _take(variable, _OID)
        status, value = self._act(operation, name, value)
        bindings = _tlv(_SEQUENCE, _tlv(_SEQUENCE, _tlv(_OID, name) + value))
        body = _tlv(_INTEGER, number) + _integer(status) + _integer(1 if status else 0) + bindings
        header = _tlv(_INTEGER, version) + _tlv(_OCTETS, community)
        return _tlv(_SEQUENCE, header + _tlv(_RESPONSE, body))

    def _act(self, operation: int, name: bytes, value: bytes) -> tuple[int, bytes]:
        """Error status and the value to answer with."""
        object_id = _dotted(name)
        if operation == _GET:
            found = self._get(object_id)
            return (0, found) if found is not None else (_NO_SUCH_NAME, _tlv(_NULL, b""))
        _, content, _ = _take(value, _INTEGER)
        return self._set(object_id, int.from_bytes(content, "big", signed=True)), value

    def _get(self, object_id: str) -> bytes | None:
        """The encoded value, or None when there is no such object."""
        tree = self._tree
        if object_id == "1.3.6.1.2.1.1.1.0":
            return _tlv(_OCTETS, tree.description.format(serial=self.pdu.serial or tree.serial).encode())
        if object_id == "1.3.6.1.2.1.1.2.0":
            return _object_id(tree.object_id)
        outlet = self._outlet(object_id, tree.state)
        if outlet is None:
            return None
        on = self.pdu.is_on(outlet)
        return _integer(99 if self.pdu.unknown else tree.reads_on if on else tree.reads_off)

    def _set(self, object_id: str, value: int) -> int:
        """The error status."""
        tree, outlet = self._tree, self._outlet(object_id, self._tree.control)
        if outlet is None:
            return _NO_SUCH_NAME
        if value in (tree.on, tree.off):
            self.pdu.switch(outlet, value == tree.on)
        elif value in (tree.later_on, tree.later_off):
            self.pdu.switch_later(outlet, value == tree.later_on)
        elif value == tree.cancel:
            self.pdu.cancel(outlet)
        else:
            return _BAD_VALUE
        return 0

    def _outlet(self, object_id: str, column: str) -> int | None:
        prefix, _, outlet = object_id.rpartition(".")
        return int(outlet) if prefix == column and int(outlet) in self.pdu.relays else None


def _dotted(encoded: bytes) -> str:
    if not encoded:
        raise ValueError("an empty object identifier")
    parts, part = [encoded[0] // 40, encoded[0] % 40], 0
    for byte in encoded[1:]:
        part = part << 7 | byte & 0x7F
        if not byte & 0x80:
            parts.append(part)
            part = 0
    return ".".join(map(str, parts))
