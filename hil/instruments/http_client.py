"""Requests to an instrument behind HTTP or HTTPS, bounded, logged on, and on the journal."""

from __future__ import annotations

import http.client
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hil.clock import Deadline, now_s
from hil.errors import UsageError
from hil.instruments.session import InstrumentLost, InstrumentRefused
from hil.journal import Journal
from hil.testbed.model import Instrument
from hil.testbed.secret import reveal

_LONGEST_ANSWER_BYTES = 1 << 20
_SHOWN = 500
T = TypeVar("T")


class HttpClient:
    """One request at a time, each on a connection of its own; basic or digest logon, as the instrument asks for."""

    def __init__(self, name: str, spec: Instrument, journal: Journal) -> None:
        """Raises UsageError for a resource that is no address, a secret or a certificate that cannot be read."""
        self.name, self.base = name, _address(name, spec.resource)
        self._timeout_s, self._journal = spec.timeout_s, journal
        self._lock = threading.Lock()
        password = ""
        if spec.secret is not None:
            password = reveal(spec.secret, f"instruments.{name}.secret")
            journal.mask(password)
        logons = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        logons.add_password(None, self.base, spec.user or "", password)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_trust(name, spec)),
            _Digest(logons), urllib.request.HTTPBasicAuthHandler(logons),
        )  # fmt: skip

    def exchange(
        self, method: str, path: str, body: str = "", *, headers: Mapping[str, str], read: Callable[[bytes], T]
    ) -> T:
        """What ``read`` makes of the answer's content; its ValueError counts as no answer.

        Raises InstrumentRefused for an HTTP error, InstrumentLost for everything else.
        """
        asked = urllib.request.Request(
            self.base + path, method=method, data=body.encode() or None, headers=dict(headers)
        )
        what, started_s = f"{method} {path}", now_s()
        try:
            with self._lock:
                answer = self._read(asked)
            found = read(answer)
        except urllib.error.HTTPError as error:
            self._note(what, started_s, body=body[:_SHOWN], error=str(error))
            with error:
                raise InstrumentRefused(
                    f"{self.name} to obey {what}", seen=str(error), where=self.base,
                    next_step="check channel, user and secret, and that the unit allows writing",
                ) from error  # fmt: skip
        except (OSError, ValueError, http.client.HTTPException) as error:  # URLError is an OSError
            self._note(what, started_s, body=body[:_SHOWN], error=str(error))
            raise InstrumentLost(
                f"{self.name} to answer {what}", seen=f"{type(error).__name__}: {error}", where=self.base,
                tried=f"for {now_s() - started_s:.1f} s", next_step="see that it is on and reachable",
            ) from error  # fmt: skip
        self._note(what, started_s, body=body[:_SHOWN], reply=answer[:_SHOWN].decode("utf-8", errors="replace"))
        return found

    def _read(self, asked: urllib.request.Request) -> bytes:
        deadline, answer = Deadline(self._timeout_s), b""
        with self._opener.open(asked, timeout=self._timeout_s) as response:
            while chunk := response.read1(65536):
                answer += chunk
                if deadline.expired or len(answer) > _LONGEST_ANSWER_BYTES:
                    raise TimeoutError("the answer does not end")
            wanted = response.headers.get("Content-Length")
        if wanted is not None and len(answer) < int(wanted):
            raise ConnectionError(f"{len(answer)} of {wanted} bytes of an answer")
        return answer

    def _note(self, what: str, started_s: float, **fields: object) -> None:
        fields["duration_s"] = round(now_s() - started_s, 6)
        self._journal.event("instrument", f"{self.name}: {what}", resource=self.base, **fields)


class _Digest(urllib.request.HTTPDigestAuthHandler):
    """Closes the answer that asked for the logon; urllib leaves it, and its connection, to the garbage collector."""

    def http_error_401(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        fp.close()
        return super().http_error_401(req, fp, code, msg, headers)


def _address(name: str, resource: str) -> str:
    try:
        parts = urllib.parse.urlsplit(resource)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        good = False
    if not good:
        raise UsageError(
            f"the address of {name}", seen=resource, next_step="write it like http://192.0.2.10 or https://192.0.2.10:8443"
        )
    return resource.rstrip("/")


def _trust(name: str, spec: Instrument) -> ssl.SSLContext | None:
    """The certificate of the testbed alone, whatever name stands in it; without one, the computer's authorities."""
    if spec.certificate is None:
        return None
    try:
        context = ssl.create_default_context(cafile=spec.certificate)
    except OSError as error:  # SSLError is one
        raise UsageError(
            f"the certificate of {name}", seen=str(error), where=str(spec.certificate),
            next_step="write it as PEM: openssl s_client -connect HOST:PORT -showcerts",
        ) from error  # fmt: skip
    context.check_hostname = False
    context.verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN  # it need not be an authority
    return context
