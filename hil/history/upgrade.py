"""The database brought to the newest schema, by one process at a time; the others wait for it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from hil.errors import UsageError
from hil.history.schema import REVISION

MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = 0x68696C
"""Of PostgreSQL's advisory locks: "hil"."""


def upgrade(engine: Engine, migrations: Path = MIGRATIONS, newest: str = REVISION) -> None:
    """Make the tables, or bring older ones up to date; nothing to do costs one query.

    ``newest`` is the last one of ``migrations``. Raises UsageError for a schema that is newer; SQLAlchemyError and
    OSError pass through.
    """
    if _is_current(engine, newest):
        return
    with _alone(engine) as connection:
        if _revision(connection) == newest:
            return  # another process was quicker
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(migrations).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _is_current(engine: Engine, newest: str) -> bool:
    with engine.begin() as connection:
        found = _revision(connection)
    if found > newest:
        raise UsageError(
            f"a history of schema {newest} or older", seen=f"schema {found}: a newer hil made or upgraded it",
            where=engine.url.render_as_string(hide_password=True),
            next_step="install that version of hil here, or name another --history",
        )  # fmt: skip
    return found == newest


def _revision(connection: Connection) -> str:
    """Empty for a database that holds no history yet."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or "")


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other upgrade runs beside; all of an upgrade takes effect, or nothing."""
    if engine.dialect.name == "sqlite":
        with Path(f"{engine.url.database}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with engine.connect() as connection:
                # readers and one writer at a time do not wait for each other; kept in the file. Not in a transaction
                connection.connection.cursor().execute("PRAGMA journal_mode = WAL")
            with engine.execution_options(writes=True).begin() as connection:
                yield connection
        return
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        yield connection
