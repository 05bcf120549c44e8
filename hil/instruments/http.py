"""Outlets, relays and management controllers that speak JSON over HTTP, as tables of requests.

``{channel}`` in a path, body or pointer is the testbed's channel; a pointer leads through a JSON answer by key, or into
a list by ``KEY=VALUE``. An answer of 200 proves nothing: the position is always read back.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hil.clock import Deadline, now_s
from hil.instruments.roles import Identity, Switch
from hil.instruments.session import InstrumentLost, InstrumentRefused, WrongInstrument
from hil.journal import Journal
from hil.testbed.model import Instrument
from hil.testbed.secret import reveal

_LONGEST_ANSWER_BYTES = 1 << 20
Pointer = tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """``body`` is JSON text, or form text where ``form`` is set; of its braces only {channel} is filled in."""

    method: str
    path: str
    body: str = ""
    form: bool = False


@dataclass(frozen=True)
class HttpSwitch:
    """How one make is asked and told. ``identity`` leads to model and serial number in the answer to ``identify``."""

    vendor: str
    identify: Request
    model: Pointer
    serial: Pointer
    on: Request
    off: Request
    read: Request
    state: Pointer
    on_values: tuple[Any, ...] = (True,)
    off_values: tuple[Any, ...] = (False,)
    models: str = ""
    """What the model must contain."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def contact(self, name: str, spec: Instrument, journal: Journal) -> HttpContact:
        password = ""
        if spec.secret is not None:
            password = reveal(spec.secret, f"instruments.{name}.secret")
            journal.mask(password)
        return HttpContact(HttpClient(name, spec, password, self.headers, journal), self, spec)


class HttpClient:
    """One request at a time, each on a connection of its own and bounded; basic or digest logon, as asked for."""

    def __init__(
        self, name: str, spec: Instrument, password: str, headers: Mapping[str, str], journal: Journal
    ) -> None:
        self.name, self.base = name, spec.resource.rstrip("/")
        self._timeout_s, self._headers, self._journal = spec.timeout_s, headers, journal
        self._lock = threading.Lock()
        logons = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        logons.add_password(None, self.base, spec.user or "", password)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPDigestAuthHandler(logons), urllib.request.HTTPBasicAuthHandler(logons),
        )  # fmt: skip

    def ask(self, request: Request, channel: str) -> Any:
        """The JSON of the answer, or None for an empty one."""
        path, body = (text.replace("{channel}", channel) for text in (request.path, request.body))
        content_type = "application/x-www-form-urlencoded" if request.form else "application/json"
        headers = {"Content-Type": content_type, "Accept": "application/json", **self._headers} if body else {}
        asked = urllib.request.Request(
            self.base + path, method=request.method, data=body.encode() or None, headers={**self._headers, **headers}
        )
        what, started_s, answer = f"{request.method} {path}", now_s(), b""
        try:
            with self._lock:
                answer = self._read(asked)
            found = json.loads(answer) if answer.strip() else None
        except urllib.error.HTTPError as error:
            self._note(what, started_s, body=body, error=str(error))
            with error:
                raise InstrumentRefused(
                    f"{self.name} to obey {what}", seen=str(error), where=self.base,
                    next_step="check channel, user and secret, and that the unit allows writing",
                ) from error  # fmt: skip
        except (OSError, ValueError) as error:  # URLError is an OSError; bad JSON a ValueError
            self._note(what, started_s, body=body, error=str(error))
            raise InstrumentLost(
                f"{self.name} to answer {what}", seen=f"{type(error).__name__}: {error}", where=self.base,
                tried=f"for {now_s() - started_s:.1f} s", next_step="see that it is on and reachable",
            ) from error  # fmt: skip
        self._note(what, started_s, body=body, reply=answer[:500].decode("utf-8", errors="replace"))
        return found

    def _read(self, asked: urllib.request.Request) -> bytes:
        deadline, answer = Deadline(self._timeout_s), b""
        with self._opener.open(asked, timeout=self._timeout_s) as response:
            while chunk := response.read1(65536):
                answer += chunk
                if deadline.expired or len(answer) > _LONGEST_ANSWER_BYTES:
                    raise TimeoutError("the answer does not end")
        return answer

    def _note(self, what: str, started_s: float, **fields: object) -> None:
        fields["duration_s"] = round(now_s() - started_s, 6)
        self._journal.event("instrument", f"{self.name}: {what}", resource=self.base, **fields)


class HttpContact:
    """One outlet, relay or system."""

    def __init__(self, client: HttpClient, table: HttpSwitch, spec: Instrument) -> None:
        self._client, self._table, self._spec = client, table, spec
        self._identity: Identity | None = None

    @property
    def identity(self) -> Identity:
        if self._identity is None:
            answer = self._client.ask(self._table.identify, self._spec.channel)
            model, serial = (self._at(answer, pointer) for pointer in (self._table.model, self._table.serial))
            found = Identity(self._table.vendor, str(model or ""), str(serial or ""))
            if self._table.models.lower() not in found.model.lower() or self._spec.serial not in (None, found.serial):
                wanted = f"{self._table.vendor} {self._table.models} {self._spec.serial or ''}".strip()
                raise WrongInstrument(
                    f"{self._client.name} to be {wanted}", seen=str(found), where=self._client.base,
                    next_step="nothing was switched; compare family and address",
                )  # fmt: skip
            self._identity = found
        return self._identity

    def read(self) -> Switch:
        self.identity  # noqa: B018 - never ask or tell an instrument that was not proven
        state = self._at(self._client.ask(self._table.read, self._spec.channel), self._table.state)
        if any(state == value and type(state) is type(value) for value in self._table.on_values):
            return Switch.ON
        off = any(state == value and type(state) is type(value) for value in self._table.off_values)
        return Switch.OFF if off else Switch.UNKNOWN

    def set(self, on: bool) -> None:
        self.identity  # noqa: B018
        answer = self._client.ask(self._table.on if on else self._table.off, self._spec.channel)
        if isinstance(answer, dict) and answer.get("error"):
            seen = str(answer["error"])
            raise InstrumentRefused(f"{self._client.name} to switch", seen=seen, where=self._client.base)

    def close(self) -> None:
        """Each request has a connection of its own."""

    def _at(self, answer: Any, pointer: Pointer) -> Any:
        """What the pointer leads to, or None."""
        for step in pointer:
            key, _, value = step.replace("{channel}", self._spec.channel).partition("=")
            if isinstance(answer, list):
                answer = next((one for one in answer if isinstance(one, dict) and str(one.get(key)) == value), None)
            else:
                answer = answer.get(key) if isinstance(answer, dict) else None
        return answer
