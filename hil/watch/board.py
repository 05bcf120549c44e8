"""What all pages are shown, looked up once for all of them."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from hil.watch.runs import Runs

LOOK_S = 0.5


class Board:
    """A thread that looks at the runs; ``newer`` waits for what it sees."""

    def __init__(self, reports: Path) -> None:
        self._runs = Runs(reports)
        self._changed = threading.Condition()
        self._text, self._version, self._over = "", 0, False
        self._thread = threading.Thread(target=self._run, name="hil watch", daemon=True)

    def __enter__(self) -> Board:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join()

    def newer(self, version: int, timeout_s: float) -> tuple[int, str]:
        """Number and JSON of the newest state, as soon as it is another than ``version``; number -1 at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._version != version, timeout_s)
            return (-1 if self._over else self._version), self._text

    def _run(self) -> None:
        shown: object = None
        while not self._over:
            seen = self._runs.look()
            with self._changed:
                if (seen["now"], seen["past"]) != shown:
                    shown = seen["now"], seen["past"]
                    self._text, self._version = json.dumps(seen), self._version + 1
                    self._changed.notify_all()
                self._changed.wait_for(lambda: self._over, LOOK_S)
