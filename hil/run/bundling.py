"""The bundle of a test that did not pass, put together from what the run knows and kept of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from hil.errors import UsageError
from hil.journal import Journal
from hil.results.bundle import (
    CERTIFICATE,
    PACKAGE,
    SUFFIX,
    TESTBED_RESOLVED,
    TESTBED_TEXT,
    Manifest,
    Options,
    TestedPackage,
    write_bundle,
)
from hil.results.causes import failure_key, headline
from hil.results.model import RunInfo, TestResult
from hil.results.node_ids import base_id, number_of
from hil.results.store import RunFolder
from hil.testbed.model import Testbed

MOST_OF_A_RUN_BYTES = 1 << 30
"""A night in which everything fails for one cause needs no bundle of each test."""
_JOURNAL_BYTES = 8 << 20
"""The newest of a test's records; what went before is in the report."""


class Bundler:
    """Of one run."""

    def __init__(self, config: pytest.Config, folder: RunFolder, journal: Journal, info: RunInfo) -> None:
        self._config, self._folder, self._journal, self._info = config, folder, journal, info
        self._from_byte = self._written_bytes = 0

    def begins(self) -> None:
        """A test begins: its slice of the journal is what is written from now on."""
        self._from_byte = self._journal_size()

    def write(
        self, item: pytest.Item, result: TestResult, before: Sequence[TestResult], testbed: Testbed,
        settings: dict[str, str] | None,
    ) -> str:
        """Write the bundle of a test; its path in the run's folder. OSError passes through, also for too many."""
        if self._written_bytes > MOST_OF_A_RUN_BYTES:
            raise OSError(f"this run has bundles of {self._written_bytes} bytes already")
        tested, parts = _package(testbed)
        manifest = Manifest(
            hil=self._info.hil, run=self._info.run, test=base_id(result.test), repetition=number_of(result.test),
            seed=self._info.seed or 0, verdict=result.verdict, cause=failure_key(result), headline=headline(result),
            suite_sha256=hashlib.sha256(item.path.read_bytes()).hexdigest(), requires=_requires(item),
            order=tuple(base_id(one.test) for one in before), testbed=testbed.name,
            testbed_path=str(self._config.getoption("--testbed").resolve()),
            capabilities=tuple(sorted(testbed.capabilities())), options=self._options(), package=tested,
            settings=settings, facts=dict(self._info.facts),
        )  # fmt: skip
        masked = Manifest.model_validate(_masked(manifest.model_dump(mode="json"), self._journal.masked_text))
        contents: dict[str, bytes | Path] = dict(self._texts(result, testbed))
        contents |= {**dict(parts), **dict(self._artifacts(result))}
        name = self._folder.artifacts_of(result.test).name + SUFFIX
        path = write_bundle(self._folder.path / "bundles" / name, masked, contents)
        self._written_bytes += path.stat().st_size
        return str(path.relative_to(self._folder.path))

    def _options(self) -> Options:
        option = self._config.getoption
        return Options(
            verifier=option("--verifier") or "", no_provision=option("--no-provision"),
            test_timeout_s=option("--test-timeout"), faults=tuple(option("--fault")),
            given_package=option("--package") is not None,
        )  # fmt: skip

    def _texts(self, result: TestResult, testbed: Testbed) -> Iterator[tuple[str, bytes]]:
        masked = self._journal.masked_text
        written: Path = self._config.getoption("--testbed")
        yield TESTBED_TEXT, masked(written.read_text(encoding="utf-8", errors="replace")).encode()
        yield TESTBED_RESOLVED, masked(json.dumps(testbed.dump(), indent=1)).encode()
        line = json.dumps(asdict(result), default=str, ensure_ascii=False)
        yield "result.json", self._journal.masked(line).encode("utf-8", "backslashreplace")
        yield "journal.jsonl", self._slice()

    def _artifacts(self, result: TestResult) -> Iterator[tuple[str, Path]]:
        """The small ones first, so that a dump does not take their room."""
        place = self._folder.artifacts_of(result.test)
        paths = [path for path in (self._folder.path / one for one in result.artifacts) if path.is_file()]
        for path in sorted(paths, key=lambda path: path.stat().st_size):
            yield str(path.relative_to(place) if path.is_relative_to(place) else Path(path.name)), path

    def _slice(self) -> bytes:
        size = self._journal_size()
        start = max(self._from_byte, size - _JOURNAL_BYTES)
        with (self._folder.path / "journal.jsonl").open("rb") as file:
            file.seek(start)
            lines = file.read(size - start)
        return lines if start == self._from_byte else lines.partition(b"\n")[2]

    def _journal_size(self) -> int:
        path = self._folder.path / "journal.jsonl"
        return path.stat().st_size if path.exists() else 0


def _masked(value: Any, mask: Callable[[str], str]) -> Any:
    """Plain data with each text masked; numbers stay numbers, whatever the secret."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(key): _masked(inner, mask) for key, inner in value.items()}
    return [_masked(inner, mask) for inner in value] if isinstance(value, list) else value


def _requires(item: pytest.Item) -> tuple[str, ...]:
    return tuple(sorted({str(name) for marker in item.iter_markers("requires") for name in marker.args}))


def _package(testbed: Testbed) -> tuple[TestedPackage | None, list[tuple[str, Path]]]:
    """The package under test with its files by their names in a bundle, and the certificate that it needs."""
    from hil.package import Package

    if testbed.packages is None:
        return None, []
    try:
        package = Package.load(testbed.packages.current)
    except UsageError:
        return None, []  # it changed on disk meanwhile; the run's facts tell what was installed
    parts = [(PACKAGE + file.path, file.location) for file in package.files]
    if testbed.packages.certificate is not None:
        parts.append((CERTIFICATE, testbed.packages.certificate))
    return TestedPackage(content_sha256=package.content_sha256, inf=package.inf_name, version=package.version), parts
