"""A run tells those who watch it that it lives, by the time of change of its journal; as leases do."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hil.clock import utc_now

BEAT_S, SILENT_S = 5.0, 20.0
"""How often; and after how long a run counts as one that no longer answers."""


@contextmanager
def beating(path: Path) -> Iterator[None]:
    """Touch the file while the block runs, from a thread of its own: also when a test waits for minutes."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_S) and path.exists():
            os.utime(path)

    heart = threading.Thread(target=beat, name="hil heartbeat", daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()


def silent_s(path: Path) -> float:
    """Seconds since the last sign of life. OSError passes through."""
    return utc_now().timestamp() - path.stat().st_mtime
