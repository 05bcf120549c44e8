"""Instruments behind HTTP: one request a connection, a digest logon, and the habits that spoil it."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import ssl
from abc import abstractmethod
from collections.abc import Mapping

from hil.virtual.instruments.server import LONGEST_MESSAGE_BYTES, SpoiltServer

_REALM = "hil"


class HttpServer(SpoiltServer):
    """With ``password``, digest logon is asked for (RFC 7616, MD5); with ``tls``, it is HTTPS."""

    content_type: str

    def __init__(self, *, user: str = "", password: str = "", tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._user, self._password, self._tls = user, password, tls
        self._nonce = secrets.token_hex(8)

    @property
    def resource(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @abstractmethod
    def _answer_to(self, method: str, path: str, headers: Mapping[str, str], body: str) -> tuple[int, bytes]:
        """Status and content; ValueError, KeyError or TypeError for a bad request. Header names are lower case."""

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, _ = head.split("\r\n")[0].split(" ", 2)
            headers = {key.lower(): value for key, value in re.findall(r"^([^:\r\n]+): *(.*?)\r?$", head, re.MULTILINE)}
            size = int(headers.get("content-length", "0"))
            body = (await reader.readexactly(min(size, LONGEST_MESSAGE_BYTES))).decode()
            await self.habits.thawed.wait()
            if self._password and not self._logged_on(method, headers.get("authorization", "")):
                writer.write(self._response(401, b""))
                await reader.read()
                return
            status, content = self._answer_to(method, path, headers, body)
        except (asyncio.LimitOverrunError, ValueError, KeyError, TypeError):
            status, content = 400, b""
        await self._answer(writer, self._response(status, content))
        await reader.read()  # the client has all of it, or has given up

    def _response(self, status: int, content: bytes) -> bytes:
        head = f"HTTP/1.1 {status} -\r\nContent-Length: {len(content)}\r\nConnection: close\r\n"
        head += f"Content-Type: {self.content_type}\r\n"
        if status == 401:
            head += f'WWW-Authenticate: Digest realm="{_REALM}", nonce="{self._nonce}", qop="auth"\r\n'
        return head.encode() + b"\r\n" + content

    def _logged_on(self, method: str, sent: str) -> bool:
        given = {key: quoted or plain for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^ ,]*))', sent)}
        known = _md5(f"{self._user}:{_REALM}:{self._password}")
        asked = _md5(f"{method}:{given.get('uri', '')}")
        middle = ":".join(given.get(key, "") for key in ("nonce", "nc", "cnonce", "qop"))
        return given.get("nonce") == self._nonce and given.get("response") == _md5(f"{known}:{middle}:{asked}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
