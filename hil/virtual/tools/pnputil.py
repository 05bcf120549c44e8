"""pnputil.exe: driver packages. Devices are in :mod:`hil.virtual.tools.pnputil_devices`.

Verbs, texts and exit codes: reference windows/executables.json. Exit codes are Win32 or setup codes; 259 is "nothing
matched, or the device has a better driver", 3010 "done, reboot needed", 1 a bad command line, 5 not elevated.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hil.virtual.windows.setup_log import LogSection
from hil.virtual.windows.signing_policy import SetupError

if TYPE_CHECKING:
    from hil.virtual.tools import ToolCall
    from hil.virtual.windows.driver_store import StoredPackage

BANNER = "Microsoft PnP Utility\n"
ACCESS_DENIED, NO_MORE_ITEMS, REBOOT_REQUIRED, REBOOT_INITIATED = 5, 259, 3010, 1641
REBOOT_DELAY_S = 5.0
PROCESS = r"C:\Windows\System32\pnputil.exe"
REBOOT_INSTALL = "System reboot is needed to complete install operations!"
CLASS_NAMES = {"net": "Network adapters", "netservice": "Network Service", "nettrans": "Network Protocol"}
_LEGACY = {"-a": "/add-driver", "-d": "/delete-driver", "-e": "/enum-drivers", "-i": "/install", "-f": "/force"}
USAGE = r"""PNPUTIL [/add-driver <...> | /delete-driver <...> |
         /export-driver <...> | /enum-drivers |
         /disable-device <...> | /enable-device <...> |
         /restart-device <...> | /remove-device <...> |
         /scan-devices <...> | /enum-devices <...> |
         /?]
Commands:
  /add-driver <filename.inf | *.inf> [/subdirs] [/install] [/reboot]
  /delete-driver <oem#.inf> [/uninstall] [/force] [/reboot]
  /export-driver <oem#.inf | *> <target directory>
  /enum-drivers [/class <name | GUID>] [/files]
  /disable-device <instance ID | /deviceid <device ID>> [/reboot]
  /enable-device <instance ID | /deviceid <device ID>> [/reboot]
  /restart-device <instance ID | /deviceid <device ID>> [/reboot]
  /remove-device <instance ID | /deviceid <device ID>> [/subtree] [/reboot]
  /scan-devices [/instanceid <instance ID>] [/async]
  /enum-devices [/connected | /disconnected] [/instanceid <instance ID>] [/class <name | GUID>]
                [/problem [<code>]] [/deviceid <device ID>] [/deviceids] [/services] [/drivers]
  /?
"""


class UsageMistake(Exception):
    """The command line cannot be understood: the usage text, exit code 1."""


@dataclass(frozen=True)
class Options:
    """What follows a verb: values, and flags with the value that some take (in lower case)."""

    values: tuple[str, ...]
    flags: dict[str, str]

    @classmethod
    def read(cls, args: list[str], known: dict[str, str], *, values: tuple[int, int]) -> Options:
        """``known`` flags map to "", "value" or "optional"; ``values`` is how few and how many stand beside them."""
        rest, flags, found = list(args), {}, []
        while rest:
            word = rest.pop(0)
            if not word.startswith("/"):
                found.append(word)
                continue
            kind = known.get(word.lower())
            takes = bool(rest) and not rest[0].startswith("/")
            if kind is None or word.lower() in flags or (kind == "value" and not takes):
                raise UsageMistake(word)
            flags[word.lower()] = rest.pop(0) if kind and takes else ""
        if not values[0] <= len(found) <= values[1]:
            raise UsageMistake(" ".join(found))
        return cls(tuple(found), flags)

    def __contains__(self, flag: str) -> bool:
        return flag in self.flags


Verb = Callable[["ToolCall", list[str]], Awaitable[int]]


async def run(call: ToolCall) -> int:
    from hil.virtual.tools import pnputil_devices

    args = [_LEGACY.get(word.lower(), word) for word in call.args]
    args.sort(key=lambda word: word.lower() not in _VERBS)  # -i -a is -a -i
    verbs: dict[str, Verb] = _VERBS | pnputil_devices.VERBS
    verb = args[0].lower() if args else "/?"
    call.out(BANNER)
    if verb == "/?":
        call.out(USAGE)
        return 0
    try:
        if verb not in verbs:
            raise UsageMistake(verb)
        if not call.windows.elevated and not verb.startswith("/enum-"):
            call.out("Access is denied.")
            return ACCESS_DENIED
        return call.bench.faults.exit_code(await verbs[verb](call, args[1:]), verb=verb)
    except UsageMistake:
        call.out(USAGE)
        return 1


async def _add(call: ToolCall, args: list[str]) -> int:
    options = Options.read(args, {"/install": "", "/subdirs": "", "/reboot": ""}, values=(1, 1))
    found = _inf_paths(call, options.values[0], deep="/subdirs" in options)
    if not found:
        call.out("Failed to add driver package: Missing or invalid driver package specified.")
    code, added, reboot = 0 if found else 2, 0, False
    for path in found:
        result, new, needs_reboot = await _add_one(call, path, install="/install" in options)
        code, added, reboot = result or code, added + new, reboot or needs_reboot
    call.out(f"\nTotal driver packages:  {len(found)}\nAdded driver packages:  {added}")
    if not reboot or code:
        return code
    call.out(REBOOT_INSTALL)
    if "/reboot" not in options:
        return REBOOT_REQUIRED
    call.bench.machine.request_shutdown(
        restart=True, delay_s=REBOOT_DELAY_S, process=f"{PROCESS} ({call.windows.computer_name})",
        reason="Operating System: Reconfiguration (Planned)", code="0x80020004",
    )  # fmt: skip
    return REBOOT_INITIATED


async def _add_one(call: ToolCall, path: str, *, install: bool) -> tuple[int, bool, bool]:
    """Exit code, whether the package is new, whether a reboot is needed."""
    store, windows = call.windows.driver_store, call.windows
    title = f"Device Install (DiInstallDriver) - {path}" if install else f"SetupCopyOEMInf - {path}"
    log = LogSection(windows, title, _command(call))
    call.out(f"Adding driver package:  {path.rpartition(chr(92))[2]}")
    try:
        stored, new = store.stage(path, log)
    except SetupError as error:
        call.out(f"Failed to add driver package: {error.text}")
        log.close(error.code)
        return error.code, False, False
    call.out("Driver package added successfully." + ("" if new else " (Already exists in the system)"))
    call.out(f"Published Name:         {stored.published}")
    outcome = await store.install(stored, log) if install else {}
    for instance_id, installed in outcome.items():
        state = "installed" if installed else "is up-to-date"
        call.out(f"Driver package {state} on device: {instance_id}")
    nodes = [node for node in windows.devices.all() if outcome.get(node.instance_id)]
    code = NO_MORE_ITEMS if install and not any(outcome.values()) else 0
    log.close(code)
    return code, new, any(node.restart_needed for node in nodes)


def _inf_paths(call: ToolCall, pattern: str, *, deep: bool) -> list[str]:
    """INF files that a path, perhaps with wildcards in its last part, stands for."""
    files = call.windows.files
    folder, _, name = pattern.replace("/", "\\").rpartition("\\")
    if not any(mark in name for mark in "*?"):
        return [pattern] if name.lower().endswith(".inf") and files.exists(pattern) else []
    if not files.exists(folder):
        return []
    root = files.locate(folder)
    paths = sorted(root.rglob("*") if deep else root.iterdir())
    return [
        files.windows_path(path) for path in paths
        if path.suffix.lower() == ".inf" and fnmatch.fnmatch(path.name.lower(), name.lower())
    ]  # fmt: skip


async def _delete(call: ToolCall, args: list[str]) -> int:
    options = Options.read(args, {"/uninstall": "", "/force": "", "/reboot": ""}, values=(1, 1))
    uninstall, force, windows = "/uninstall" in options, "/force" in options, call.windows
    if uninstall and force:
        call.out("Ignoring /force when used with /uninstall to delete driver package.")
    name = options.values[0]
    title = f"Device Uninstall (DiUninstallDriver) - {name}" if uninstall else f"SetupUninstallOEMInf - {name}"
    log = LogSection(windows, title, _command(call))
    try:
        await windows.driver_store.delete(name, uninstall=uninstall, force=force and not uninstall, log=log)
    except SetupError as error:
        call.out(f"Failed to delete driver package: {error.text}")
        log.close(error.code)
        return error.code
    log.close(0)
    if uninstall:
        call.out("Driver package uninstalled.")
    call.out("Driver package deleted successfully.")
    return 0


async def _export(call: ToolCall, args: list[str]) -> int:
    name, target = Options.read(args, {}, values=(2, 2)).values
    store, files = call.windows.driver_store, call.windows.files
    chosen = store.all() if name == "*" else [stored for stored in (store.find(name),) if stored]
    if not files.exists(target) or not chosen:
        call.out("Failed to export driver package: The system cannot find the file specified")
        return 2
    for stored in chosen:
        call.out(f"Exporting driver package:   {stored.published}")
        folder = target if name != "*" else f"{target}\\{stored.folder.rpartition(chr(92))[2]}"
        for file in stored.package.files:
            files.copy_in(file.location, f"{folder}\\{file.path}")
        call.out("Driver package exported successfully.\n")
    call.out(f"Total driver packages:      {len(chosen)}\nExported driver packages:   {len(chosen)}")
    return 0


async def _enum_drivers(call: ToolCall, args: list[str]) -> int:
    options = Options.read(args, {"/class": "value", "/files": ""}, values=(0, 0))
    wanted = options.flags.get("/class", "").lower()
    shown = [
        stored for stored in call.windows.driver_store.all()
        if not wanted or wanted in (stored.package.inf.class_name.lower(), stored.package.inf.class_guid)
    ]  # fmt: skip
    if not shown:
        call.out("No published driver packages were found on the system.")
        return NO_MORE_ITEMS if wanted else 0
    for stored in shown:
        call.out("\n".join(_describe(stored, files="/files" in options)) + "\n")
    return 0


def _describe(stored: StoredPackage, *, files: bool) -> list[str]:
    package = stored.package
    class_name = package.inf.class_name
    lines = [
        f"Published Name:     {stored.published}",
        f"Original Name:      {stored.original_inf}",
        f"Provider Name:      {package.provider}",
        f"Class Name:         {CLASS_NAMES.get(class_name.lower(), class_name)}",
        f"Class GUID:         {package.inf.class_guid}",
        f"Driver Version:     {package.date:%m/%d/%Y} {package.version}",
        f"Signer Name:        {package.signer}",
    ]
    if files:
        lines += [f"Driver File:        {file.path}" for file in package.files]
    return lines


def _command(call: ToolCall) -> str:
    return " ".join(["pnputil", *call.args])


_VERBS: dict[str, Verb] = {
    "/add-driver": _add, "/delete-driver": _delete, "/export-driver": _export, "/enum-drivers": _enum_drivers,
}  # fmt: skip
