"""Without root, a user namespace of one's own gives the rights over network namespaces (user_namespaces(7))."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_CAP_SYS_ADMIN = 21


def become_root_inside() -> bool:
    """Enter a new user namespace as its root, unless this process may make namespaces already. False when refused.

    To be called before any thread is started. The network stays the host's, so that loopback ports can be reached.
    """
    status = Path("/proc/self/status").read_text()
    effective = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:"))
    if effective >> _CAP_SYS_ADMIN & 1:
        return True
    return _can_enter() and _enter()


def _can_enter() -> bool:
    """Tried in a child: AppArmor (Ubuntu 24.04) lets one make a namespace and be nobody in it, with no way back."""
    child = os.fork()
    if child == 0:
        entered = False
        try:
            entered = _enter()
        finally:
            os._exit(0 if entered else 1)
    return os.waitpid(child, 0)[1] == 0


def _enter() -> bool:
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER) != 0:
        return False
    try:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            Path("/proc/self", name).write_text(text)
    except OSError:
        return False
    return True
