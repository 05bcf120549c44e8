"""A debugger for tests: takes kd's options, reads a dump's header, and writes what !analyze -v writes of it.

Called as ``kd_stand_in.py ROOT -z DUMP [-y SYMBOLS] -c COMMANDS``; ROOT is the folder that stands for the drive.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hil.windows.bugchecks import bugcheck_name
from hil.windows.dump import parse_header

TEXT = """\
Microsoft (R) Windows Debugger Version 10.0.26100.1 AMD64
Loading Dump File [{dump}]
Symbol search path is: {symbols}
{name}
Arguments:
Arg1: {first:016x}
SYMBOL_NAME:  hilnic!HilSend+1f
MODULE_NAME: hilnic
IMAGE_NAME:  hilnic.sys
FAILURE_BUCKET_ID:  0x{code:X}_hilnic!HilSend
"""


def main(root: str, *options: str) -> int:
    given = dict(zip(options[::2], options[1::2], strict=True))
    path = Path(root) / given["-z"].replace("\\", "/").removeprefix("C:/")
    if not path.is_file():
        print(f"Could not open dump file [{given['-z']}]")
        return 1
    header = parse_header(path.read_bytes())
    if given["-c"].endswith("q"):
        name, first = bugcheck_name(header.code), header.parameters[0]
        print(TEXT.format(dump=given["-z"], symbols=given.get("-y", ""), name=name, code=header.code, first=first))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
