"""A PostgreSQL server of its own, from Debian's package, in a folder; it ends with the process that started it."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hil.wait import wait_until

PROGRAMS = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("/nowhere"))
INSTALLED = (PROGRAMS / "postgres").exists()
MISSING = "PostgreSQL is not installed: apt-get install postgresql"
# it refuses to run as root; its package makes this user for it
USER = "postgres"
_PR_SET_PDEATHSIG = 1


class Server:
    """Running, reached by a socket in its folder alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, database: str) -> str:
        return f"postgresql://hil:swordfish@/{database}?host={self._folder}"

    def database(self, template: str = "template1") -> str:
        """The URL of a new one."""
        name = f"hil_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def execute(self, statement: str) -> None:
        engine = sa.create_engine(self.url("postgres").replace("postgresql", "postgresql+psycopg", 1))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def answers(self) -> bool:
        ready = [PROGRAMS / "pg_isready", "-q", "-h", self._folder]
        return subprocess.run(ready, check=False).returncode == 0


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Up while the block runs; nothing is synced to disk. The folder must be new, its path short (a socket's limit)."""
    folder.mkdir()
    if os.geteuid() == 0:
        _let_in(folder)
    options = ["-U", "hil", "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8"]
    initdb = [PROGRAMS / "initdb", "-D", folder / "data", *options]
    subprocess.run(initdb, **_as_user(), check=True, capture_output=True, cwd=folder)
    quick = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=", "max_connections=50")
    settings = [word for setting in (*quick, f"unix_socket_directories={folder}") for word in ("-c", setting)]
    with (folder / "log").open("wb") as log, subprocess.Popen(
        [PROGRAMS / "postgres", "-D", folder / "data", *settings],
        **_as_user(), cwd=folder, stdout=log, stderr=log, preexec_fn=_end_with_parent,
    ) as process:  # fmt: skip
        found = Server(folder)
        try:
            wait_until(found.answers, what="PostgreSQL to answer", timeout_s=30, interval_s=0.02)
            yield found
        finally:
            process.send_signal(signal.SIGINT)  # its fast shutdown


def _as_user() -> dict[str, Any]:
    """For subprocess."""
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}


def _let_in(folder: Path) -> None:
    """The server's user owns the folder, and can pass through those above it that are ours alone."""
    shutil.chown(folder, USER)
    for above in folder.parents:
        if above.stat().st_uid == os.geteuid() and not above.stat().st_mode & 0o001:
            above.chmod(above.stat().st_mode | 0o001)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
