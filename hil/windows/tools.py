"""Programs that tests need on the machine: which, and where they are put."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from hil.errors import UsageError
from hil.remote import transfer

if TYPE_CHECKING:
    from hil.remote import SshSession
    from hil.testbed import model

ROOT = r"C:\hil"
MODULE = rf"{ROOT}\Hil.psm1"
TOOLS = rf"{ROOT}\tools"


def tool_path(name: str) -> str:
    r"""Where a program that was sent lies: ``C:\hil\tools\iperf3.exe``; or a DLL, whose name has its ending."""
    return rf"{TOOLS}\{name if _is_dll(name) else f'{name}.exe'}"


def tool_name(path: str) -> str:
    """What :func:`tool_path` makes this path of."""
    return PureWindowsPath(path).name.removesuffix(".exe")


def _is_dll(name: str) -> bool:
    return name.lower().endswith(".dll")


def send_module(session: SshSession) -> bool:
    """The companion module; False when the machine has this very one."""
    with as_file(files("hil.windows") / "module" / "Hil.psm1") as local:
        return transfer.upload(session, local, MODULE)


def to_send(tools: model.Tools) -> dict[str, Path]:
    """Remote path to local file of each program that the testbed names, and of the DLLs beside it, which it may need.

    Raises UsageError for a program that is missing.
    """
    found: dict[str, Path] = {}
    for name, path in tools:
        if path is None:
            continue
        if not path.is_file():
            raise UsageError("a program to send to the machine", seen="no such file", where=str(path))
        found[tool_path(name)] = path
        found |= {tool_path(beside.name): beside for beside in sorted(path.parent.iterdir()) if _is_dll(beside.name)}
    return found


def send_tools(session: SshSession, tools: model.Tools) -> list[str]:
    """Send what differs; the remote paths that were written."""
    return [remote for remote, local in to_send(tools).items() if transfer.upload(session, local, remote)]
