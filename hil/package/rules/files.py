"""Files: what the INF names against what lies in the folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from hil.package.rules.rule import Seen, error, note, warning
from hil.package.subject import Subject

_RUNS_FROM_STORE = 13
_CODE = (".sys", ".dll", ".exe", ".inf", ".cat")


def _disk_lines(subject: Subject, section: str) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    names = [section, *(f"{section}.{architecture}" for architecture in subject.architectures)]
    for name in names:
        for line in subject.inf.lines(name):
            yield line.number, line.key or line.value(0), line.values


@error("every file that the INF names", "complete the package")
def file_missing(subject: Subject) -> Iterator[Seen]:
    """Source files and catalog lie where the INF says.

    Source: INF SourceDisksFiles Section; INF Version Section, "CatalogFile".
    """
    if subject.folder is None:
        return
    for source in subject.sources.values():
        if subject.folder.find(source.path) is None:
            yield Seen(source.number, source.path)
    version = subject.inf.line_of("Version")
    for name in subject.catalog_names:
        if subject.folder.find(name) is None:
            yield Seen(version, name)


@error("copied files listed in [SourceDisksFiles]", "list the file, in the section of each architecture")
def file_not_listed(subject: Subject) -> Iterator[Seen]:
    """What is copied is on a source disk.

    Source: INF SourceDisksFiles Section; INF Validation Errors and Warnings, code 1230.
    """
    if subject.inf.version_field("LayoutFile"):
        return
    for variant in subject.variants:
        listed = {source.name.lower() for source in subject.sources_for_architecture(variant.architecture)}
        for copy in variant.install.copies if variant.install.whole else ():
            if copy.source.lower() not in listed:
                yield Seen(copy.number, f"{copy.source} for {variant.architecture}")


@error("a disk of [SourceDisksNames] for each file", "add the disk, or correct its number")
def disk_not_listed(subject: Subject) -> Iterator[Seen]:
    """Source files lie on disks that exist.

    Source: INF Validation Errors and Warnings, codes 1008, 1273.
    """
    disks = {key for _, key, _ in _disk_lines(subject, "SourceDisksNames")}
    for number, key, values in _disk_lines(subject, "SourceDisksFiles"):
        if values and values[0] not in disks and disks:
            yield Seen(number, f"{key} on disk {values[0]}")


@error("paths inside the package", "keep all files in the INF's folder or below")
def path_leaves_package(subject: Subject) -> Iterator[Seen]:
    """No source path leads out of the package.

    Source: INF Validation Errors and Warnings, code 1015.
    """
    for section in ("SourceDisksFiles", "SourceDisksNames"):
        for number, key, values in _disk_lines(subject, section):
            if any(".." in value.replace("/", "\\").split("\\") for value in (key, *values[1:])):
                yield Seen(number, key)


@error("catalogs named in [Version] only", "remove it from [SourceDisksFiles]")
def catalog_listed_as_source(subject: Subject) -> Iterator[Seen]:
    """A catalog is no source file.

    Source: INF Validation Errors and Warnings, code 1213.
    """
    for number, key, _ in _disk_lines(subject, "SourceDisksFiles"):
        if key.lower().endswith(".cat"):
            yield Seen(number, key)


@error("the same subfolder at the source and below directory 13", "name the folder in [DestinationDirs] too")
def store_folder_differs(subject: Subject) -> Iterator[Seen]:
    """Files that run from the driver store keep their place in the package.

    Source: INF Validation Errors and Warnings, code 1100.
    """
    for variant in subject.variants:
        sources = subject.sources_for_architecture(variant.architecture)
        folders = {source.name.lower(): str(PurePosixPath(source.path).parent) for source in sources}
        for copy in variant.install.copies:
            wanted = copy.folder.replace("\\", "/").strip("/").lower() or "."
            found = folders.get(copy.source.lower(), wanted).lower()
            if copy.dirid == _RUNS_FROM_STORE and (found != wanted or copy.source.lower() != copy.target.lower()):
                yield Seen(copy.number, f"{copy.source} from {found} to {wanted}/{copy.target}")


@warning("code that the INF names", "list it in [SourceDisksFiles] or leave it out: Windows takes no other along")
def code_not_named(subject: Subject) -> Iterator[Seen]:
    """Every driver, library and program in the folder belongs to the package.

    Source: INF SourceDisksFiles Section (only listed files reach the driver store).
    """
    yield from _unnamed(subject, code=True)


@note("files that the INF names", "leave out what is no part of the driver; symbols go to the symbol server")
def file_not_named(subject: Subject) -> Iterator[Seen]:
    """Everything in the folder belongs to the package.

    Source: INF SourceDisksFiles Section.
    """
    yield from _unnamed(subject, code=False)


def _unnamed(subject: Subject, *, code: bool) -> Iterator[Seen]:
    if subject.folder is None:
        return
    infs = [file for file in subject.folder.files if file.path.lower().endswith(".inf")]
    if len(infs) > 1 and PurePosixPath(subject.inf.name).name != PurePosixPath(infs[0].path).name:
        return  # told once, with the first INF
    text = b"\n".join(file.data for file in infs)
    mentioned = (text + text.replace(b"\0", b"")).lower()
    for file in subject.folder.files:
        suffix = PurePosixPath(file.path.lower()).suffix
        named = file.name.lower().encode("ascii", "replace") in mentioned or suffix == ".inf"
        if not named and (suffix in _CODE) is code:
            yield Seen(0, "no INF names it", file.path)


RULES = (
    file_missing, file_not_listed, disk_not_listed, path_leaves_package, catalog_listed_as_source, store_folder_differs,
    code_not_named, file_not_named,
)  # fmt: skip
