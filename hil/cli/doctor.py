"""``hil doctor``: what this computer can and cannot do as a controller, and how to mend it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from hil.errors import ExitCode


@dataclass(frozen=True)
class Finding:
    """One thing this computer has or lacks; without a ``required`` one no run is possible."""

    subject: str
    good: bool
    seen: str
    mend: str = ""
    required: bool = True


def doctor() -> int:
    """Say what this computer can and cannot do, and how to mend it."""
    findings = [*examine()]
    for finding in findings:
        word = "ok" if finding.good else "MISSING" if finding.required else "limited"
        print(f"{finding.subject:<22} {word:<8} {finding.seen}")
        if not finding.good:
            print(f"{'':<31} do: {finding.mend}")
    return int(ExitCode.OK if all(one.good or not one.required for one in findings) else ExitCode.USAGE)


def examine() -> Iterator[Finding]:
    """Each thing that a run needs or can use."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")
    yield _libraries()
    yield _program("iperf3", "throughput cannot be measured without it")
    yield _program("ip", "iproute2", required=False)
    yield from _wire()


def _libraries() -> Finding:
    missing = []
    for line in metadata.requires("hil") or ():
        requirement, _, condition = line.partition(";")
        name = requirement.partition(">")[0].partition("=")[0].strip()
        try:
            if "extra" not in condition:
                metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    return Finding("Python libraries", not missing, ", ".join(missing) or "all there", "./lab brings what is missing")


def _program(name: str, why: str, *, required: bool = True) -> Finding:
    path = shutil.which(name)
    package = {"ip": "iproute2"}.get(name, name)
    return Finding(name, path is not None, path or why, f"apt-get install {package}", required=required)


def _wire() -> Iterator[Finding]:
    """What the virtual bench needs for its wire: TAP devices and network namespaces."""
    tun = Path("/dev/net/tun")
    step = "modprobe tun, or pass /dev/net/tun into the container; tests of the wire are skipped without it"
    yield Finding("TAP devices", tun.exists(), str(tun), step, required=False)
    # root makes namespaces itself, anybody else needs a user namespace around them
    own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    unshare = shutil.which("unshare") or "unshare"
    try:
        made = subprocess.run([unshare, *own, "--net", "--mount", "true"], capture_output=True, text=True, timeout=10)
        allowed, seen = made.returncode == 0, made.stderr.strip() or ("as root" if not own else "in a user namespace")
    except OSError as error:
        allowed, seen = False, str(error)
    # the first on Debian, the second on Ubuntu from 24.04 on
    switches = "kernel.unprivileged_userns_clone=1 or kernel.apparmor_restrict_unprivileged_userns=0"
    step = f"run as root, or allow user namespaces (sysctl {switches}, whichever there is)"
    yield Finding("network namespaces", allowed, seen, step, required=False)
