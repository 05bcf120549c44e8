"""Bundles as a failed test leaves them, for tests of whoever reads them."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hil.results.bundle import Manifest, write_bundle
from hil.testbed.load import load


def make_bundle(place: Path, testbed: Path, suite: Path, **fields: Any) -> Path:
    """Of ``test_it`` in a suite, failed with the assertion ``seldom``, on a testbed."""
    described = load(testbed)
    about = {
        "hil": version("hil"), "run": "then", "test": f"{suite.name}::test_it", "seed": 7, "verdict": "failed",
        "cause": "seldom", "headline": "seldom", "suite_sha256": hashlib.sha256(suite.read_bytes()).hexdigest(),
        "testbed": described.name, "testbed_path": str(testbed),
        "capabilities": tuple(sorted(described.capabilities())), **fields,
    }  # fmt: skip
    contents = {
        "testbed.yaml": testbed.read_bytes(),
        "testbed.json": json.dumps(described.dump()).encode(),
        "journal.jsonl": b'{"kind": "test"}\n',
    }
    return write_bundle(place / "it.hil.zip", Manifest(**about), contents)
