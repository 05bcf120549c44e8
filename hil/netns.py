"""Run a program inside a network namespace; it dies with the process that started it.

``argv(namespace, command)`` gives the command line to start; as a program, this file enters the namespace and becomes
the command. One mechanism for root and for unprivileged users: when the namespace belongs to another user namespace,
that one is entered first (user_namespaces(7): its creator may), which only a process of one thread can do. Start it
from a thread that lives as long as the command shall: the kernel's parent-death signal follows the thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import sys
from collections.abc import Sequence

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_NS_GET_USERNS = 0xB701
_PR_SET_PDEATHSIG = 1
PRIORITY = -10
"""Niceness where it is permitted: a generator that waits for the processor measures the computer, not the device."""
NOT_STARTED = 125
"""Exit code when the namespace or the program cannot be had; the cause is on standard error."""


def path(namespace: str) -> str:
    """A path that setns(2) can open: a path as it is, or a name as ``ip netns`` knows it."""
    return namespace if "/" in namespace else f"/run/netns/{namespace}"


def argv(namespace: str, command: Sequence[str]) -> list[str]:
    """The command line that runs ``command`` inside ``namespace``."""
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), str(os.getpid()), path(namespace), *command]


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _enter(namespace: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    network = os.open(namespace, os.O_RDONLY)
    owner = fcntl.ioctl(network, _NS_GET_USERNS)
    mine, theirs = os.stat("/proc/self/ns/user"), os.fstat(owner)
    if (mine.st_dev, mine.st_ino) != (theirs.st_dev, theirs.st_ino):
        _check(libc.setns(owner, _CLONE_NEWUSER))
    _check(libc.setns(network, _CLONE_NEWNET))
    os.close(owner)
    os.close(network)


def prefer() -> None:
    """Put this process before ordinary ones, where it has the right to."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)


def _main(parent: int, namespace: str, command: list[str]) -> int:
    prefer()
    try:
        _enter(namespace)
    except OSError as error:
        print(f"cannot enter the network namespace {namespace}: {error.strerror}", file=sys.stderr)
        return NOT_STARTED
    # after setns: a change of credentials clears the signal
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return NOT_STARTED
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_STARTED


if __name__ == "__main__":
    sys.exit(_main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
