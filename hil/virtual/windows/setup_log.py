r"""``C:\Windows\INF\setupapi.dev.log``: one section for each operation on drivers and devices.

Layout after public logs (``>>>`` header, ``Section start``, indented lines with a three-letter source, ``!!!`` for
errors, ``<<<`` with the exit status).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.virtual.windows.system import Windows

PATH = r"C:\Windows\INF\setupapi.dev.log"


class LogSection:
    """One section in the making; :meth:`close` appends it to the file."""

    def __init__(self, windows: Windows, title: str, command: str) -> None:
        self._windows = windows
        self._lines = [f">>>  [{title}]", f">>>  Section start {_stamp(windows.now())}", f"      cmd: {command}"]

    def line(self, source: str, text: str) -> None:
        """``source`` is sto, sig, inf, dvi, ump, flq or pol."""
        self._lines.append(f"     {source}: {text}")

    def error(self, source: str, text: str) -> None:
        self._lines.append(f"!!!  {source}: {text}")

    def close(self, code: int) -> None:
        """``code`` is a Win32 or setup error, 0 for success."""
        status = "SUCCESS" if code == 0 else f"FAILURE(0x{code & 0xFFFFFFFF:08x})"
        self._lines += [f"<<<  Section end {_stamp(self._windows.now())}", f"<<<  [Exit status: {status}]", "", ""]
        log = self._windows.files.locate(PATH)
        with log.open("ab") as file:
            file.write("\r\n".join(self._lines).encode("utf-8"))


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y/%m/%d %H:%M:%S}.{moment.microsecond // 1000:03d}"
