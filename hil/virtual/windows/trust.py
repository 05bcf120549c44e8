r"""Certificate stores of the machine, and the Cert: drive through which PowerShell sees them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from hil.virtual.powershell import PSRecord

if TYPE_CHECKING:
    from cryptography import x509

    from hil.virtual.windows.system import Windows

STORES = {
    "My": "Personal", "Root": "Trusted Root Certification Authorities", "CA": "Intermediate Certification Authorities",
    "TrustedPublisher": "Trusted Publishers", "TrustedPeople": "Trusted People", "Disallowed": "Untrusted Certificates",
}  # fmt: skip
"""Name of a store, and what certutil calls it."""
LOCATIONS = ("CurrentUser", "LocalMachine")

_DRIVE = re.compile(r"(?:cert:|microsoft\.powershell\.security\\certificate::)[\\/]*", re.IGNORECASE)


@dataclass(frozen=True)
class Certificate:
    """One certificate, by its DER bytes. Raises ValueError when made of anything else."""

    der: bytes

    def __post_init__(self) -> None:
        _ = self._parsed  # read it now, so that a bad one is found here

    @cached_property
    def _parsed(self) -> x509.Certificate:
        from cryptography.x509 import load_der_x509_certificate

        return load_der_x509_certificate(self.der)

    @cached_property
    def thumbprint(self) -> str:
        """SHA-1, upper-case hexadecimal, as Windows names certificates."""
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest().upper()

    @cached_property
    def subject(self) -> str:
        return _distinguished(self._parsed.subject.rfc4514_string())

    @cached_property
    def issuer(self) -> str:
        return _distinguished(self._parsed.issuer.rfc4514_string())

    @property
    def not_before(self) -> datetime:
        return self._parsed.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        return self._parsed.not_valid_after_utc

    @property
    def serial_number(self) -> str:
        digits = f"{self._parsed.serial_number:X}"
        return digits.zfill(len(digits) + len(digits) % 2)

    @property
    def name(self) -> str:
        """Common name, or the whole subject without one."""
        found = re.search(r"CN=([^,]+)", self.subject)
        return found[1] if found else self.subject


def certificate(data: bytes) -> Certificate:
    """Of a file in DER or Base64, as Windows takes either. Raises ValueError."""
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificate

    if b"-----BEGIN CERTIFICATE-----" in data:
        data = load_pem_x509_certificate(data).public_bytes(Encoding.DER)
    return Certificate(data)


def _distinguished(text: str) -> str:
    return re.sub(r"(?<!\\),", ", ", text)


class Certificates:
    """What is in which store; survives reboots, as the registry does."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self._stores: dict[tuple[str, str], dict[str, Certificate]] = {
            (location, store): {} for location in LOCATIONS for store in STORES
        }

    def store(self, name: str, location: str = "LocalMachine") -> dict[str, Certificate]:
        """Thumbprint to certificate, of a store named in any case. Raises FileNotFoundError for an unknown one."""
        for known, certificates in self._stores.items():
            if (known[0].lower(), known[1].lower()) == (location.lower(), name.lower()):
                return certificates
        raise FileNotFoundError(f"{location}\\{name}")

    def add(self, name: str, certificate: Certificate, location: str = "LocalMachine") -> bool:
        """Put it into a store; False when it is there already."""
        store = self.store(name, location)
        new = certificate.thumbprint not in store
        store[certificate.thumbprint] = certificate
        return new

    def find(self, name: str, wanted: str, location: str = "LocalMachine") -> list[Certificate]:
        """By thumbprint, serial number, or part of the subject, as certutil's CertId."""
        text = wanted.replace(" ", "").upper()
        return [
            found for found in self.store(name, location).values()
            if text in (found.thumbprint, found.serial_number) or wanted.lower() in found.subject.lower()
        ]  # fmt: skip

    def roots(self) -> tuple[bytes, ...]:
        """DER of every root that the machine trusts."""
        return tuple(certificate.der for certificate in self.store("Root").values())

    def trusts_publisher(self, der: bytes) -> bool:
        return Certificate(der).thumbprint in self.store("TrustedPublisher")


def is_certificate_path(path: str) -> bool:
    """Whether a PowerShell path is on the Cert: drive."""
    return _DRIVE.match(path) is not None


def _split(path: str) -> list[str]:
    return [part for part in re.split(r"[\\/]", _DRIVE.sub("", path, count=1)) if part]


def children(windows: Windows, path: str) -> list[PSRecord]:
    """What Get-ChildItem shows for a path on the Cert: drive. Raises FileNotFoundError for what is not there."""
    parts = _split(path)
    if len(parts) < 2:
        kind = ("Microsoft.PowerShell.Commands.X509StoreLocation", "System.Object")
        return [PSRecord(kind, {"Name": name}, name) for name in (STORES if parts else LOCATIONS)]
    store = windows.certificates.store(parts[1], parts[0])
    if len(parts) == 2:
        return [record(certificate, parts[0], parts[1]) for certificate in store.values()]
    return [item(windows, path)]


def item(windows: Windows, path: str) -> PSRecord:
    """One certificate, by ``Cert:\\LocalMachine\\Root\\<thumbprint>``. Raises FileNotFoundError."""
    parts = _split(path)
    found = windows.certificates.store(parts[1], parts[0]).get(parts[2].upper()) if len(parts) == 3 else None
    if found is None:
        raise FileNotFoundError(path)
    return record(found, parts[0], parts[1])


def exists(windows: Windows, path: str) -> bool:
    """Test-Path on the Cert: drive."""
    try:
        children(windows, path)
    except FileNotFoundError:
        return False
    return True


def remove(windows: Windows, path: str) -> None:
    """Remove-Item on the Cert: drive. Raises FileNotFoundError; PermissionError when not elevated."""
    parts = _split(path)
    item(windows, path)
    if parts[0].lower() == "localmachine" and not windows.elevated:
        raise PermissionError("Access is denied.")
    del windows.certificates.store(parts[1], parts[0])[parts[2].upper()]


def record(certificate: Certificate, location: str, store: str) -> PSRecord:
    """As the certificate provider gives it out."""
    parent, name = rf"Microsoft.PowerShell.Security\Certificate::{location}\{store}", certificate.thumbprint
    return PSRecord(
        ("System.Security.Cryptography.X509Certificates.X509Certificate2", "System.Object"),
        {
            "PSPath": rf"{parent}\{name}", "PSParentPath": parent, "PSChildName": name,
            "PSIsContainer": False, "FriendlyName": "", "HasPrivateKey": False, "Issuer": certificate.issuer,
            "NotAfter": certificate.not_after, "NotBefore": certificate.not_before, "RawData": certificate.der,
            "SerialNumber": certificate.serial_number, "Subject": certificate.subject,
            "Thumbprint": name, "Version": 3,
        },
        f"[Subject]\n  {certificate.subject}\n\n[Thumbprint]\n  {name}\n",
    )  # fmt: skip
