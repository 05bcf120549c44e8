"""A user namespace of one's own, on computers that let one make it and then forbid to use it."""

from __future__ import annotations

import subprocess
import sys

REFUSED = """
import os
from pathlib import Path
from hil.virtual import user_namespace

def refuse(path, text):
    raise PermissionError(1, "Operation not permitted", str(path))

user_namespace._CAP_SYS_ADMIN = 63  # no user has that one
Path.write_text = refuse
before = os.readlink("/proc/self/ns/user"), os.getuid()
entered = user_namespace.become_root_inside()
print(entered, before == (os.readlink("/proc/self/ns/user"), os.getuid()))
"""


def test_namespace_that_cannot_be_used():
    """Where AppArmor refuses the maps of a new namespace, the bench goes on outside of it, without a wire.

    Else nobody without root on Ubuntu 24.04 gets a bench at all, where only the wire's tests are to be skipped.
    """
    ended = subprocess.run([sys.executable, "-c", REFUSED], capture_output=True, text=True, check=False, timeout=30)
    assert ended.stdout.split() == ["False", "True"], ended.stderr
