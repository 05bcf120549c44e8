"""Signatures: does the catalog vouch for each file, and would Windows believe it?"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import PurePosixPath

from hil.errors import UsageError
from hil.package.catalog import Catalog, file_digest
from hil.package.pe import is_pe
from hil.package.policy import Kind
from hil.package.rules.rule import Seen, error, note, warning
from hil.package.signed import PARSE_ERRORS, Signed, embedded, image_digest
from hil.package.subject import File, Subject


def _covered(subject: Subject) -> Iterator[tuple[Catalog, File]]:
    """Each catalog with the INF and the source files of its architectures: what it must vouch for."""
    for architecture in subject.architectures if subject.folder else ():
        catalog = subject.catalogs.get(subject.inf.catalog_file(architecture))
        sources = subject.sources_for_architecture(architecture)
        for path in (PurePosixPath(subject.inf.name).name, *(source.path for source in sources)):
            file = subject.folder.find(path) if subject.folder else None
            if file and catalog:
                yield catalog, file


@error("a catalog that can be read", "make it again with Inf2Cat")
def catalog_damaged(subject: Subject) -> Iterator[Seen]:
    """The catalog is one.

    Source: MS-CAESO; Catalog Files and Digital Signatures.
    """
    for name in subject.catalog_names:
        file = subject.folder.find(name) if subject.folder else None
        try:
            if file:
                Catalog.parse(file.data, file.path)
        except UsageError as problem:
            yield Seen(0, problem.seen, name)


@error("the hash of each file in the catalog", "make and sign the catalog after the last change to any file")
def not_in_catalog(subject: Subject) -> Iterator[Seen]:
    """The catalog vouches for the INF and each file that it names.

    Source: Catalog Files and Digital Signatures.
    """
    for catalog, file in _covered(subject):
        if catalog.find(file.data) is None:
            as_text = file.data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            changed = not is_pe(file.data) and catalog.find(as_text) is not None
            hint = ", but would be with CR LF: version control changed its line ends" if changed else ""
            yield Seen(0, f"its hash is not in {catalog.name}{hint}", file.path)


@error("a signed catalog whose signature holds", "sign it again")
def catalog_signature(subject: Subject) -> Iterator[Seen]:
    """The catalog is signed, the signature fits, and its certificates were valid when it was made.

    Source: Authenticode Digital Signatures; Driver Signing Policy.
    """
    if subject.catalog and subject.signature.kind in (Kind.NONE, Kind.REFUSED):
        yield Seen(0, subject.signature.text or "not signed", subject.catalog.name)


@warning("a time stamp on a signature that is to last", "sign with a time-stamp server (signtool sign /tr)")
def no_time_stamp(subject: Subject) -> Iterator[Seen]:
    """A release signature outlives its certificate by a time stamp.

    Source: Time Stamping Authenticode Signatures.
    """
    signer = subject.signature.signer
    if subject.catalog and signer and not signer.signed_at and subject.signature.kind is not Kind.PRIVATE:
        yield Seen(0, f"signer {signer.name}", subject.catalog.name)


@warning("SHA-256", "sign with /fd sha256")
def weak_digest(subject: Subject) -> Iterator[Seen]:
    """The signature uses a digest of the SHA-2 family.

    Source: Driver Signing Policy, "Signature algorithm".
    """
    signer = subject.signature.signer
    if subject.catalog and signer and signer.digest_algorithm in ("md5", "sha1"):
        yield Seen(0, f"signed with {signer.digest_algorithm}", subject.catalog.name)


@error("an embedded signature that fits its image", "sign the image after its last change")
def embedded_signature(subject: Subject) -> Iterator[Seen]:
    """An image's own signature is for this image.

    Source: Windows Authenticode Portable Executable Signature Format.
    """
    for file in subject.images:
        if file.image is None:
            continue
        try:
            for data in embedded(file.image, file.data):
                algorithm, digest = image_digest(Signed.read(data))
                if digest != file.image.authenticode_hash(file.data, algorithm):
                    yield Seen(0, f"its {algorithm} digest is of another image", file.path)
        except (*PARSE_ERRORS, struct.error) as problem:
            yield Seen(0, f"cannot be read: {str(problem)[:100]}", file.path)


@note("catalog members that are files of the package", "make the catalog again when files were taken out")
def catalog_of_other_files(subject: Subject) -> Iterator[Seen]:
    """The catalog is of this package and not of a larger one.

    Source: Catalog Files and Digital Signatures.
    """
    catalog = subject.catalog
    if catalog and subject.folder:
        algorithms = {member.algorithm for member in catalog.members}
        known = {file_digest(file.data, algorithm) for file in subject.folder.files for algorithm in algorithms}
        others = [member for member in catalog.members if member.digest not in known]
        if others:
            names = ", ".join(member.attributes.get("File", member.tag[:16]).strip("\0") for member in others[:3])
            yield Seen(0, f"{len(others)} of {len(catalog.members)} members are of no file here: {names}", catalog.name)


RULES = (
    catalog_damaged, not_in_catalog, catalog_signature, no_time_stamp, weak_digest, embedded_signature,
    catalog_of_other_files,
)  # fmt: skip
