"""Outlets and switch ports by SNMP (v1), as tables of object identifiers; the tree is told by ``sysObjectID``.

The same number means on in one tree and off in the next, so that an unknown tree is refused, not guessed. Messages are
BER (RFC 1157), encoded by asn1crypto.
"""

from __future__ import annotations

import re
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from asn1crypto.core import Any as AnyValue
from asn1crypto.core import Choice, Integer, Null, ObjectIdentifier, OctetString, Sequence, SequenceOf

from hil.clock import Deadline, now_s
from hil.errors import UsageError
from hil.instruments.roles import Identity, Switch
from hil.instruments.session import InstrumentLost, InstrumentRefused, WrongInstrument
from hil.instruments.wire import host_and_port
from hil.journal import Journal
from hil.testbed.model import Instrument
from hil.testbed.secret import reveal

_DESCRIPTION, _OBJECT_ID = "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0"
_PORT, _LARGEST_DATAGRAM, _SENDS = 161, 65535, 3
_STATUS = {1: "tooBig", 2: "noSuchName", 3: "badValue", 4: "readOnly", 5: "genErr"}


class _Variable(Sequence):  # type: ignore[misc]
    _fields = [("name", ObjectIdentifier), ("value", AnyValue)]


class _Variables(SequenceOf):  # type: ignore[misc]
    _child_spec = _Variable


class _Pdu(Sequence):  # type: ignore[misc]
    _fields = [("request_id", Integer), ("status", Integer), ("index", Integer), ("variables", _Variables)]


class _Operation(Choice):  # type: ignore[misc]
    _alternatives = [(name, _Pdu, {"implicit": tag}) for name, tag in (("get", 0), ("response", 2), ("set", 3))]


class _Message(Sequence):  # type: ignore[misc]
    _fields = [("version", Integer), ("community", OctetString), ("operation", _Operation)]


@dataclass(frozen=True)
class SnmpTree:
    """One vendor's numbers; ``{channel}`` stands for the outlet or port, ``cancel`` clears what is still pending."""

    object_id: str
    """``sysObjectID``, or its beginning."""
    vendor: str
    on: tuple[str, int]
    off: tuple[str, int]
    state: str
    on_states: tuple[int, ...]
    off_states: tuple[int, ...]
    cancel: tuple[str, int] | None = None


class SnmpAgent:
    """Questions to one agent. A datagram is repeated within the deadline, and an answer is known by its number.

    To repeat a set is safe here: it names a position, not a change.
    """

    def __init__(self, name: str, resource: str, community: str, journal: Journal, timeout_s: float) -> None:
        """Raises UsageError for a resource that is not ``host`` or ``host:port``."""
        self.name, self.resource = name, resource
        self._address, self._community = host_and_port(resource, _PORT), community
        self._journal, self._timeout_s = journal, timeout_s
        self._lock = threading.Lock()

    def get(self, object_id: str) -> int | str:
        """An integer, or text (object identifiers with dots)."""
        return self._ask("get", object_id, Null())

    def set(self, object_id: str, value: int) -> None:
        self._ask("set", object_id, Integer(value))

    def _ask(self, operation: str, object_id: str, value: Null | Integer) -> int | str:
        number, started_s = secrets.randbelow(1 << 31), now_s()
        pdu = {"request_id": number, "status": 0, "index": 0, "variables": [{"name": object_id, "value": value}]}
        asked = _Operation(name=operation, value=_Pdu(pdu))
        message = _Message({"version": 0, "community": self._community.encode(), "operation": asked})
        try:
            with self._lock:
                found = self._exchange(message.dump(), number)
        except OSError as error:
            self._note(operation, object_id, started_s, error=str(error))
            raise InstrumentLost(
                f"{self.name} to answer SNMP {operation} {object_id}", seen=f"{type(error).__name__}: {error}",
                where=self.resource, tried=f"{_SENDS} times in {now_s() - started_s:.1f} s",
                next_step="check address and community: an agent that does not know the community is silent",
            ) from error  # fmt: skip
        status, seen = found["status"].native, found["variables"][0]["value"].native
        self._note(operation, object_id, started_s, value=value.native, reply=seen, status=status)
        if status:
            raise InstrumentRefused(
                f"{self.name} to {operation} {object_id}", seen=_STATUS.get(status, f"error {status}"),
                where=self.resource, next_step="check the channel, and that the community may write",
            )  # fmt: skip
        return seen.decode("utf-8", errors="replace") if isinstance(seen, bytes) else seen

    def _exchange(self, datagram: bytes, number: int) -> _Pdu:
        deadline = Deadline(self._timeout_s)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
            agent.connect(self._address)
            for _ in range(_SENDS):
                agent.send(datagram)
                repeat = Deadline(min(self._timeout_s / _SENDS, deadline.remaining_s))
                while not repeat.expired:
                    agent.settimeout(max(repeat.remaining_s, 0.001))
                    try:
                        pdu = _parse(agent.recv(_LARGEST_DATAGRAM))
                    except (TimeoutError, ValueError):
                        continue  # nothing yet, or not SNMP
                    if pdu["request_id"].native == number:
                        return pdu
        raise TimeoutError("no answer")

    def _note(self, operation: str, object_id: str, started_s: float, **fields: object) -> None:
        what = f"{self.name}: {operation} {object_id}"
        fields["duration_s"] = round(now_s() - started_s, 6)
        self._journal.event("instrument", what, resource=self.resource, **fields)


def _parse(datagram: bytes) -> _Pdu:
    """The response in a datagram. Raises ValueError for anything else."""
    try:
        operation = _Message.load(datagram, strict=True)["operation"]
        if operation.name != "response" or len(operation.chosen["variables"]) != 1:
            raise ValueError("not a response to one variable")
        operation.chosen.native  # noqa: B018 - parses all of it
    except (TypeError, KeyError, IndexError, OverflowError) as error:
        raise ValueError("not an SNMP message") from error
    pdu: _Pdu = operation.chosen
    return pdu


class SnmpContact:
    """One outlet or port. The tree is looked for at first use, and an unknown one is refused.

    After an answer that did not come, who answers is looked for anew.
    """

    def __init__(self, agent: SnmpAgent, trees: tuple[SnmpTree, ...], spec: Instrument) -> None:
        self._agent, self._trees, self._spec = agent, trees, spec
        self._known: tuple[SnmpTree, Identity] | None = None

    @property
    def identity(self) -> Identity:
        return self._find()[1]

    def read(self) -> Switch:
        with self._else_forgotten():
            tree, _ = self._find()
            state = self._agent.get(self._oid(tree.state))
        if state in tree.on_states:
            return Switch.ON
        return Switch.OFF if state in tree.off_states else Switch.UNKNOWN

    def set(self, on: bool) -> None:
        with self._else_forgotten():
            tree, _ = self._find()
            if tree.cancel is not None:
                self._agent.set(self._oid(tree.cancel[0]), tree.cancel[1])
            object_id, value = tree.on if on else tree.off
            self._agent.set(self._oid(object_id), value)

    def close(self) -> None:
        """Datagrams leave nothing open."""

    def _oid(self, template: str) -> str:
        return template.format(channel=self._spec.channel)

    @contextmanager
    def _else_forgotten(self) -> Iterator[None]:
        try:
            yield
        except InstrumentLost:
            self._known = None
            raise

    def _find(self) -> tuple[SnmpTree, Identity]:
        if self._known is None:
            description, object_id = str(self._agent.get(_DESCRIPTION)), str(self._agent.get(_OBJECT_ID))
            tree = next((tree for tree in self._trees if f"{object_id}.".startswith(f"{tree.object_id}.")), None)
            named = dict(re.findall(r"\b(MN|SN): ?([^\s)]+)", description))  # as APC's cards describe themselves
            identity = Identity(
                tree.vendor if tree else "unknown", named.get("MN", description[:40]), named.get("SN", "")
            )
            if tree is None or self._spec.serial not in (None, identity.serial):
                wanted = f"serial {self._spec.serial}" if tree else "a known tree"
                raise WrongInstrument(
                    f"{self._agent.name} to be a unit with {wanted}", seen=f"{identity} (sysObjectID {object_id})",
                    where=self._agent.resource, next_step="nothing was switched; compare family and address",
                )  # fmt: skip
            if tree.cancel is not None:  # what an earlier user left waiting would switch at its own time
                self._agent.set(self._oid(tree.cancel[0]), tree.cancel[1])
            self._known = tree, identity
        return self._known


@dataclass(frozen=True)
class Snmp:
    """The dialect of a family of agents; the testbed's ``secret`` is the community."""

    trees: tuple[SnmpTree, ...]

    def contact(self, name: str, spec: Instrument, journal: Journal) -> SnmpContact:
        if spec.secret is None:
            raise UsageError(f"the SNMP community of {name}", seen="no secret", next_step="add secret: {env: NAME}")
        community = reveal(spec.secret, f"instruments.{name}.secret")
        journal.mask(community)
        return SnmpContact(SnmpAgent(name, spec.resource, community, journal, spec.timeout_s), self.trees, spec)
