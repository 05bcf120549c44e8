"""Item cmdlets (Microsoft.PowerShell.Management) over three drives: files, registry and certificates."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path as HostPath
from typing import Annotated

from psrpcore.types import PSInt64

from hil.virtual.powershell import Call, CmdletError, Module, Param, PSRecord, Switch
from hil.virtual.windows import trust
from hil.virtual.windows.cmdlets import cdxml, registry_items
from hil.virtual.windows.cmdlets.file_items import file_object

cmdlets = Module("Microsoft.PowerShell.Management")

_TYPE = "Microsoft.PowerShell.Commands"

Path = Annotated[list[str] | None, Param(position=0, set="Path", pipeline="property")]
WantedPath = Annotated[list[str] | None, Param(position=0, set="Path", mandatory=True, pipeline="property")]
LiteralPath = Annotated[
    list[str] | None, Param(aliases=("PSPath", "LP"), set="LiteralPath", mandatory=True, pipeline="property")
]


def plain(path: str) -> str:
    """Without the provider that PSPath puts in front."""
    return path.removeprefix("Microsoft.PowerShell.Core\\FileSystem::").removeprefix("Microsoft.PowerShell.Core\\")


def missing(path: str, command: str) -> CmdletError:
    if path[1:2] == ":" and path[:1].lower() != "c":
        message, error_id = f"Cannot find drive. A drive with the name '{path[0]}' does not exist.", "DriveNotFound"
        exception = "System.Management.Automation.DriveNotFoundException"
    else:
        message, error_id = f"Cannot find path '{path}' because it does not exist.", "PathNotFound"
        exception = "System.Management.Automation.ItemNotFoundException"
    return CmdletError(
        message, error_id=f"{error_id},{_TYPE}.{command}", category="ObjectNotFound", target=path, exception=exception
    )


def host_paths(call: Call, path: str, command: str) -> list[HostPath]:
    """What a file path with wildcards in its last part stands for; an error is written for what is not there."""
    folder, _, last = path.rstrip("\\/").replace("/", "\\").rpartition("\\")
    files = call.host.files
    if cdxml.is_pattern(last) and files.exists(folder):
        return [entry for entry in files.listing(folder) if cdxml.matches(last, entry.name)]
    if not files.exists(path):
        call.write_error(missing(path, command))
        return []
    return [files.locate(path)]


@cmdlets.cmdlet("Get-ChildItem", default_set="Path", implemented_by=f"{_TYPE}.GetChildItemCommand")
def get_child_item(
    call: Call,
    Path: Path = None,
    LiteralPath: LiteralPath = None,
    Filter: Annotated[str | None, Param(position=1)] = None,
    Recurse: Annotated[Switch, Param(aliases=("s",))] = False,
    File: Annotated[Switch, Param(aliases=("af",))] = False,
    Directory: Annotated[Switch, Param(aliases=("ad",))] = False,
    Force: Switch = False,
) -> Iterator[PSRecord]:
    command = "GetChildItemCommand"
    for given in map(plain, LiteralPath or Path or [r"C:\Users\hil"]):
        if trust.is_certificate_path(given):
            yield from _of_certificates(call, given, command)
        elif registry_items.is_registry_path(given):
            yield from registry_items.children(call, given)
        else:
            for found in host_paths(call, given, command):
                entries = (found.rglob("*") if Recurse else found.iterdir()) if found.is_dir() else [found]
                for entry in sorted(entries):
                    named = Filter is None or cdxml.matches(Filter, entry.name)
                    if named and (not File or entry.is_file()) and (not Directory or entry.is_dir()):
                        yield file_object(call.host.files, entry)


def _of_certificates(call: Call, path: str, command: str) -> Iterator[PSRecord]:
    try:
        yield from trust.children(call.host, path)
    except FileNotFoundError:
        call.write_error(missing(path, command))


@cmdlets.cmdlet("Get-Item", default_set="Path", implemented_by=f"{_TYPE}.GetItemCommand")
def get_item(
    call: Call, Path: WantedPath = None, LiteralPath: LiteralPath = None, Force: Switch = False
) -> Iterator[PSRecord]:
    command = "GetItemCommand"
    for given in map(plain, LiteralPath or Path or []):
        if trust.is_certificate_path(given):
            try:
                yield trust.item(call.host, given)
            except FileNotFoundError:
                call.write_error(missing(given, command))
        elif registry_items.is_registry_path(given):
            yield from registry_items.item(call, given, command)
        else:
            yield from (file_object(call.host.files, found) for found in host_paths(call, given, command))


@cmdlets.cmdlet("Test-Path", default_set="Path", implemented_by=f"{_TYPE}.TestPathCommand")
def test_path(
    call: Call,
    Path: WantedPath = None,
    LiteralPath: LiteralPath = None,
    PathType: Annotated[str, Param(aliases=("Type",), choices=("Any", "Container", "Leaf"))] = "Any",
) -> Iterator[bool]:
    for given in map(plain, LiteralPath or Path or []):
        if trust.is_certificate_path(given):
            yield trust.exists(call.host, given)
        elif registry_items.is_registry_path(given):
            yield registry_items.exists(call, given) and PathType != "Leaf"
        else:
            folder, _, last = given.replace("/", "\\").rpartition("\\")
            files = call.host.files
            if cdxml.is_pattern(last):
                yield files.exists(folder) and any(cdxml.matches(last, entry.name) for entry in files.listing(folder))
                continue
            found = files.locate(given) if files.exists(given) else None
            wanted = {"Any": True, "Container": found and found.is_dir(), "Leaf": found and found.is_file()}[PathType]
            yield found is not None and bool(wanted)


@cmdlets.cmdlet("New-Item", default_set="pathSet", should_process=True, implemented_by=f"{_TYPE}.NewItemCommand")
def new_item(
    call: Call,
    Path: Annotated[list[str], Param(position=0, mandatory=True, pipeline="property")],
    Name: str | None = None,
    ItemType: Annotated[str, Param(aliases=("Type",))] = "File",
    Value: object = None,
    Force: Switch = False,
) -> Iterator[PSRecord]:
    command, files = "NewItemCommand", call.host.files
    for given in map(plain, Path):
        full = f"{given}\\{Name}" if Name else given
        if registry_items.is_registry_path(full):
            yield from registry_items.create(call, full, force=Force)
            continue
        directory = ItemType.lower() in ("directory", "container")
        if files.exists(full) and not (directory and Force) and not Force:
            message = (
                f"An item with the specified name {full} already exists."
                if directory
                else f"The file '{full}' already exists."
            )
            kind = "DirectoryExist" if directory else "NewItemIOError"
            call.write_error(_denied(message, kind, command, "ResourceExists" if directory else "WriteError", full))
            continue
        if directory:
            files.locate(full).mkdir(parents=True, exist_ok=True)
        else:
            files.write(full, str(Value or "").encode())
        yield file_object(files, files.locate(full))


@cmdlets.cmdlet("Remove-Item", default_set="Path", should_process=True, implemented_by=f"{_TYPE}.RemoveItemCommand")
def remove_item(
    call: Call,
    Path: WantedPath = None,
    LiteralPath: LiteralPath = None,
    Recurse: Switch = False,
    Force: Switch = False,
) -> Iterator[PSRecord]:
    command, files = "RemoveItemCommand", call.host.files
    for given in map(plain, LiteralPath or Path or []):
        if trust.is_certificate_path(given):
            try:
                trust.remove(call.host, given)
            except FileNotFoundError:
                call.write_error(missing(given, command))
            except PermissionError as error:
                call.write_error(
                    _denied(
                        str(error),
                        "System.Security.Cryptography.CryptographicException",
                        command,
                        "NotSpecified",
                        given,
                    )
                )
        elif registry_items.is_registry_path(given):
            registry_items.remove(call, given, command)
        else:
            for found in host_paths(call, given, command):
                if found.is_dir() and any(found.iterdir()) and not Recurse:
                    message = f"The item at {given} has children and the Recurse parameter was not specified."
                    call.write_error(_denied(message, "DirectoryNotEmpty", command, "WriteError", given))
                else:
                    files.remove(files.windows_path(found))
    yield from ()


def _denied(message: str, kind: str, command: str, category: str, target: str) -> CmdletError:
    return CmdletError(
        message,
        error_id=f"{kind},{_TYPE}.{command}",
        category=category,
        target=target,
        exception="System.IO.IOException",
    )


@cmdlets.cmdlet("Get-FileHash", default_set="Path", implemented_by=f"{_TYPE}.GetFileHashCommand")
def get_file_hash(
    call: Call,
    Path: WantedPath = None,
    LiteralPath: LiteralPath = None,
    Algorithm: Annotated[str, Param(position=1, choices=("SHA1", "SHA256", "SHA384", "SHA512", "MD5"))] = "SHA256",
) -> Iterator[PSRecord]:
    for given in map(plain, LiteralPath or Path or []):
        for found in host_paths(call, given, "GetFileHashCommand"):
            if found.is_file():
                digest = hashlib.new(Algorithm.lower(), found.read_bytes(), usedforsecurity=False).hexdigest().upper()
                properties = {"Algorithm": Algorithm, "Hash": digest, "Path": call.host.files.windows_path(found)}
                yield PSRecord((f"{_TYPE}.FileHashInfo", "System.Object"), properties)


@cmdlets.cmdlet("Get-Content", default_set="Path", implemented_by=f"{_TYPE}.GetContentCommand")
def get_content(
    call: Call,
    Path: WantedPath = None,
    LiteralPath: LiteralPath = None,
    Raw: Switch = False,
    TotalCount: Annotated[PSInt64 | None, Param(aliases=("First", "Head"))] = None,
) -> Iterator[str]:
    for given in map(plain, LiteralPath or Path or []):
        for found in host_paths(call, given, "GetContentCommand"):
            text = found.read_bytes().decode("utf-8-sig", "replace")
            if Raw:
                yield text
            else:
                yield from text.splitlines()[:TotalCount]
