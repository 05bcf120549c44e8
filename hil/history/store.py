"""The database: a file beside the reports, or a server by its URL. Safe to use from many processes at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from hil.errors import UsageError
from hil.history.place import OFF, VARIABLE, is_off, place
from hil.history.upgrade import upgrade

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_BUSY_S = 30
_POSTGRES = {
    "connect_timeout": 5, "tcp_user_timeout": 30_000, "options": "-c lock_timeout=30s -c statement_timeout=300s",
}  # fmt: skip
"""A server that hangs, or a lock that somebody forgot, must not hold up the end of a run (libpq, PostgreSQL)."""


class HistoryUnreachable(UsageError):
    """The database cannot be opened, read or written now. What runs recorded is in their folders and can come later."""


class History:
    """Open until ``close``; the schema is brought up to date at once.

    Raises UsageError for a URL that is none, a missing driver of the database or a schema that is newer than this hil,
    HistoryUnreachable for all that may be better later.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self.where = self._engine.url.render_as_string(hide_password=True)
        with self._explained():
            if self._engine.url.database and self._engine.dialect.name == "sqlite":
                Path(self._engine.url.database).parent.mkdir(parents=True, exist_ok=True)
            upgrade(self._engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """All queries in it see the same state. Raises HistoryUnreachable."""
        with self._explained(), self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":  # SQLite knows nothing else
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """All that is written in it takes effect at its end, or nothing. Raises HistoryUnreachable."""
        with self._explained(), self._engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            cause = getattr(error, "orig", None) or error
            raise HistoryUnreachable(
                "the history of earlier runs", seen=f"{type(cause).__name__}: {cause}".partition("\n")[0],
                where=self.where,
            ) from error  # fmt: skip


def open_history(given: str | None, reports: Path, *, create: bool = False) -> History:
    """The one that was named, or HIL_HISTORY, or the file in the folder of the reports; errors as of History.

    Raises UsageError for a file that is not there, unless it is to be made.
    """
    if is_off(given, os.environ):
        raise UsageError("a history", seen=OFF, next_step=f"name one: --history or {VARIABLE}")
    url = place(given, os.environ, reports)
    kind, _, file = url.partition(":///")
    if kind == "sqlite" and not create and not Path(file).exists():
        raise UsageError(
            "the history of earlier runs", seen="no such file", where=file,
            next_step="hil run makes it, and hil history import FOLDER, or name another --history",
        )  # fmt: skip
    return History(url)


def _engine(url: str) -> Engine:
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
            return sa.create_engine(parsed, poolclass=NullPool, connect_args=_POSTGRES)
        engine = sa.create_engine(parsed, poolclass=NullPool, connect_args={"timeout": _BUSY_S})
    except (ArgumentError, ValueError) as error:  # whose words may hold a part of the password
        raise UsageError(
            "the URL of a history, with what is not a letter or digit in its password as %XX",
            seen=type(error).__name__, next_step="mend --history or HIL_HISTORY",
        ) from None  # fmt: skip
    except ImportError as error:
        step = "pip install 'hil[postgres]'"
        raise UsageError("psycopg, the driver of PostgreSQL", seen=str(error), next_step=step) from error
    sa.event.listen(engine, "connect", _set_up_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _: object) -> None:
    # Python's module would begin transactions late and on its own terms; SQLAlchemy's guide to SQLite has this way out
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # a transaction that read before it writes cannot wait for another writer, it would fail
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
