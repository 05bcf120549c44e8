"""The one stream of what a run does and sees: console, log, timeline and report read it.

A record is one JSON object a line: ``t_s`` (monotonic seconds since the journal opened), ``utc``, ``kind``, ``what``,
``phase`` (``point``, ``start`` or ``end``), ``id`` and ``parent`` of the span, ``test`` (node id) and free fields.
Kinds in use: run, test, step, command (to Windows), instrument, traffic, capture, observation, wait, undo, failing (the
moment that a test went wrong), error (its verdict); and
what :mod:`hil.run.sampler` saw beside the test: sample, event (of Windows).
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from hil.clock import now_s, utc_now

Record = dict[str, Any]
Listener = Callable[[Record], None]
_encode = json.JSONEncoder(default=str, ensure_ascii=False).encode  # json.dumps would build one for each record
_OWN = {"kind", "phase", "verdict"}
"""Fields whose values are words of hil's own, which readers go by."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00")
"""As hil writes it; it holds whatever digits there are."""


def _in_json(text: str) -> str:
    return _encode(text)[1:-1]


class Journal:
    """Append-only, thread-safe; each record reaches the file before the call returns.

    Without a path the records go to listeners only. Writing raises nothing: a full disk ends the file, is kept as
    ``failure`` for the run to end on, and the journal goes on with its listeners, so that no undo falls to it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._file: IO[str] | None = (
            path.open("a", encoding="utf-8", errors="backslashreplace") if path else None
        )
        self._started_s = now_s()
        self._lock = threading.RLock()
        self._ids = itertools.count(1)
        self._local = threading.local()
        self._secrets: tuple[str, ...] = ()
        """In each form that text may have them, the longest first: one may be part of another."""
        self._in_json: tuple[str, ...] = ()
        self._listeners: list[Listener] = []
        self.test: str | None = None
        self.failure: OSError | None = None

    def mask(self, secret: str) -> None:
        """Never write this string: it is replaced by ``***`` in every later record."""
        if secret:
            forms = {*self._secrets, secret, repr(secret)[1:-1], _in_json(secret)}
            self._secrets = tuple(sorted(forms, key=len, reverse=True))
            self._in_json = tuple(map(_in_json, self._secrets))

    def masked(self, line: str) -> str:
        """A line of JSON without the strings given to :meth:`mask`; for whoever else writes what the run saw.

        Numbers, times and names of fields stay, so that it can be read, whatever the secret.
        """
        # most lines hold no secret, and to search is quick
        return _encode(self._masked_value(json.loads(line))) if any(map(line.__contains__, self._in_json)) else line

    def _masked_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value if _TIME.fullmatch(value) else self.masked_text(value)
        if isinstance(value, dict):
            return {
                key if key.isidentifier() else self.masked_text(key): one if key in _OWN else self._masked_value(one)
                for key, one in value.items()
            }
        return [self._masked_value(one) for one in value] if isinstance(value, list) else value

    def masked_text(self, text: str) -> str:
        """The same for text that people read, as it is or as Python or JSON would quote it."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with each record; returns the function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def event(self, kind: str, what: str, **fields: Any) -> None:
        """One thing that happened or was seen."""
        self._write("point", kind, what, next(self._ids), fields)

    @contextmanager
    def span(self, kind: str, what: str, **fields: Any) -> Iterator[Record]:
        """Something that lasts. The dict that is yielded takes fields for the end record."""
        span_id, started_s = next(self._ids), now_s()
        self._write("start", kind, what, span_id, fields)
        stack = self._stack()
        stack.append(span_id)
        outcome: Record = {}
        try:
            yield outcome
        except BaseException as error:
            outcome.setdefault("error", f"{type(error).__name__}: {error}")
            raise
        finally:
            stack.pop()
            self._write("end", kind, what, span_id, {**outcome, "duration_s": round(now_s() - started_s, 6)})

    @contextmanager
    def silence(self) -> Iterator[None]:
        """What this thread does inside leaves no records: readings for a sample, which is a record itself."""
        before, self._local.silent = getattr(self._local, "silent", False), True
        try:
            yield
        finally:
            self._local.silent = before

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _stack(self) -> list[int]:
        if not hasattr(self._local, "stack"):
            self._local.stack = []
        stack: list[int] = self._local.stack
        return stack

    def _write(self, phase: str, kind: str, what: str, record_id: int, fields: Record) -> None:
        if getattr(self._local, "silent", False):
            return
        stack = self._stack()
        record: Record = {
            "t_s": round(now_s() - self._started_s, 6), "utc": utc_now().isoformat(), "phase": phase, "kind": kind,
            "what": what, "id": record_id, "parent": stack[-1] if stack else None, "test": self.test, **fields,
        }  # fmt: skip
        with self._lock:
            line = self.masked(_encode(record))
            shown: Record = json.loads(line) if self._listeners else {}
            for listener in tuple(self._listeners):
                listener(shown)
            if self._file is not None:
                try:
                    self._file.write(line + "\n")
                    self._file.flush()
                except OSError as error:
                    self._file, self.failure = None, error
