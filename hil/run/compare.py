"""What pytest shows when two snapshots of settings differ: the settings that do, and nothing else."""

from __future__ import annotations


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """For ``assert adapter.features.snapshot() == before``."""
    from hil.windows import Snapshot

    if op != "==" or not isinstance(left, Snapshot) or not isinstance(right, Snapshot):
        return None
    changes = left.changes(right)
    return [f"{len(changes)} of {len(right)} settings are not as they were", *map(str, changes)]
