"""What a test that did not pass leaves in one file, so that it can be made to fail again: a zip with a manifest.

Entries: ``manifest.json``; ``testbed.yaml`` as the person wrote it and ``testbed.json`` as the run had it, with secrets
as references in both; ``result.json``, ``journal.jsonl``, ``capture.pcapng``, ``events.xml`` and whatever else the test
kept; ``package/`` and ``certificate.cer``.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

MANIFEST = "manifest.json"
TESTBED_TEXT, TESTBED_RESOLVED = "testbed.yaml", "testbed.json"
PACKAGE, CERTIFICATE = "package/", "certificate.cer"
SUFFIX = ".hil.zip"
MOST_FILE_BYTES = 32 << 20
MOST_BYTES = 64 << 20
"""Of all files as they are on disk. A larger one, a kernel dump mostly, stays in the report, and the bundle says so."""
MOST_FILES = 500
_CHUNK = 1 << 20


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TestedPackage(_Part):
    """The driver package that was installed."""

    __test__ = False

    content_sha256: str
    """As :attr:`hil.package.Package.content_sha256`: of all but the catalog."""
    inf: str
    version: str


class Options(_Part):
    """Of the run's command line."""

    verifier: str = ""
    no_provision: bool = False
    test_timeout_s: float = 600.0
    faults: tuple[str, ...] = ()
    given_package: bool = False
    """The package was named there; else a virtual bench built its own."""


class File(_Part):
    """An entry of the zip."""

    sha256: str
    size_bytes: int


class Manifest(_Part):
    """What there is to know before anything is unpacked. Node ids are those of tests, without a repetition's number."""

    format: Literal[1] = 1
    hil: str
    run: str
    test: str
    repetition: int = 1
    seed: int
    verdict: str
    cause: str
    """As :func:`hil.results.causes.failure_key`: equal for the same failure."""
    headline: str
    suite_sha256: str = ""
    requires: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    """Tests that ran before this one, in their order."""
    testbed: str
    testbed_path: str = ""
    capabilities: tuple[str, ...] = ()
    options: Options = Options()
    package: TestedPackage | None = None
    settings: dict[str, str] | None = None
    """Advanced properties (keyword to registry value) that the test began with; None when they could not be read."""
    facts: dict[str, str] = {}
    files: dict[str, File] = {}
    left_out: dict[str, str] = {}
    """Path in the run's folder, or name of an entry, to why it is not here."""


def write_bundle(path: Path, manifest: Manifest, contents: Mapping[str, bytes | Path]) -> Path:
    """Write the bundle; a process that is killed meanwhile leaves none. OSError passes through.

    ``contents`` by the name of the entry, the most important first: what would make the bundle too large is left out.
    """
    partial = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    files, left_out, room = dict[str, File](), dict(manifest.left_out), MOST_BYTES
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in contents.items():
                size = len(data) if isinstance(data, bytes) else data.stat().st_size
                if size > min(MOST_FILE_BYTES, room) or len(files) >= MOST_FILES:
                    left_out[name] = f"{size} bytes are more than a bundle takes"
                    continue
                room -= size
                files[name] = _add(archive, name, data)
            whole = manifest.model_copy(update={"files": files, "left_out": left_out})
            archive.writestr(MANIFEST, json.dumps(whole.model_dump(mode="json"), indent=1, ensure_ascii=False))
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        return partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def _add(archive: zipfile.ZipFile, name: str, data: bytes | Path) -> File:
    digest, size = hashlib.sha256(), 0
    with archive.open(name, "w") as entry:
        for chunk in _chunks(data):
            entry.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return File(sha256=digest.hexdigest(), size_bytes=size)


def _chunks(data: bytes | Path) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
        return
    with data.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
