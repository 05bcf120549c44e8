"""Outlets behind HTTP: NETIO, Shelly, Digital Loggers and Redfish interfaces to the same relays."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from hil.virtual.instruments.http_server import HttpServer
from hil.virtual.instruments.pdu import Pdu

Answer = tuple[int, Any]
"""Status, and what becomes JSON; None for no content."""
_SERIALS = {"netio": "24A42C000001", "shelly": "shellypro1-0001", "dli": "DLI0001", "redfish": "BMC0001"}


class HttpPdu(HttpServer):
    """``pdu`` is the rack of outlets; its serial number, if it has one, stands for that of each make."""

    content_type = "application/json"

    def __init__(self, pdu: Pdu, *, user: str = "", password: str = "") -> None:
        super().__init__(user=user, password=password)
        self.pdu = pdu
        self.passing: str | None = None
        """A Redfish state in between, such as PoweringOn."""

    async def restart(self) -> None:
        await self.drop_clients(reset=True)
        self.pdu.restart()

    def rename(self, serial: str) -> None:
        self.pdu.serial = serial

    def _serial(self, make: str) -> str:
        return self.pdu.serial or _SERIALS[make]

    def _answer_to(self, method: str, path: str, headers: Mapping[str, str], body: str) -> tuple[int, bytes]:
        if path == "/netio.json":
            status, found = self._netio(method, body)
        elif path == "/rpc" and method == "POST":
            status, found = self._shelly(json.loads(body))
        elif path.startswith("/restapi/"):
            status, found = self._dli(method, path, body, headers)
        else:
            status, found = self._redfish(method, path, body)
        return status, b"" if found is None else json.dumps(found).encode()

    def _set(self, outlet: int, on: bool) -> bool:
        if outlet not in self.pdu.relays:
            return False
        self.pdu.switch(outlet, on)
        return True

    def _netio(self, method: str, body: str) -> Answer:
        if method == "POST":
            for output in json.loads(body)["Outputs"]:
                if output["Action"] in (0, 1):
                    self._set(output["ID"], output["Action"] == 1)
        outputs = [
            {"ID": number, "Name": f"output_{number}", "State": int(self.pdu.is_on(number)), "Action": 6}
            for number in self.pdu.relays
        ]
        return 200, {"Agent": {"Model": "PowerPDU 4C", "SerialNumber": self._serial("netio")}, "Outputs": outputs}

    def _shelly(self, call: dict[str, Any]) -> Answer:
        """Channels count from 0."""
        outlet = call.get("params", {}).get("id", 0) + 1
        if call["method"] == "Shelly.GetDeviceInfo":
            return 200, {"id": call["id"], "result": {"id": self._serial("shelly"), "model": "SPSW-001XE16EU"}}
        if outlet not in self.pdu.relays:
            return 200, {"id": call["id"], "error": {"code": -105, "message": f"id {outlet - 1} not found"}}
        was_on = self.pdu.is_on(outlet)
        if call["method"] == "Switch.Set":
            self._set(outlet, call["params"]["on"])
            return 200, {"id": call["id"], "result": {"was_on": was_on}}
        return 200, {"id": call["id"], "result": {"id": outlet - 1, "output": was_on}}

    def _dli(self, method: str, path: str, body: str, headers: Mapping[str, str]) -> Answer:
        """Outlets count from 0; a write needs the X-CSRF header."""
        if path == "/restapi/config/":
            return 200, {"model": "Pro", "serial": self._serial("dli")}
        found = re.fullmatch(r"/restapi/relay/outlets/(\d+)/(state|physical_state)/", path)
        if found is None or int(found[1]) + 1 not in self.pdu.relays:
            return 404, None
        outlet = int(found[1]) + 1
        if method == "PUT":
            if "x-csrf" not in headers or found[2] != "state":
                return 403, None
            self._set(outlet, parse_qs(body)["value"] == ["true"])
            return 204, None
        return 200, self.pdu.relays[outlet].contact

    def _redfish(self, method: str, path: str, body: str) -> Answer:
        if method == "GET" and path == "/redfish/v1/Systems/1":
            state = self.passing or ("On" if self.pdu.is_on(1) else "Off")
            return 200, {"Model": "Virtual BMC", "SerialNumber": self._serial("redfish"), "PowerState": state}
        if method == "POST" and path == "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset":
            wanted = {"On": True, "ForceOff": False}.get(json.loads(body)["ResetType"])
            if wanted is None:
                return 400, None
            self._set(1, wanted)
            return 204, None
        return 404, None
