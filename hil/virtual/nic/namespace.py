"""Anonymous network namespaces: they live as long as this process holds them, and vanish with it, SIGKILL included."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hil.errors import BenchError

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000


class Namespace:
    """One network namespace, named by :attr:`path` while this process lives."""

    def __init__(self) -> None:
        with ThreadPoolExecutor(1) as thread:
            self._file = thread.submit(_unshare).result()
        self.path = f"/proc/{os.getpid()}/fd/{self._file}"

    def call(self, work: Callable[[], T]) -> T:
        """Run ``work`` on a thread inside; sockets and devices it opens stay there. Errors pass through."""
        with ThreadPoolExecutor(1) as thread:
            thread.submit(self._enter).result()
            return thread.submit(work).result()

    def fileno(self) -> int:
        return self._file

    def close(self) -> None:
        os.close(self._file)

    def _enter(self) -> None:
        _check(ctypes.CDLL(None, use_errno=True).setns(self._file, _CLONE_NEWNET))


def _unshare() -> int:
    try:
        _check(ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET))
    except OSError as error:
        raise BenchError(
            "a network namespace for the virtual wire",
            seen=f"unshare(CLONE_NEWNET): {error.strerror}",
            next_step="run as root, or with CAP_SYS_ADMIN, or allow unprivileged user namespaces (hil doctor says how)"
            if error.errno == errno.EPERM
            else "see user.max_net_namespaces and namespaces(7)",
        ) from error
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
