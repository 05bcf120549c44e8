"""The bench that a bundle is tried on, and how it differs from the one that it comes from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import get_args

from hil.errors import UsageError
from hil.package import Package
from hil.repro.reading import Bundle
from hil.results.bundle import CERTIFICATE, PACKAGE, TESTBED_RESOLVED, TESTBED_TEXT, Manifest
from hil.testbed.load import load
from hil.testbed.model import Testbed, Virtual


class Origin:
    """An unpacked bundle with the bench that it comes from. Raises UsageError for a testbed that cannot be read."""

    def __init__(self, bundle: Bundle, folder: Path) -> None:
        self.manifest, self.folder = bundle.manifest, folder
        self.testbed = load(folder / TESTBED_RESOLVED, must_exist=False)
        """As it was when the test ran: of a virtual bench, what it stood for."""
        self.described = load(folder / TESTBED_TEXT, must_exist=False)
        """As the person described it."""

    def choose(self, given: Path | None, *, virtual: bool) -> Path:
        """The testbed file to use: the given one, a virtual one, or the one that the bundle names.

        Raises UsageError when there is none.
        """
        if given is not None:
            return given
        if virtual:
            return self.folder / TESTBED_TEXT if self.described.virtual else self._stand_in()
        named = Path(self.manifest.testbed_path)
        if named.is_file():
            return named
        if self.described.virtual:
            return self.folder / TESTBED_TEXT
        raise UsageError(
            f"the testbed {self.manifest.testbed}", seen="no such file", where=str(named),
            next_step="name one with --testbed FILE, or try --virtual",
        )  # fmt: skip

    def package_options(self, testbed: Testbed, given: Path | None) -> list[str]:
        """For the run: the package to install where the bench has not the same itself.

        Raises UsageError when the package is not the one that was tested, or is nowhere to be found.
        """
        wanted, unpacked = self.manifest.package, self.folder / PACKAGE
        if wanted is None or self._stays_out(testbed):
            return []
        if given is None and testbed.packages is not None and _hash(testbed.packages.current) == wanted.content_sha256:
            return []
        folder = given or unpacked
        if given is None and not unpacked.is_dir():
            raise UsageError(
                f"the package {wanted.inf} {wanted.version}", seen="it is not in the bundle",
                next_step="name its folder with --package DIR",
            )  # fmt: skip
        if (found := Package.load(folder).content_sha256) != wanted.content_sha256:
            raise UsageError(f"the package with hash {wanted.content_sha256}", seen=found, where=str(folder))
        certificate = self.folder / CERTIFICATE
        return [f"--package={folder}", *([f"--certificate={certificate}"] if certificate.is_file() else [])]

    def differences(self, testbed: Testbed, suite: Path) -> Iterator[str]:
        """What is not as it was, for a person to know before the start. Raises UsageError for what the test needs."""
        manifest = self.manifest
        if manifest.hil != version("hil"):
            yield f"hil {version('hil')}, the bundle is of {manifest.hil}"
        if hashlib.sha256(suite.read_bytes()).hexdigest() != manifest.suite_sha256:
            yield f"{suite} has changed"
        missing = sorted(set(manifest.capabilities) - testbed.capabilities())
        if needed := sorted(set(missing) & set(manifest.requires)):
            raise UsageError(
                f"a bench with {', '.join(needed)}, as the test requires", seen=f"{testbed.name} has none",
                next_step="name another one with --testbed FILE",
            )  # fmt: skip
        if missing:
            yield f"{testbed.name} has no {', no '.join(missing)}"
        before, now = _traits(self.testbed), _traits(testbed)
        yield from (f"{name}: {now[name]}, was {before[name]}" for name in before if now.get(name) != before[name])
        if testbed.virtual is None and manifest.options.faults:
            yield f"no deliberate defects, which were {', '.join(manifest.options.faults)}"
        if manifest.package and self._stays_out(testbed) and not self.described.virtual:
            yield f"the virtual bench's own package in place of {manifest.package.inf} {manifest.package.version}"

    def _stays_out(self, testbed: Testbed) -> bool:
        """A virtual bench brings its package; one for real hardware has nothing to be bound to there."""
        return testbed.virtual is not None and not (self.described.virtual and self.manifest.options.given_package)

    def _stand_in(self) -> Path:
        """A virtual bench after the real one of the bundle."""
        bench, roles = self.testbed, {one.role for one in self.testbed.instruments.values()}
        kinds = get_args(get_args(Virtual.model_fields["instruments"].annotation)[0])
        virtual = {
            "link_mbps": bench.adapter.link_mbps if bench.adapter else 1000,
            "far_end": bench.machine.shell if bench.machine else "pwsh",
            "sleep": "s0ix" if bench.machine and "S0ix" in bench.machine.sleep_states else "s3",
            "instruments": [kind for kind in kinds if kind in roles],
        }
        path = self.folder / "virtual.yaml"
        path.write_text(json.dumps({"name": f"{bench.name}-virtual", "virtual": virtual}), encoding="utf-8")
        return path


def suite_of(manifest: Manifest) -> Path:
    """The file of the test. Raises UsageError when it is not here."""
    path = Path(manifest.test.partition("::")[0])
    if path.is_absolute() or ".." in path.parts or not path.is_file():
        step = "call hil repro where hil run was called, with the same suites"
        raise UsageError("the suite of the failed test", seen=f"no {path} here", where=str(Path.cwd()), next_step=step)
    return path


def _traits(testbed: Testbed) -> dict[str, str]:
    virtual, adapter, machine = testbed.virtual, testbed.adapter, testbed.machine
    if virtual is not None:
        return {
            "link": f"{virtual.link_mbps} Mbit/s", "PowerShell": virtual.far_end,
            "sleep states": ", ".join(sorted(virtual.sleep_states)),
        }  # fmt: skip
    return {
        "link": f"{adapter.link_mbps} Mbit/s" if adapter else "", "PowerShell": machine.shell if machine else "",
        "sleep states": ", ".join(sorted(machine.sleep_states)) if machine else "",
    }  # fmt: skip


def _hash(folder: Path) -> str:
    try:
        return Package.load(folder).content_sha256
    except UsageError:
        return ""
