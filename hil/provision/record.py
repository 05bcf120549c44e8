r"""What provisioning changed on a machine, kept where undo finds it: on the controller and on the machine itself.

The machine's copy (``C:\hil\provisioned.json``) counts; the controller's is used when the machine has none, and only
for the same host key, so that a reinstalled machine is not "put back" to what another Windows once was.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hil.errors import BenchError
from hil.remote import Command
from hil.windows import Machine, tools

REMOTE = rf"{tools.ROOT}\provisioned.json"
_VERSION = 1


@dataclass(frozen=True)
class Change:
    """One step that was applied, and how things stood before it."""

    step: str
    previous: dict[str, Any]
    utc: str


class ProvisionRecord:
    """Changes, oldest first. Each reaches both files before the change is made."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self._machine, self.path = machine, folder / "provisioned.json"
        self.changes = self._load()

    def __contains__(self, step: str) -> bool:
        return any(change.step == step for change in self.changes)

    def add(self, change: Change) -> None:
        """Keep the first previous state of a step: a later one is our own doing."""
        if change.step not in self:
            self.changes.append(change)
            self._save()

    def remove(self, change: Change) -> None:
        self.changes.remove(change)
        self._save()

    def _load(self) -> list[Change]:
        with tempfile.TemporaryDirectory() as scratch:
            local = Path(scratch) / "provisioned.json"
            if self._machine.shell.run(Command("Test-Path", Path=REMOTE))[0]:
                self._machine.download(REMOTE, local)
            elif self.path.is_file():
                local = self.path
            else:
                return []
            return self._read(local)

    def _read(self, path: Path) -> list[Change]:
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["version"] != _VERSION:
                raise ValueError(f"version {record['version']}")
            if record["host_key"] != self._machine.settings.ssh.host_key:
                return []
            return [Change(**change) for change in record["changes"]]
        except (ValueError, KeyError, TypeError) as error:
            raise BenchError(
                "the record of what provisioning changed", seen=f"{type(error).__name__}: {error}", where=str(path)
            ) from error

    def _save(self) -> None:
        record = {
            "version": _VERSION,
            "host_key": self._machine.settings.ssh.host_key,
            "changes": [asdict(change) for change in self.changes],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_suffix(".new")
        scratch.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        scratch.replace(self.path)
        self._machine.upload(self.path, REMOTE)
