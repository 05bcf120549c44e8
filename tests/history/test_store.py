"""The database opens at any schema, in any number of processes, and says what is wrong when it does not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from a_run import NIGHT, a_run
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from hil.errors import UsageError
from hil.history import place, queries
from hil.history.importing import import_run
from hil.history.schema import REVISION, metadata
from hil.history.store import History, HistoryUnreachable, open_history
from hil.history.upgrade import MIGRATIONS, upgrade

NEXT = f"""
import sqlalchemy as sa
from alembic import op

revision, down_revision = "9999", "{REVISION}"

def upgrade():
    op.add_column("runs", sa.Column("weather", sa.Text(), server_default="fair"))
"""
OPEN = "import sys; from hil.history.store import History; input(); History(sys.argv[1]).close()"


def test_migrations_make_what_the_models_say(history):
    """What the migrations made is what the tables in the code are: else a query fails on one controller only."""
    with history.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_newest_migration_is_the_one_that_is_asked_for():
    """A migration that nobody asked for would never run."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_several_processes_make_the_tables_at_once(databases):
    """Two controllers meet a new database at the same moment: one makes the tables, the others wait for it."""
    url = databases.empty()
    opening = [
        subprocess.Popen([sys.executable, "-c", OPEN, url], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in opening:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[1] for process in opening] == ["", ""]
    assert [process.returncode for process in opening] == [0, 0]
    with History(url) as history, history.reading() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all() == [REVISION]


def test_an_upgrade_that_was_killed_is_done_again(databases):
    """Tables and the note of their version come together or not at all, so a half of them is never taken for all."""
    url = databases.empty()
    code = f"""
import os
from alembic.ddl.impl import DefaultImpl
from hil.history.store import History
made, create_table = [], DefaultImpl.create_table
def create(self, table, **options):
    made.append(table)
    create_table(self, table, **options)
    if len(made) == 3:
        os.kill(os.getpid(), 9)
DefaultImpl.create_table = create
History({url!r})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with History(url) as history, history.reading() as connection:
        assert queries.all_runs(connection) == []


def test_an_older_schema_is_upgraded_and_then_refused_by_the_old(url, tmp_path):
    """After an update of hil the history goes on with all its runs; a controller that was not updated leaves it alone.

    The old hil would write rows that the new one cannot read; the message says which version to install.
    """
    with History(url) as history:
        import_run(history, a_run(tmp_path / "night", NIGHT))
    newer = shutil.copytree(MIGRATIONS, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    (newer / "versions/v9999.py").write_text(NEXT)
    engine = sa.create_engine(url.replace("postgresql", "postgresql+psycopg", 1), poolclass=sa.NullPool)
    upgrade(engine, newer, "9999")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT name, weather FROM runs").all() == [("night", "fair")]
    with pytest.raises(UsageError, match=r"schema 9999: a newer hil made.*install that version") as caught:
        History(url)
    assert "swordfish" not in str(caught.value)


def test_a_transaction_takes_effect_as_a_whole(history):
    """A run is in the history with all its results, or it is not in it."""
    benches = metadata.tables["benches"]
    with pytest.raises(ZeroDivisionError), history.writing() as connection:
        connection.execute(benches.insert(), {"name": "desk", "controller": "lab"})
        connection.execute(sa.select(1 / 0))
    with history.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(benches)).scalar() == 0


@pytest.mark.parametrize(
    ("given", "environment", "where"),
    [
        (None, {}, "sqlite:////reports/history.sqlite"),
        (None, {"HIL_HISTORY": "postgresql://hil@db/hil"}, "postgresql://hil@db/hil"),
        ("/elsewhere/all.sqlite", {"HIL_HISTORY": "postgresql://hil@db/hil"}, "sqlite:////elsewhere/all.sqlite"),
    ],
)
def test_where_the_history_is(given, environment, where):
    """The command line goes before the environment, and that before the file beside the reports."""
    assert place.place(given, environment, Path("/reports")) == where


@pytest.mark.parametrize("url", ["mysql://root:swordfish@db/hil", "postgresql://hil:sword%fish@db:port/hil"])
def test_a_slip_in_the_url_is_told_without_its_password(url):
    """A URL has a password in it, and an error message goes into logs that many read."""
    with pytest.raises(UsageError, match="mend --history or HIL_HISTORY") as caught:
        History(place.place(url, {}, Path()))
    assert "fish" not in str(caught.value)


def test_a_server_that_does_not_answer_is_told_without_its_password():
    """The same for a server that is down; it is an error of its own, since it may be up again tomorrow."""
    with pytest.raises(HistoryUnreachable, match=r"OperationalError.*://hil:\*\*\*@127.0.0.1") as caught:
        History("postgresql://hil:swordfish@127.0.0.1:1/hil")
    assert "swordfish" not in str(caught.value)


def test_all_forms_of_a_password_are_masked():
    """As it is written in a URL, and as it is."""
    assert place.passwords("postgresql://hil:sw%C3%B6rd@db/hil?password=fish") == {"sw%C3%B6rd", "swörd", "fish"}
    assert place.passwords("sqlite:////reports/history.sqlite") == set()


def test_reading_makes_no_file(tmp_path, monkeypatch):
    """A name that was mistyped is told, not answered with an empty history."""
    monkeypatch.delenv("HIL_HISTORY")
    with pytest.raises(UsageError, match="no such file"):
        open_history(str(tmp_path / "no.sqlite"), tmp_path)
    with pytest.raises(UsageError, match="off"):
        open_history("off", tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_a_file_that_is_none_of_ours(tmp_path):
    """Some other file under this name is told, and left as it is."""
    (tmp_path / "x.sqlite").write_text("not a database, but long enough to be read as the head of one" * 20)
    with pytest.raises(HistoryUnreachable, match="file is not a database"):
        History(f"sqlite:///{tmp_path / 'x.sqlite'}")
