"""certutil.exe: certificate stores and file hashes (reference windows/executables.json).

The exit code is the HRESULT; texts for what exists already and for a refusal are unconfirmed there.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from hil.virtual.windows.trust import STORES, Certificate

if TYPE_CHECKING:
    from hil.virtual.tools import ToolCall

ACCESS_DENIED, FILE_NOT_FOUND, INVALID_ARGUMENT = 0x80070005, 0x80070002, 0x80070057
BAD_TAG, NOT_FOUND = 0x8009310B, 0x80090011
_TEXTS = {
    ACCESS_DENIED: ("WIN32: 5 ERROR_ACCESS_DENIED", "Access is denied."),
    FILE_NOT_FOUND: ("WIN32: 2 ERROR_FILE_NOT_FOUND", "The system cannot find the file specified."),
    INVALID_ARGUMENT: ("WIN32: 87 ERROR_INVALID_PARAMETER", "The parameter is incorrect."),
    BAD_TAG: ("ASN: 267 CRYPT_E_ASN1_BADTAG", "ASN1 bad tag value met."),
    NOT_FOUND: ("-2146893807 NTE_NOT_FOUND", "Object was not found."),
}
_HASHES = ("md5", "sha1", "sha256", "sha384", "sha512")


async def run(call: ToolCall) -> int:
    user = any(word.lower() in ("-user", "/user") for word in call.args)
    words = [word for word in call.args if word.lower().lstrip("-/") not in ("f", "user", "enterprise")]
    verb = words[0].lower().lstrip("-/") if words else ""
    location = "CurrentUser" if user else "LocalMachine"
    forms = {"addstore": (_add, 2), "delstore": (_delete, 2), "store": (_show, 1), "hashfile": (_hash, 1)}
    if verb not in forms or len(words) - 1 < forms[verb][1]:
        return _failed(call, verb or "?", INVALID_ARGUMENT)
    action, _ = forms[verb]
    if verb in ("addstore", "delstore") and not (call.windows.elevated or user):
        return _failed(call, verb, ACCESS_DENIED)
    code = action(call, words[1:], location)
    if code:
        return _failed(call, verb, code)
    call.out(f"CertUtil: -{verb} command completed successfully.")
    return 0


def _failed(call: ToolCall, verb: str, code: int) -> int:
    symbol, text = _TEXTS[code]
    call.out(f"CertUtil: -{verb} command FAILED: 0x{code:08x} ({symbol})\nCertUtil: {text}")
    return code


def _title(name: str) -> str:
    known = next((store for store in STORES if store.lower() == name.lower()), name)
    return f'{known} "{STORES.get(known, known)}"'


def _add(call: ToolCall, words: list[str], location: str) -> int:
    try:
        certificate = Certificate(call.windows.files.read(words[1]))
        new = call.windows.certificates.add(words[0], certificate, location)
    except FileNotFoundError:
        return FILE_NOT_FOUND
    except ValueError:
        return BAD_TAG
    call.out(_title(words[0]))
    if certificate.subject == certificate.issuer:
        call.out("Signature matches Public Key")
    call.out(f'Certificate "{certificate.name}" ' + ("added to store." if new else "already in store."))
    return 0


def _delete(call: ToolCall, words: list[str], location: str) -> int:
    try:
        found = call.windows.certificates.find(words[0], words[1], location)
    except FileNotFoundError:
        return FILE_NOT_FOUND
    if not found:
        return NOT_FOUND
    call.out(_title(words[0]))
    for certificate in found:
        del call.windows.certificates.store(words[0], location)[certificate.thumbprint]
        call.out("Deleting Certificate 0")
    return 0


def _show(call: ToolCall, words: list[str], location: str) -> int:
    try:
        wanted = words[1] if len(words) > 1 else ""
        found = call.windows.certificates.find(words[0], wanted, location)
    except FileNotFoundError:
        return FILE_NOT_FOUND
    call.out(_title(words[0]))
    if wanted and not found:
        return NOT_FOUND
    for index, certificate in enumerate(found):
        root = "Signature matches Public Key\nRoot Certificate: Subject matches Issuer\n"
        call.out(
            f"================ Certificate {index} ================\n"
            f"Serial Number: {certificate.serial_number.lower()}\nIssuer: {certificate.issuer}\n"
            f" NotBefore: {_local(certificate.not_before)}\n NotAfter: {_local(certificate.not_after)}\n"
            f"Subject: {certificate.subject}\n{root if certificate.subject == certificate.issuer else ''}"
            f"Cert Hash(sha1): {certificate.thumbprint.lower()}\nNo key provider information\n"
        )
    return 0


def _local(moment: object) -> str:
    return f"{moment:%-m/%-d/%Y %-I:%M %p}"


def _hash(call: ToolCall, words: list[str], _location: str) -> int:
    algorithm = words[1].lower() if len(words) > 1 else "sha1"
    if algorithm not in _HASHES:
        return INVALID_ARGUMENT
    try:
        digest = hashlib.new(algorithm, call.windows.files.read(words[0])).hexdigest()
    except (FileNotFoundError, IsADirectoryError):
        return FILE_NOT_FOUND
    call.out(f"{algorithm.upper()} hash of {words[0]}:\n{digest}")
    return 0
