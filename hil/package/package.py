"""A driver package on disk: one folder with an INF, its catalog and the files that the INF names.

This is what runs install and compare with. Whether a package is a good one: :mod:`hil.package.check`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from hil.errors import UsageError
from hil.package import install as installs
from hil.package import keywords as settings
from hil.package import models
from hil.package.catalog import Catalog
from hil.package.finding import Finding
from hil.package.inf import Inf
from hil.package.models import Model, Target
from hil.package.pe import Pe
from hil.package.signature import SignatureRefused, verify

THIS_WINDOWS = Target()


@dataclass(frozen=True)
class PackageFile:
    """One file of the package. ``path`` is relative to the folder, with ``/``."""

    path: str
    location: Path
    size: int
    sha256: str
    """Upper-case hexadecimal, of the plain bytes."""


@dataclass(frozen=True)
class Package:
    """A package as the INF describes it for one Windows. Loading proves that all is there, not that it is signed."""

    folder: Path
    target: Target
    inf: Inf
    inf_name: str
    catalog: Catalog | None
    """None when the INF names none: an unsigned package."""
    files: tuple[PackageFile, ...]
    """The INF, the catalog and every source file, in this order."""
    models: tuple[Model, ...]
    provider: str
    date: date
    version: str
    hardware_ids: tuple[str, ...]
    model: Model
    """Whose settings, service and driver these are: the one that fits the device of :meth:`for_device`, else the first.

    One INF may be for a family of NICs, each with an install section, settings, a service and an image of its own.
    """
    install: installs.Install
    """The install section of that model."""

    @classmethod
    def load(cls, folder: Path, target: Target = THIS_WINDOWS) -> Package:
        """Read the package in ``folder``, which holds one INF.

        Raises UsageError for no folder, no INF or several, and as :meth:`read`.
        """
        return cls.read(_only_inf(folder), target)

    @classmethod
    def read(cls, inf_path: Path, target: Target = THIS_WINDOWS) -> Package:
        """Read the package of one INF; its files lie beside it or below.

        Raises UsageError, naming file and line: an INF that cannot be understood or offers nothing to ``target``, or a
        file (catalog included) that the INF names and that is not there.
        """
        folder = inf_path.parent
        inf = Inf.read(inf_path)
        released, version = inf.driver_version
        offered = models.read(inf, target)
        if not offered:
            raise UsageError(
                f"models for {target.architecture} Windows build {target.build}",
                seen="no [Manufacturer] entry applies", where=inf.where(inf.line_of("Manufacturer")),
            )  # fmt: skip
        catalog_name = inf.catalog_file(target.architecture)
        named = [(catalog_name, inf.line_of("Version"))] if catalog_name else []
        named += [(source.path, source.number) for source in installs.source_files(inf, target)]
        files = [_file(folder, inf_path.name, inf, 1), *(_file(folder, name, inf, number) for name, number in named)]
        return cls(
            folder=folder, target=target, inf=inf, inf_name=inf_path.name, files=tuple(files), models=offered,
            catalog=Catalog.parse(files[1].location.read_bytes(), str(files[1].location)) if catalog_name else None,
            provider=inf.provider, date=released, version=version,
            hardware_ids=tuple(dict.fromkeys(model.hardware_id.upper() for model in offered)),
            model=offered[0], install=installs.read(inf, offered[0], target),
        )  # fmt: skip

    def for_device(self, hardware_ids: Iterable[str]) -> Package:
        """As Windows reads it for one device: settings, service and driver are those of the model that fits.

        Raises UsageError as :meth:`model_for`, or for a model whose install section cannot be understood.
        """
        model = self.model_for(hardware_ids)
        return replace(self, model=model, install=installs.read(self.inf, model, self.target))

    @property
    def service(self) -> str:
        """Name of the function driver's service; empty when the model installs none."""
        return self.install.function_driver.name if self.install.function_driver else ""

    @property
    def driver(self) -> str:
        """File name of that service's image, ``hilnic.sys``."""
        return self.install.function_driver.image_name if self.install.function_driver else ""

    @property
    def keywords(self) -> tuple[settings.Keyword, ...]:
        """Advanced properties that the model offers, in the order of the INF."""
        return settings.read(self.install.registry)

    @property
    def rewrites(self) -> dict[str, str]:
        """Advanced properties, in lower case, whose value each install writes anew, and that value.

        All others an upgrade keeps (since Windows 10 1703: Microsoft, "Specifying configuration parameters for the
        advanced properties page"; FLG_ADDREG_NOCLOBBER: "INF AddReg directive").
        """
        offered = {keyword.name.lower() for keyword in self.keywords}
        return {
            entry.name.lower(): str(entry.data) for entry in self.install.registry
            if entry.root == "HKR" and not entry.subkey and not entry.keeps and entry.name.lower() in offered
        }  # fmt: skip

    @property
    def content_sha256(self) -> str:
        """One hash for the INF and all files that it names, but the catalog: signing anew changes no driver."""
        catalog = self.inf.catalog_file(self.target.architecture)
        named = sorted((file.path.lower(), file.sha256) for file in self.files if file.path != catalog)
        return hashlib.sha256(repr(named).encode()).hexdigest().upper()

    @property
    def driver_file(self) -> PackageFile:
        """The image of the function driver. Raises UsageError when the package installs none."""
        # CopyFiles may give it another name on the machine than it has in the package
        renamed = {copy.target.lower(): copy.source.lower() for copy in self.install.copies}
        name = renamed.get(self.driver.lower(), self.driver.lower())
        for file in self.files:
            if name and file.location.name.lower() == name:
                return file
        raise UsageError(
            "a package that installs a function driver", seen=f"driver {self.driver or 'none'}", where=str(self.folder)
        )

    @property
    def told_by(self) -> tuple[PackageFile, PackageFile]:
        """INF and image: what tells this package from others of its driver, whatever version they say."""
        return self.files[0], self.driver_file

    @property
    def driver_sha256(self) -> str:
        """SHA-256 of the function driver's image, upper-case hexadecimal, as Windows tells it for the loaded one."""
        return self.driver_file.sha256

    @property
    def image(self) -> Pe:
        """Header facts of the function driver's image."""
        return Pe.parse(self.driver_file.location.read_bytes(), str(self.driver_file.location))

    def model_for(self, hardware_ids: Iterable[str]) -> Model:
        """The model that fits a device's hardware ids, most specific id first.

        Raises UsageError when the INF is for other hardware.
        """
        wanted = [hardware_id.upper() for hardware_id in hardware_ids]
        for hardware_id in wanted:
            for model in self.models:
                if hardware_id in (known.upper() for known in model.ids):
                    return model
        raise UsageError(
            f"a package for {wanted[0] if wanted else 'the adapter'}",
            seen=f"hardware ids {', '.join(self.hardware_ids)}", where=self.inf.where(self.models[0].number),
            next_step="name the right folder under packages in the testbed",
        )  # fmt: skip

    def verify(self, roots: Iterable[bytes] = (), *, at: datetime | None = None) -> tuple[Finding, ...]:
        """Everything wrong with the signature: with the chain to ``roots`` (DER; none: not asked), and per file.

        An empty tuple means that each file is vouched for.
        """
        anchors = tuple(roots)
        if self.catalog is None:
            line = self.inf.line_of("Version")
            return (Finding("no-catalog", self.inf.name, line, "the INF names no CatalogFile"),)
        findings = [
            Finding("not-in-catalog", str(file.location), 0, f"its hash is not in {Path(self.catalog.name).name}")
            for file in self.files
            if file.location != Path(self.catalog.name) and self.catalog.find(file.location.read_bytes()) is None
        ]
        if anchors:
            try:
                verify(self.catalog, anchors, at=at)
            except SignatureRefused as error:
                findings.append(Finding("signature", self.catalog.name, 0, error.seen))
        return tuple(findings)

    def require_intact(self) -> None:
        """Raises UsageError naming the first file that the catalog does not vouch for."""
        findings = self.verify()
        if findings:
            raise UsageError(
                "a package whose files fit its catalog", seen=findings[0].message, where=findings[0].where,
                next_step="sign the package again after its last change",
            )  # fmt: skip

    @property
    def signer(self) -> str:
        """Common name on the signing certificate, as Windows shows it; not proven. Empty when unsigned."""
        return self.catalog.signer if self.catalog else ""


def _only_inf(folder: Path) -> Path:
    if not folder.is_dir():
        raise UsageError("a folder with a driver package", seen="no such folder", where=str(folder))
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".inf" and path.is_file())
    if len(found) != 1:
        raise UsageError(
            "a folder with one INF", seen=", ".join(path.name for path in found) or "no INF", where=str(folder),
            next_step="put each package into a folder of its own",
        )  # fmt: skip
    return found[0]


def _file(folder: Path, path: str, inf: Inf, number: int) -> PackageFile:
    """Find a file as Windows does: whatever the case of its name."""
    location = folder
    for part in path.split("/"):
        exact = location / part
        entries = location.iterdir() if location.is_dir() else iter(())
        location = exact if exact.exists() else next((e for e in entries if e.name.lower() == part.lower()), exact)
    try:
        data = location.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the file {path} that the INF names", seen=str(error), where=inf.where(number),
            next_step="complete the package",
        ) from error  # fmt: skip
    return PackageFile(path, location, len(data), hashlib.sha256(data).hexdigest().upper())
