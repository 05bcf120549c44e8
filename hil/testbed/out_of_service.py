"""Why no run may start on a bench: it was quarantined by a run, or tripped by an emergency off.

A file beside the bench's lease says so until a person clears it with ``hil bench release``.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from hil.clock import utc_now
from hil.testbed.model import Testbed
from hil.testbed.state import machine_folder, open_shared, user_name


class Reason(StrEnum):
    QUARANTINED = "quarantined"
    """Nothing that hil can do brought it back."""
    TRIPPED = "tripped"
    """A person switched it off in an emergency."""


@dataclass(frozen=True)
class OutOfService:
    """``since`` is UTC in ISO 8601."""

    reason: Reason
    cause: str
    by: str
    since: str

    def __str__(self) -> str:
        return f"{self.reason} by {self.by} at {self.since}: {self.cause}"


def out_of_service(testbed: Testbed) -> OutOfService | None:
    """None for a bench that may be used. A note that cannot be read keeps the bench out: a person must look."""
    path = _path(testbed)
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        return OutOfService(**{**noted, "reason": Reason(noted["reason"])})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        return OutOfService(Reason.QUARANTINED, f"its note {path} cannot be read: {error}", "nobody knows", "")


def take_out(testbed: Testbed, reason: Reason, cause: str) -> OutOfService:
    """From now on no run starts here. A tripped bench stays tripped. Raises UsageError where it cannot be written."""
    known = out_of_service(testbed)
    if known is not None and known.reason is Reason.TRIPPED:
        return known
    by, since = f"{user_name()}@{socket.gethostname()}", utc_now().isoformat(timespec="seconds")
    note, path = OutOfService(reason, cause, by, since), _path(testbed)
    fresh = path.with_suffix(f".{os.getpid()}")
    with open_shared(fresh) as file:
        json.dump(asdict(note), file)
    fresh.replace(path)
    return note


def put_back(testbed: Testbed) -> OutOfService | None:
    """Clear it; comes back with what was cleared."""
    known = out_of_service(testbed)
    _path(testbed).unlink(missing_ok=True)
    return known


def _path(testbed: Testbed) -> Path:
    return machine_folder(testbed) / "out-of-service"
