"""The process of one virtual bench: ``python -m hil.virtual``, started by :mod:`hil.virtual.lab`.

Standard input, line 1: ``{"testbed": <a testbed with 'virtual'>, "state_dir": <an empty folder>}``.
Standard output, one line: ``{"testbed": <an ordinary testbed>, "pid": ..., "missing": {...}}``, or ``{"error": {...}}``
with the fields of :class:`hil.errors.HilError`. The bench lives until standard input ends or SIGTERM comes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from hil.errors import HilError
from hil.testbed.model import Testbed
from hil.virtual.user_namespace import become_root_inside


def main() -> int:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the harness, which ends the bench when it is done
    request = json.loads(sys.stdin.buffer.readline())
    become_root_inside()
    return asyncio.run(_serve(Testbed.model_validate(request["testbed"]), Path(request["state_dir"])))


async def _serve(described: Testbed, state_dir: Path) -> int:
    from hil.virtual.bench import VirtualBench

    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    loop.add_reader(sys.stdin.fileno(), over.set)
    bench: VirtualBench | None = None
    try:
        bench = VirtualBench(described, state_dir, loop)
        testbed = await bench.start()
        _say({"testbed": testbed.dump(), "pid": os.getpid(), "missing": bench.missing})
        await over.wait()
    except HilError as error:
        _say({"error": _fields(error)})
        return int(error.exit_code)
    finally:
        if bench:
            await bench.close()
        if over.is_set():  # whoever began this bench may be dead; one that failed leaves its log to be read
            shutil.rmtree(state_dir, ignore_errors=True)
    return 0


def _fields(error: HilError) -> dict[str, str]:
    names = ("wanted", "seen", "where", "tried", "next_step")
    return {"family": type(error).__name__, **{name: getattr(error, name) for name in names}}


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
