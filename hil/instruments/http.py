"""Outlets, relays and management controllers that speak JSON over HTTP, as tables of requests.

``{channel}`` in a path, body or pointer is the testbed's channel; a pointer leads through a JSON answer by key, or into
a list by ``KEY=VALUE``. An answer of 200 proves nothing: the position is always read back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hil.instruments.http_client import HttpClient
from hil.instruments.roles import Identity, Switch
from hil.instruments.session import InstrumentLost, InstrumentRefused, WrongInstrument
from hil.journal import Journal
from hil.testbed.model import Instrument

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
        return HttpContact(HttpClient(name, spec, journal), self, spec)


class HttpContact:
    """One outlet, relay or system. After an answer that did not come, it is asked anew who it is."""

    def __init__(self, client: HttpClient, table: HttpSwitch, spec: Instrument) -> None:
        self._client, self._table, self._spec = client, table, spec
        self._identity: Identity | None = None

    @property
    def identity(self) -> Identity:
        if self._identity is None:
            answer = self._ask(self._table.identify)
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
        state = self._at(self._ask(self._table.read), self._table.state)
        if any(state == value and type(state) is type(value) for value in self._table.on_values):
            return Switch.ON
        off = any(state == value and type(state) is type(value) for value in self._table.off_values)
        return Switch.OFF if off else Switch.UNKNOWN

    def set(self, on: bool) -> None:
        self.identity  # noqa: B018
        answer = self._ask(self._table.on if on else self._table.off)
        if isinstance(answer, dict) and answer.get("error"):
            seen = str(answer["error"])
            raise InstrumentRefused(f"{self._client.name} to switch", seen=seen, where=self._client.base)

    def close(self) -> None:
        """Each request has a connection of its own."""

    def _ask(self, request: Request) -> Any:
        """The JSON of the answer, or None for an empty one."""
        path, body = (text.replace("{channel}", self._spec.channel) for text in (request.path, request.body))
        content_type = "application/x-www-form-urlencoded" if request.form else "application/json"
        described = {"Content-Type": content_type, "Accept": "application/json"} if body else {}
        headers = {**self._table.headers, **described}
        try:
            return self._client.exchange(request.method, path, body, headers=headers, read=_json)
        except InstrumentLost:
            self._identity = None
            raise

    def _at(self, answer: Any, pointer: Pointer) -> Any:
        """What the pointer leads to, or None."""
        for step in pointer:
            key, _, value = step.replace("{channel}", self._spec.channel).partition("=")
            if isinstance(answer, list):
                answer = next((one for one in answer if isinstance(one, dict) and str(one.get(key)) == value), None)
            else:
                answer = answer.get(key) if isinstance(answer, dict) else None
        return answer


def _json(answer: bytes) -> Any:
    return json.loads(answer) if answer.strip() else None
