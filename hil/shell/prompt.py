"""The prompt itself: IPython where it is installed, else Python's own; ended by ``exit``, Ctrl-D or SIGTERM."""

from __future__ import annotations

import code
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from hil.errors import HilError
from hil.run.telling import sentences
from hil.shell.names import Namespace


class _Terminated(BaseException):
    """SIGTERM; no program at the prompt may take it for an error of its own."""


def prompt(names: Namespace, banner: str) -> None:
    """Until the person has had enough. Raises KeyboardInterrupt for SIGTERM."""
    try:
        import IPython  # noqa: F401
    except ModuleNotFoundError:
        _plain(names, f"{banner}\nPython's own prompt; IPython comes with the extra: pip install 'hil[shell]'\n")
    else:
        _ipython(names, banner)


def _ipython(names: Namespace, banner: str) -> None:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell
    from traitlets.config import Config

    config = Config()
    config.TerminalInteractiveShell.banner1, config.TerminalInteractiveShell.confirm_exit = "", False
    # it would look into objects that stand for instruments
    config.Completer.use_jedi = False
    shell: Any = TerminalInteractiveShell.instance(config=config, user_ns=names)

    def tell(_shell: object, _kind: type, error: HilError, _trace: object, tb_offset: object = None) -> None:
        del tb_offset
        print(sentences(error), file=sys.stderr)

    shell.set_custom_exc((HilError,), tell)
    print(banner)
    try:
        with _ended_by_sigterm(shell.ask_exit):
            shell.mainloop()
    finally:
        TerminalInteractiveShell.clear_instance()


class _Console(code.InteractiveConsole):
    """Python's own, with errors of ours in their sentences."""

    over = False

    def stop(self) -> None:
        self.over = True

    def raw_input(self, prompt: str = "") -> str:
        if self.over:
            raise EOFError
        return super().raw_input(prompt)

    def showtraceback(self) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, HilError):
            self.write(f"{sentences(error)}\n")
        else:
            traceback.print_exc()


def _plain(names: Namespace, banner: str) -> None:
    console = _Console(names)
    with _ended_by_sigterm(console.stop):
        console.interact(banner, exitmsg="")


@contextmanager
def _ended_by_sigterm(stop: Callable[[], None]) -> Iterator[None]:
    """The signal ends what runs at the prompt, and then the prompt; it is told as KeyboardInterrupt at the end."""
    told = False

    def over(_number: int, _frame: FrameType | None) -> None:
        nonlocal told
        told = True
        stop()
        raise _Terminated

    before = signal.signal(signal.SIGTERM, over)
    try:
        yield
    except _Terminated:
        told = True  # as it is where the prompt itself has caught it
    finally:
        signal.signal(signal.SIGTERM, before)
    if told:
        raise KeyboardInterrupt("SIGTERM")

