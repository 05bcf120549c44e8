"""The control port of the virtual instruments: faults of connections and contacts while they run. Not SCPI.

A line of JSON in, a line out: ``{"instrument": "slot", "do": "freeze"}`` is answered ``{"ok": true}``, a mistake with
``{"error": "..."}``. What can be done:

==============  =====================================================================================
``next``        ``answers``: what becomes of the next ones: a value of :class:`~hil.virtual.instruments.server.Mishap`
``late``        ``seconds`` before each answer from now on
``freeze``      nothing is answered; what is sent is kept, and acted upon at ``thaw``
``thaw``
``cut``         end every connection by FIN, or by RST with ``reset``; SNMP has none
``gone``        stop listening and hang up, until ``back``
``back``        listen again on the same port
``restart``     the instrument itself loses power for a moment: defaults, and the power-on bit; relays of a PDU stay
``one_client``  refuse a second client while ``on``
``serial``      say another ``serial`` number when asked who it is
``ignore``      say yes to sets and do nothing while ``on``
``weld``        the contacts stay where they are while ``on``, and read back as commanded all the same
``unknown``     a PDU reads a position that is neither on nor off while ``on`` (by SNMP only)
``delay``       a PDU waits ``seconds`` between a command and its relay
==============  =====================================================================================
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from hil.virtual.instruments.pdu import Pdu
from hil.virtual.instruments.quarch_server import Torridon
from hil.virtual.instruments.relay import RelayUnit
from hil.virtual.instruments.server import InstrumentServer, Mishap, Server, TcpServer


class ControlPort(TcpServer):
    """Over the servers of one bench, by role."""

    def __init__(self, servers: Mapping[str, Server]) -> None:
        super().__init__()
        self._servers = servers

    @property
    def resource(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            try:
                order = json.loads(line)
                await self._obey(self._servers[order.pop("instrument")], order.pop("do"), order)
                answer: dict[str, object] = {"ok": True}
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()

    async def _obey(self, server: Server, verb: str, order: Mapping[str, Any]) -> None:
        habits = server.habits
        match verb:
            case "next":
                habits.mishaps.extend(Mishap(kind) for kind in order["answers"])
            case "late":
                habits.late_s = float(order["seconds"])
            case "freeze":
                habits.thawed.clear()
            case "thaw":
                habits.thawed.set()
            case "one_client":
                habits.one_client = bool(order["on"])
            case "cut":
                await server.drop_clients(reset=bool(order.get("reset", False)))
            case "gone":
                await server.close()
            case "back":
                await server.start()
            case "restart":
                await server.restart()
            case "serial":
                server.rename(str(order["serial"]))
            case _:
                self._spoil(_switches(server), verb, order)

    def _spoil(self, switches: RelayUnit | Torridon | Pdu, verb: str, order: Mapping[str, Any]) -> None:
        match verb:
            case "ignore":
                switches.ignores_sets = bool(order["on"])
            case "weld":
                for relay in switches.relays.values():
                    relay.welded = bool(order["on"])
            case "unknown":
                _pdu(switches).unknown = bool(order["on"])
            case "delay":
                _pdu(switches).delay_s = float(order["seconds"])
            case _:
                raise ValueError(f"no such thing to do: {verb}")


def _switches(server: Server) -> RelayUnit | Torridon | Pdu:
    found = server.device if isinstance(server, InstrumentServer) else getattr(server, "pdu", None)
    if not isinstance(found, RelayUnit | Torridon | Pdu):
        raise TypeError("only relays can do that")
    return found


def _pdu(switches: RelayUnit | Torridon | Pdu) -> Pdu:
    if not isinstance(switches, Pdu):
        raise TypeError("only a PDU can do that")
    return switches
