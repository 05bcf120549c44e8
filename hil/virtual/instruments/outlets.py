"""What may switch the machine's mains on a virtual bench: a relay unit, or a PDU by SNMP or HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hil.testbed.model import Instrument, Secret, Virtual
from hil.virtual.faults import Fault
from hil.virtual.instruments.http_pdu import HttpPdu
from hil.virtual.instruments.mains import HOLD_UP_S
from hil.virtual.instruments.pdu import Pdu
from hil.virtual.instruments.relay import Effect, RelayUnit, Wiring
from hil.virtual.instruments.server import Server
from hil.virtual.instruments.snmp_agent import APC_RPDU, APC_RPDU2, RARITAN_PX2, SnmpServer, Tree
from hil.virtual.instruments.vxi11_server import Vxi11Server

USER = "hil"
_CONTACTOR_S = 0.015


@dataclass(frozen=True)
class _Kind:
    """How a PDU is named in a testbed: family, serial number, first channel, and its tree if it speaks SNMP."""

    family: str
    serial: str | None
    first: int = 1
    tree: Tree | None = None


_PDUS = {
    "apc-rpdu": _Kind("apc-pdu", "5A1901E00001", tree=APC_RPDU),
    "apc-rpdu2": _Kind("apc-pdu", "3F0000A00001", tree=APC_RPDU2),
    "raritan-px": _Kind("raritan-px", None, tree=RARITAN_PX2),
    "netio": _Kind("netio", "24A42C000001"),
    "shelly-gen2": _Kind("shelly-gen2", "shellypro1-0001", first=0),
    "dli-pro": _Kind("dli-pro", "DLI0001", first=0),
}


def outlet_unit(
    config: Virtual, feeds: Sequence[Effect], faults: Fault, state_dir: Path
) -> tuple[Server, list[Instrument]]:
    """The unit, not yet started, and the testbed entry of each feed without its resource.

    PDUs want a community or a password, which is written to a file in ``state_dir``.
    """
    if config.outlet_family not in _PDUS:
        return _relay_unit(feeds, faults)
    kind = _PDUS[config.outlet_family]
    pdu = Pdu(dict(enumerate(feeds, start=1)), faults, delay_s=config.outlet_delay_s)
    password, secret = new_secret(state_dir, "outlet")
    server = SnmpServer(pdu, kind.tree, password) if kind.tree else HttpPdu(pdu, user=USER, password=password)
    entries = [
        Instrument(
            role="outlet", family=kind.family, resource="", channel=str(channel), serial=kind.serial,
            user=None if kind.tree else USER, secret=secret, min_off_s=_min_off_s(config.outlet_delay_s),
        )
        for channel in range(kind.first, kind.first + len(feeds))
    ]  # fmt: skip
    return server, entries


def new_secret(state_dir: Path, name: str) -> tuple[str, Secret]:
    """A password, and where a client finds it."""
    password, file = secrets.token_hex(8), state_dir / f"{name}-secret"
    file.touch(mode=0o600)
    file.write_text(password, encoding="ascii")
    return password, Secret(file=file)


def _relay_unit(feeds: Sequence[Effect], faults: Fault) -> tuple[Server, list[Instrument]]:
    """Relays that drive mains contactors."""
    wirings = tuple(
        Wiring("outlet", channel, feed, on=True, move_s=_CONTACTOR_S) for channel, feed in enumerate(feeds, 1001)
    )
    unit = RelayUnit(
        "Keysight Technologies", "34980A", "MY53150001", wirings=wirings, numbers=range(1001, 1009), faults=faults
    )
    entries = [
        Instrument(
            role="outlet", family="keysight-34980a", resource="", channel=str(one.channel), serial=unit.serial,
            min_off_s=_min_off_s(_CONTACTOR_S),
        )
        for one in wirings
    ]  # fmt: skip
    return Vxi11Server(unit), entries


def _min_off_s(opens_s: float) -> float:
    """Until the machine is without power for certain: the contact opens, the capacitors run down; with a reserve."""
    return opens_s + 3 * HOLD_UP_S
