"""Intel AMT (vPro) as an out-of-band power switch: WS-Management over HTTP port 16992 or HTTPS 16993, digest logon.

``RequestPowerStateChange`` and the numbers of power states are those of DMTF's Power State Management Profile (DSP1027,
table 2), the selectors Intel's; both as public drivers send them (fence-agents amt_ws, OpenStack Ironic). It was run
against the virtual controller, not against hardware. Unconfirmed: that every release fills in CIM_Chassis.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from hil.instruments.http_client import HttpClient
from hil.instruments.roles import Identity, Switch
from hil.instruments.session import InstrumentLost, InstrumentRefused, WrongInstrument
from hil.journal import Journal

if TYPE_CHECKING:
    from hil.testbed.model import Instrument

_CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"
_ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_GET = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"
_ENVELOPE = f"""<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="{_ADDRESSING}"
 xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header>
<a:Action s:mustUnderstand="true">{{action}}</a:Action><a:To s:mustUnderstand="true">{{to}}</a:To>
<w:ResourceURI s:mustUnderstand="true">{_CIM}{{resource}}</w:ResourceURI>
<a:MessageID s:mustUnderstand="true">uuid:{{number}}</a:MessageID>
<a:ReplyTo><a:Address>{_ADDRESSING}/role/anonymous</a:Address></a:ReplyTo>{{selectors}}
</s:Header><s:Body>{{body}}</s:Body></s:Envelope>"""
_SERVICE = "CIM_PowerManagementService"
_THIS_SERVICE = {
    "CreationClassName": _SERVICE, "Name": "Intel(r) AMT Power Management Service",
    "SystemCreationClassName": "CIM_ComputerSystem", "SystemName": "Intel(r) AMT",
}  # fmt: skip
_MACHINE = {"CreationClassName": "CIM_ComputerSystem", "Name": "ManagedSystem"}
_STATES = {2: Switch.ON, 6: Switch.OFF, 8: Switch.OFF}
"""Off hard and off soft; a machine that sleeps (3, 4) or hibernates (7) is neither on nor off."""
_ON, _OFF = 2, 8


@dataclass(frozen=True)
class Amt:
    """The dialect; the resource is ``http://host:16992`` or ``https://host:16993``."""

    def contact(self, name: str, spec: Instrument, journal: Journal) -> AmtContact:
        return AmtContact(HttpClient(name, spec, journal), spec.serial)


class AmtContact:
    """The machine's power as its management engine reports and switches it, whatever Windows does."""

    def __init__(self, client: HttpClient, serial: str | None) -> None:
        self._client, self._serial = client, serial
        self._identity: Identity | None = None

    @property
    def identity(self) -> Identity:
        """Of the machine it is part of."""
        if self._identity is None:
            found = self._get("CIM_Chassis")
            identity = Identity(found.get("Manufacturer", ""), found.get("Model", ""), found.get("SerialNumber", ""))
            if self._serial not in (None, identity.serial):
                raise WrongInstrument(
                    f"{self._client.name} in the machine with serial {self._serial}", seen=str(identity),
                    where=self._client.base, next_step="nothing was switched; compare the address",
                )  # fmt: skip
            self._identity = identity
        return self._identity

    def read(self) -> Switch:
        self.identity  # noqa: B018 - never ask or tell an instrument that was not proven
        state = self._get("CIM_AssociatedPowerManagementService").get("PowerState", "")
        return _STATES.get(int(state), Switch.UNKNOWN) if state.isdecimal() else Switch.UNKNOWN

    def set(self, on: bool) -> None:
        self.identity  # noqa: B018
        body = (
            f'<p:RequestPowerStateChange_INPUT xmlns:p="{_CIM}{_SERVICE}">'
            f"<p:PowerState>{_ON if on else _OFF}</p:PowerState><p:ManagedElement>"
            f"<a:Address>{_ADDRESSING}/role/anonymous</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{_CIM}CIM_ComputerSystem</w:ResourceURI>{_selectors(_MACHINE)}"
            "</a:ReferenceParameters></p:ManagedElement></p:RequestPowerStateChange_INPUT>"
        )
        action = f"{_CIM}{_SERVICE}/RequestPowerStateChange"
        answer = self._ask(_SERVICE, action, "RequestPowerStateChange_OUTPUT", _selectors(_THIS_SERVICE), body)
        if (returned := answer.get("ReturnValue")) != "0":
            raise InstrumentRefused(
                f"{self._client.name} to switch {'on' if on else 'off'}", seen=f"return value {returned}",
                where=self._client.base, next_step="see that remote control is enabled and not waiting for consent",
            )  # fmt: skip

    def close(self) -> None:
        """Each request has a connection of its own."""

    def _get(self, resource: str) -> dict[str, str]:
        return self._ask(resource, _GET, resource)

    def _ask(
        self, resource: str, action: str, wanted: str, selectors: str = "", body: str = ""
    ) -> dict[str, str]:
        """The properties of the ``wanted`` element in the answer's body."""
        envelope = _ENVELOPE.format(
            action=action, to=escape(f"{self._client.base}/wsman"), resource=resource, number=uuid.uuid4(),
            selectors=selectors, body=body,
        )  # fmt: skip
        headers = {"Content-Type": "application/soap+xml;charset=UTF-8"}
        try:
            return self._client.exchange(
                "POST", "/wsman", envelope, headers=headers, read=lambda answer: properties(answer, resource, wanted)
            )
        except InstrumentLost:
            self._identity = None
            raise


def _selectors(chosen: dict[str, str]) -> str:
    listed = "".join(f'<w:Selector Name="{name}">{value}</w:Selector>' for name, value in chosen.items())
    return f"<w:SelectorSet>{listed}</w:SelectorSet>"


def properties(answer: bytes, resource: str, wanted: str) -> dict[str, str]:
    """The children of the ``wanted`` element of a class. Raises ValueError for what is no such answer."""
    try:
        found = ElementTree.fromstring(answer).find(f".//{{{_CIM}{resource}}}{wanted}")
    except ElementTree.ParseError as error:
        raise ValueError(f"not XML: {error}") from error
    if found is None:
        raise ValueError(f"no {wanted} in the answer")
    return {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in found}
