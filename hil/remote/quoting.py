"""Command lines as Windows programs take them apart.

Rules: "Parsing C++ command-line arguments" and CommandLineToArgvW, learn.microsoft.com. OpenSSH hands an exec request
to the default shell; under cmd.exe the line is ``cmd /c "line"`` (openssh-psrp.md, 1.4), so cmd's own signs count too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hil.errors import UsageError

_PLAIN = re.compile(r"[A-Za-z0-9_\-./\\:,@+=*?]+")
_CMD_SIGNS = frozenset("&|<>^()!%")


def join(args: Sequence[str]) -> str:
    """One command line that the program takes apart into exactly ``args``, also with cmd.exe between.

    Raises UsageError for what cannot be said safely: line ends, NUL, %VARIABLE%, and a quote together with cmd's signs.
    """
    return " ".join(map(quote, args))


def quote(arg: str) -> str:
    """One argument: bare when it is plain, else in quotes, with backslashes doubled before quotes."""
    if _PLAIN.fullmatch(arg):
        return arg
    if re.search(r"[\0\r\n]|%[^%]+%", arg) or ('"' in arg and _CMD_SIGNS & set(arg)):
        raise UsageError(
            "an argument for a Windows program", seen=repr(arg), where="the command line over SSH",
            next_step="send it with PowerShell, as a parameter of a command, or in a file",
        )  # fmt: skip
    doubled = re.sub(r'(\\*)(?="|\Z)', r"\1\1", arg)
    return '"' + doubled.replace('"', '\\"') + '"'
