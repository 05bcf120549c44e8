"""The management engine of the virtual machine: Intel AMT's power control by WS-Management (DSP0226, DSP1027).

It lives on standby power: without mains nothing answers. It reads envelopes by itself, and refuses what a real one
refuses: a header that must be understood and is missing, a service or machine that it is not.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from xml.etree import ElementTree

from hil.virtual.instruments.http_server import HttpServer
from hil.virtual.instruments.machine_port import MachinePort
from hil.virtual.power_state import Power

_SOAP, _ADDRESSING = "http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_WSMAN, _CIM = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"
_GET = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"
_SERVICE, _SOAP_TYPE = "CIM_PowerManagementService", "application/soap+xml"
_STATES = {Power.ASLEEP: 4, Power.HIBERNATED: 7, Power.OFF: 8}
"""As CIM numbers them; everything else is 2, also the Modern Standby, in which the processor runs."""
_ON, _OFF = 2, 8
_DONE, _FAILED, _BAD_PARAMETER = 0, 2, 5


class AmtServer(HttpServer):
    """``serial`` is the machine's."""

    content_type = "application/soap+xml; charset=UTF-8"

    def __init__(
        self, machine: MachinePort, serial: str, *, user: str, password: str, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(user=user, password=password, tls=tls)
        self._machine, self._serial = machine, serial
        self.ignores_sets = False
        """Answers as if it obeyed, and does nothing."""

    async def restart(self) -> None:
        await self.drop_clients(reset=True)

    def rename(self, serial: str) -> None:
        self._serial = serial

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._machine.mains:
            raise ConnectionAbortedError
        await super()._converse(reader, writer)

    def _answer_to(self, method: str, path: str, headers: Mapping[str, str], body: str) -> tuple[int, bytes]:
        if (method, path) != ("POST", "/wsman") or not headers.get("content-type", "").startswith(_SOAP_TYPE):
            return 404, b""
        try:
            envelope = ElementTree.fromstring(body)
        except ElementTree.ParseError as error:
            raise ValueError("not XML") from error
        said = {
            "action": envelope.findtext(f"./{{{_SOAP}}}Header/{{{_ADDRESSING}}}Action"),
            "resource": envelope.findtext(f"./{{{_SOAP}}}Header/{{{_WSMAN}}}ResourceURI"),
            "message": envelope.findtext(f"./{{{_SOAP}}}Header/{{{_ADDRESSING}}}MessageID"),
            "to": envelope.findtext(f"./{{{_SOAP}}}Header/{{{_ADDRESSING}}}To"),
        }  # fmt: skip
        if None in said.values():
            return 400, _envelope("<s:Fault/>")
        resource = str(said["resource"]).removeprefix(_CIM)
        if said["action"] == _GET and (found := self._instance(resource)):
            return 200, _envelope(_element(resource, resource, found))
        if said["action"] == f"{_CIM}{_SERVICE}/RequestPowerStateChange" and resource == _SERVICE:
            returned = self._request(envelope)
            return 200, _envelope(_element(_SERVICE, "RequestPowerStateChange_OUTPUT", {"ReturnValue": returned}))
        return 400, _envelope("<s:Fault/>")

    def _instance(self, resource: str) -> dict[str, object]:
        if resource == "CIM_Chassis":
            return {"Manufacturer": "HIL Lab", "Model": "Virtual PC", "SerialNumber": self._serial}
        if resource == "CIM_AssociatedPowerManagementService":
            return {"PowerState": _STATES.get(self._machine.power, _ON)}
        return {}

    def _request(self, envelope: ElementTree.Element) -> int:
        asked = f"./{{{_SOAP}}}Body/{{{_CIM}{_SERVICE}}}RequestPowerStateChange_INPUT"
        state = envelope.findtext(f"{asked}/{{{_CIM}{_SERVICE}}}PowerState")
        names = [one.text for one in envelope.iter(f"{{{_WSMAN}}}Selector") if one.get("Name") == "Name"]
        if names != ["Intel(r) AMT Power Management Service", "ManagedSystem"] or state not in ("2", "8"):
            return _BAD_PARAMETER
        off = self._machine.power is Power.OFF
        if state == str(_OFF) and off:
            return _FAILED
        if not self.ignores_sets:
            (self._machine.power_up if state == str(_ON) else self._machine.force_off)()
        return _DONE


def _element(resource: str, name: str, values: Mapping[str, object]) -> str:
    inside = "".join(f"<g:{key}>{value}</g:{key}>" for key, value in values.items())
    return f'<g:{name} xmlns:g="{_CIM}{resource}">{inside}</g:{name}>'


def _envelope(body: str) -> bytes:
    return f'<?xml version="1.0"?><s:Envelope xmlns:s="{_SOAP}"><s:Body>{body}</s:Body></s:Envelope>'.encode()
