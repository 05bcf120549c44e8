"""Reading a bundle that may come from anywhere: by mail, from a bug tracker, or made to do harm.

Nothing in it is trusted before it is checked: names stay inside the folder, sizes inside their bounds, and each file
has the hash that the manifest says.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from hil.errors import UsageError
from hil.results.bundle import MANIFEST, MOST_BYTES, MOST_FILE_BYTES, MOST_FILES, Manifest

_MOST_MANIFEST_BYTES = 8 << 20
_CHUNK = 1 << 20
_SAFE_PART = re.compile(r"[A-Za-z0-9_#+@(\[-][^\\/:*?\"<>|\x00-\x1f]{0,199}")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NO_ZIP = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError, struct.error,
    KeyError, OverflowError,
)  # fmt: skip
"""All that the standard library says of a file that is no zip, or not wholly one."""


class Bundle:
    """One bundle. Raises UsageError when it is none, is damaged, or is larger than any that hil writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as archive:
            entries = self._entries(archive)
            self.manifest = self._manifest(archive)
        listed = self.manifest.files.keys() | {MANIFEST}
        if entries.keys() != listed:
            self._refuse(f"entries and manifest differ: {', '.join(sorted(entries.keys() ^ listed))[:200]}")

    def unpack(self, folder: Path) -> Path:
        """Write all files into an empty folder, each checked against its hash; comes back with the folder."""
        with self._opened() as archive:
            for name, file in self.manifest.files.items():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                digest = hashlib.sha256()
                with archive.open(name) as entry, target.open("wb") as written:
                    left = file.size_bytes
                    while chunk := entry.read(min(_CHUNK, left + 1)):
                        left -= len(chunk)
                        if left < 0:
                            self._refuse(f"{name} is longer than the {file.size_bytes} bytes of the manifest")
                        digest.update(chunk)
                        written.write(chunk)
                if digest.hexdigest() != file.sha256:
                    self._refuse(f"{name} is not what was written: its hash differs")
        return folder

    def _entries(self, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
        infos = archive.infolist()
        found = {info.filename: info for info in infos}
        if len(infos) > MOST_FILES + 1 or len(found) < len(infos):
            self._refuse(f"{len(infos)} entries, {len(infos) - len(found)} of them twice")
        if sum(info.file_size for info in infos) > MOST_BYTES + _MOST_MANIFEST_BYTES:
            self._refuse(f"it would unpack to more than {MOST_BYTES} bytes")
        for name, info in found.items():
            if not all(map(_SAFE_PART.fullmatch, name.split("/"))):
                self._refuse(f"an entry named {name!r}")
            if info.file_size > MOST_FILE_BYTES or info.compress_type not in _METHODS or info.flag_bits & 1:
                self._refuse(f"{name}: {info.file_size} bytes, method {info.compress_type}, flags {info.flag_bits}")
        return found

    def _manifest(self, archive: zipfile.ZipFile) -> Manifest:
        with archive.open(MANIFEST) as entry:
            text = entry.read(_MOST_MANIFEST_BYTES + 1)
        if len(text) > _MOST_MANIFEST_BYTES:
            self._refuse(f"a manifest of more than {_MOST_MANIFEST_BYTES} bytes")
        try:
            return Manifest.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise self._refused(f"manifest.json: {where}: {first['msg']} ({error.error_count()} in all)") from error

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except _NO_ZIP as error:
            raise self._refused(f"{type(error).__name__}: {error}"[:300]) from error

    def _refuse(self, seen: str) -> None:
        raise self._refused(seen)

    def _refused(self, seen: str) -> UsageError:
        return UsageError(
            "a bundle that a failed test left", seen=seen, where=str(self.path),
            next_step="take it from the folder bundles/ of the run once more",
        )  # fmt: skip
