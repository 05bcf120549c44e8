"""What the rules look at: an INF as each architecture of one Windows reads it, and the files that lie beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from functools import cached_property
from pathlib import Path

from hil.errors import UsageError
from hil.package import install as installs
from hil.package import keywords as settings
from hil.package import models
from hil.package.catalog import Catalog
from hil.package.inf import Inf
from hil.package.install import AddReg, Install, SourceFile
from hil.package.keywords import Keyword
from hil.package.models import Model, Target
from hil.package.pe import Pe, is_pe
from hil.package.policy import Kind, Signature, judge

ARCHITECTURES = ("amd64", "arm64", "x86")
"""Those that Windows 10 and 11 run on."""
_PRODUCTS = ((1, 0x100), (3, 0x10))
"""Product type and suites of a client and of a server (winnt.h, VER_NT_* and VER_SUITE_*)."""
NET = "{4d36e972-e325-11ce-bfc1-08002be10318}"
_MSI = r"interrupt management\messagesignaledinterruptproperties"


@dataclass(frozen=True)
class DriverKey:
    """What install sections write to the driver key; shared by those that name the same add-registry sections."""

    registry: tuple[AddReg, ...]

    @cached_property
    def keywords(self) -> tuple[Keyword, ...]:
        return settings.read(self.registry)

    @cached_property
    def values(self) -> dict[tuple[str, str], AddReg]:
        """Values relative to the driver key, by lower-case subkey and name; the last one of a name counts."""
        return {(entry.subkey.lower(), entry.name.lower()): entry for entry in self.registry if entry.root == "HKR"}


@dataclass(frozen=True)
class Variant:
    """One install section as one architecture takes it, with the models that lead to it."""

    architecture: str
    models: tuple[Model, ...]
    install: Install
    key: DriverKey

    @property
    def keywords(self) -> tuple[Keyword, ...]:
        return self.key.keywords

    @property
    def values(self) -> dict[tuple[str, str], AddReg]:
        """See :class:`DriverKey`."""
        return self.key.values

    @cached_property
    def msi(self) -> tuple[AddReg, ...]:
        """What the .HW section says of message-signalled interrupts."""
        return tuple(entry for entry in self.install.hardware if entry.subkey.lower() == _MSI)

    @property
    def bus(self) -> str:
        """Enumerator of the first hardware id: ``PCI``, ``USB``, ``ROOT`` ..."""
        return self.models[0].hardware_id.partition("\\")[0].upper()


@dataclass(frozen=True)
class Problem:
    """A part of the INF that cannot be understood."""

    line: int
    text: str


@dataclass(frozen=True)
class File:
    """One file in the package's folder, with ``/`` in its path."""

    path: str
    data: bytes

    @cached_property
    def image(self) -> Pe | None:
        """None when it is no executable image, or a damaged one."""
        try:
            return Pe.parse(self.data, self.path) if is_pe(self.data) else None
        except UsageError:
            return None

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Folder:
    """All files below the INF's folder; looked up without regard to case, as Windows does."""

    path: Path
    files: tuple[File, ...]

    @classmethod
    def read(cls, path: Path) -> Folder:
        """Raises UsageError when a file cannot be read."""
        found = []
        try:
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    found.append(File(file.relative_to(path).as_posix(), file.read_bytes()))
        except OSError as error:
            raise UsageError("files that can be read", seen=str(error), where=str(path)) from error
        return cls(path, tuple(found))

    @cached_property
    def _by_path(self) -> dict[str, File]:
        return {file.path.lower(): file for file in self.files}

    def find(self, path: str) -> File | None:
        return self._by_path.get(path.lower())


@dataclass(frozen=True)
class Subject:
    """One INF under check."""

    inf: Inf
    raw: bytes
    target: Target
    today: date
    offered: Mapping[str, tuple[Model, ...]]
    """Models by architecture, for clients and servers."""
    variants: tuple[Variant, ...]
    problems: tuple[Problem, ...]
    folder: Folder | None = None
    """None when the INF is looked at alone."""
    previous: Inf | None = None
    """INF of the release before."""
    trusted: tuple[bytes, ...] = ()
    """Roots (DER) that the machine trusts beside Microsoft's."""

    @classmethod
    def read(
        cls, inf: Inf, raw: bytes, target: Target, today: date,
        *, folder: Folder | None = None, previous: Inf | None = None, trusted: tuple[bytes, ...] = (),
    ) -> Subject:  # fmt: skip
        problems: list[Problem] = []
        offered = {architecture: _offered(inf, target, architecture) for architecture in ARCHITECTURES}
        variants = tuple(
            variant
            for architecture, found in offered.items()
            for variant in _variants(inf, replace(target, architecture=architecture), found, problems)
        )
        return cls(
            inf, raw, target, today, offered, variants, tuple(dict.fromkeys(problems)), folder, previous, trusted
        )  # fmt: skip

    @property
    def network(self) -> bool:
        """Whether it installs a network adapter."""
        return self.inf.class_guid == NET or (not self.inf.class_guid and self.inf.class_name.lower() == "net")

    @cached_property
    def adapters(self) -> tuple[Variant, ...]:
        """Variants of a network adapter's INF; none of another class."""
        return self.variants if self.network else ()

    @cached_property
    def with_settings(self) -> tuple[Variant, ...]:
        """One adapter for each set of settings and models section: hundreds of variants often share theirs."""
        return tuple({(id(one.key), one.models[0].section): one for one in reversed(self.adapters)}.values())[::-1]

    @cached_property
    def whole_adapters(self) -> tuple[Variant, ...]:
        """Those that take nothing from an INF of Windows, so that what is missing is really missing."""
        return tuple(variant for variant in self.adapters if variant.install.whole)

    @cached_property
    def architectures(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(variant.architecture for variant in self.variants))

    @cached_property
    def sources(self) -> dict[str, SourceFile]:
        """Files of [SourceDisksFiles] for all architectures of the INF, by lower-case path."""
        found: dict[str, SourceFile] = {}
        for architecture in self.architectures:
            for source in self.sources_for_architecture(architecture):
                found.setdefault(source.path.lower(), source)
        return found

    def sources_for(self, target: Target) -> tuple[SourceFile, ...]:
        """Files of [SourceDisksFiles] for one Windows; none when a path leaves the package."""
        try:
            return installs.source_files(self.inf, target)
        except UsageError:
            return ()

    def sources_for_architecture(self, architecture: str) -> tuple[SourceFile, ...]:
        return self.sources_for(replace(self.target, architecture=architecture))

    @cached_property
    def images(self) -> tuple[File, ...]:
        """Kernel images (.sys) among the source files, that are there."""
        found = (self.folder.find(source.path) for source in self.sources.values()) if self.folder else ()
        return tuple(file for file in found if file and file.path.lower().endswith(".sys"))

    @cached_property
    def signature(self) -> Signature:
        """Of the catalog."""
        if self.catalog is None or not self.catalog.signer:
            return Signature(Kind.NONE, None, "not signed")
        now = datetime.combine(self.today, time(), UTC)
        return judge(self.catalog.data, self.catalog.name, self.trusted, now)

    @property
    def catalog(self) -> Catalog | None:
        """The first catalog that the INF names and that is there and readable."""
        return next(iter(self.catalogs.values()), None)

    @cached_property
    def catalogs(self) -> dict[str, Catalog]:
        """Catalogs that are there and readable, by the name in the INF; one for each architecture, or for all."""
        found: dict[str, Catalog] = {}
        for name in self.catalog_names:
            file = self.folder.find(name) if self.folder else None
            with suppress(UsageError):  # catalog_damaged tells of it
                found |= {name: Catalog.parse(file.data, file.path)} if file else {}
        return found

    @cached_property
    def catalog_names(self) -> tuple[str, ...]:
        names = (self.inf.catalog_file(architecture) for architecture in self.architectures or ("amd64",))
        return tuple(dict.fromkeys(name for name in names if name))


def _offered(inf: Inf, target: Target, architecture: str) -> tuple[Model, ...]:
    """Models for clients and servers of one architecture, each line once."""
    products = (
        replace(target, architecture=architecture, product_type=product_type, suite_mask=suite_mask)
        for product_type, suite_mask in _PRODUCTS
    )
    found = (model for product in products for model in models.read(inf, product))
    return tuple({model.number: model for model in found}.values())


def _variants(
    inf: Inf, target: Target, offered: tuple[Model, ...], problems: list[Problem]
) -> Iterator[Variant]:
    reader = installs.Reader(inf, target)
    leading: dict[str, list[Model]] = {}
    keys: dict[int, DriverKey] = {}
    for model in offered:
        leading.setdefault(model.install_section.lower(), []).append(model)
    for found in leading.values():
        if installs.decorated(inf, found[0].install_section, target) is None:
            continue
        try:
            install = reader.install(found[0])
            key = keys.setdefault(id(install.registry), DriverKey(install.registry))
            yield Variant(target.architecture, tuple(found), install, key)
        except UsageError as error:
            line = int(error.where.rpartition(":")[2])
            problems.append(Problem(line, f"{error.seen}, wanted {error.wanted}"))
