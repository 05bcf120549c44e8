"""bcdedit.exe, as far as test signing goes (reference windows/executables.json).

Texts and codes without elevation are unconfirmed there; a set takes effect at the next boot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil.virtual.windows.boot_options import SecureBootProtects

if TYPE_CHECKING:
    from hil.virtual.tools import ToolCall

OK = "The operation completed successfully."
_SWITCHES = {"on": "Yes", "yes": "Yes", "true": "Yes", "1": "Yes", "off": "No", "no": "No", "false": "No", "0": "No"}
_BOOLEANS = ("testsigning", "nointegritychecks", "debug", "bootlog", "hypervisordebug")
_LOADER = (
    ("identifier", "{current}"), ("device", "partition=C:"), ("path", r"\WINDOWS\system32\winload.efi"),
    ("description", "Windows 11"), ("locale", "en-US"), ("inherit", "{bootloadersettings}"),
    ("osdevice", "partition=C:"), ("systemroot", r"\WINDOWS"), ("nx", "OptIn"), ("bootmenupolicy", "Standard"),
)  # fmt: skip


async def run(call: ToolCall) -> int:
    if not call.windows.elevated:
        call.err("The boot configuration data store could not be opened.\nAccess is denied.")
        return 1
    args = [word.lower() for word in call.args]
    if args in ([], ["/enum"], ["/enum", "{current}"], ["/v"]):
        return _enum(call)
    if args[0] in ("/set", "/deletevalue"):
        words = [word for word in args[1:] if word != "{current}"]
        if args[0] == "/set" and len(words) == 2:
            return _set(call, words[0], words[1])
        if args[0] == "/deletevalue" and len(words) == 1:
            return _delete(call, words[0])
    if args[0] == "/debug" and len(args) == 2:
        return _set(call, "debug", args[1])
    call.err(f'The command line "{" ".join(call.args)}" is not valid.\nRun "bcdedit /?" for command line assistance.\n'
             "The parameter is incorrect.")  # fmt: skip
    return 1


def _enum(call: ToolCall) -> int:
    lines = [f"{name:24}{text}" for name, text in (*_LOADER, *call.windows.boot_options.stored.items())]
    call.out("\nWindows Boot Loader\n-------------------\n" + "\n".join(lines))
    return 0


def _set(call: ToolCall, element: str, value: str) -> int:
    if element in _BOOLEANS:
        if value not in _SWITCHES:
            call.err("The element data type specified is not recognized, or does not apply to the\nspecified entry.\n"
                     'Run "bcdedit /?" for command line assistance.\nThe parameter is incorrect.')  # fmt: skip
            return 1
        value = _SWITCHES[value]
    try:
        call.windows.boot_options.set(element, value)
    except SecureBootProtects:
        call.err("An error has occurred setting the element data.\n"
                 "The value is protected by Secure Boot policy and cannot be modified or deleted.")  # fmt: skip
        return 1
    call.out(OK)
    return 0


def _delete(call: ToolCall, element: str) -> int:
    if not call.windows.boot_options.delete(element):
        call.err("An error occurred while attempting to delete the specified data element.\nElement not found.")
        return 1
    call.out(OK)
    return 0
