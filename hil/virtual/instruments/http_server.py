"""Outlets behind HTTP: NETIO, Shelly, Digital Loggers and Redfish interfaces to the same relays."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
from typing import Any
from urllib.parse import parse_qs

from hil.virtual.instruments.pdu import Pdu
from hil.virtual.instruments.server import LONGEST_MESSAGE_BYTES, TcpServer
from hil.wait import async_pause

_REALM = "hil"


class HttpPdu(TcpServer):
    """``pdu`` is the rack of outlets; with ``password``, digest logon is asked for (RFC 7616, MD5)."""

    def __init__(self, pdu: Pdu, *, user: str = "", password: str = "") -> None:
        super().__init__()
        self.pdu, self._user, self._password = pdu, user, password
        self.late_s = 0.0
        self.passing: str | None = None
        """A Redfish state in between, such as PoweringOn."""
        self._nonce = secrets.token_hex(8)

    @property
    def resource(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, _ = head.split("\r\n")[0].split(" ", 2)
            headers = {key.lower(): value for key, value in re.findall(r"^([^:\r\n]+): *(.*?)\r?$", head, re.MULTILINE)}
            size = int(headers.get("content-length", "0"))
            body = (await reader.readexactly(min(size, LONGEST_MESSAGE_BYTES))).decode()
            status, answer = self._answer(method, path, headers, body)
        except (asyncio.LimitOverrunError, ValueError, KeyError, TypeError):
            status, answer = 400, None
        if self.late_s:
            await async_pause(self.late_s)
        writer.write(self._response(status, answer))
        await writer.drain()

    def _response(self, status: int, answer: Any) -> bytes:
        body = b"" if answer is None else json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} -\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
        head += "Content-Type: application/json\r\n"
        if status == 401:
            head += f'WWW-Authenticate: Digest realm="{_REALM}", nonce="{self._nonce}", qop="auth"\r\n'
        return head.encode() + b"\r\n" + body

    def _answer(self, method: str, path: str, headers: dict[str, str], body: str) -> tuple[int, Any]:
        if self._password and not self._logged_on(method, headers.get("authorization", "")):
            return 401, None
        if path == "/netio.json":
            return self._netio(method, body)
        if path == "/rpc" and method == "POST":
            return self._shelly(json.loads(body))
        if path.startswith("/restapi/"):
            return self._dli(method, path, body, headers)
        return self._redfish(method, path, body)

    def _logged_on(self, method: str, sent: str) -> bool:
        given = {key: quoted or plain for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^ ,]*))', sent)}
        known = _md5(f"{self._user}:{_REALM}:{self._password}")
        asked = _md5(f"{method}:{given.get('uri', '')}")
        middle = ":".join(given.get(key, "") for key in ("nonce", "nc", "cnonce", "qop"))
        return given.get("nonce") == self._nonce and given.get("response") == _md5(f"{known}:{middle}:{asked}")

    def _set(self, outlet: int, on: bool) -> bool:
        if outlet not in self.pdu.relays:
            return False
        self.pdu.switch(outlet, on)
        return True

    def _netio(self, method: str, body: str) -> tuple[int, Any]:
        if method == "POST":
            for output in json.loads(body)["Outputs"]:
                if output["Action"] in (0, 1):
                    self._set(output["ID"], output["Action"] == 1)
        outputs = [
            {"ID": number, "Name": f"output_{number}", "State": int(relay.contact), "Action": 6}
            for number, relay in self.pdu.relays.items()
        ]
        return 200, {"Agent": {"Model": "PowerPDU 4C", "SerialNumber": "24A42C000001"}, "Outputs": outputs}

    def _shelly(self, call: dict[str, Any]) -> tuple[int, Any]:
        """Channels count from 0."""
        outlet = call.get("params", {}).get("id", 0) + 1
        if call["method"] == "Shelly.GetDeviceInfo":
            return 200, {"id": call["id"], "result": {"id": "shellypro1-0001", "model": "SPSW-001XE16EU"}}
        if outlet not in self.pdu.relays:
            return 200, {"id": call["id"], "error": {"code": -105, "message": f"id {outlet - 1} not found"}}
        was_on = self.pdu.relays[outlet].contact
        if call["method"] == "Switch.Set":
            self._set(outlet, call["params"]["on"])
            return 200, {"id": call["id"], "result": {"was_on": was_on}}
        return 200, {"id": call["id"], "result": {"id": outlet - 1, "output": was_on}}

    def _dli(self, method: str, path: str, body: str, headers: dict[str, str]) -> tuple[int, Any]:
        """Outlets count from 0; a write needs the X-CSRF header."""
        if path == "/restapi/config/":
            return 200, {"model": "Pro", "serial": "DLI0001"}
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

    def _redfish(self, method: str, path: str, body: str) -> tuple[int, Any]:
        if method == "GET" and path == "/redfish/v1/Systems/1":
            state = self.passing or ("On" if self.pdu.relays[1].contact else "Off")
            return 200, {"Model": "Virtual BMC", "SerialNumber": "BMC0001", "PowerState": state}
        if method == "POST" and path == "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset":
            wanted = {"On": True, "ForceOff": False}.get(json.loads(body)["ResetType"])
            if wanted is None:
                return 400, None
            self._set(1, wanted)
            return 204, None
        return 404, None


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
