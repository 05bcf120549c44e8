"""The tables. A change here needs a migration (``hil/history/migrations``); a test compares the two.

Rows are only ever added, but for a run's own row, which is filled in as more of the run is known.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

REVISION = "0001"
"""The newest migration; what a database must be at to be read and written."""

VERDICTS = ("passed", "failed", "error", "skipped", "interrupted")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s",
    }
)  # fmt: skip


class Utc(sa.TypeDecorator[datetime]):
    """An aware time on both databases; SQLite keeps none of a time's zone, so it keeps UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


benches = sa.Table(
    "benches", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("controller", sa.Text, nullable=False),
    sa.UniqueConstraint("name", "controller"),
)  # fmt: skip
"""A bench is what a testbed's name stands for on one controller, whose own speed is part of every figure."""

runs = sa.Table(
    "runs", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # of folder, start, testbed and controller: the same for a copy of the folder
    sa.Column("uid", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False, index=True),
    sa.Column("bench_id", sa.ForeignKey("benches.id"), nullable=False),
    sa.Column("started", Utc, nullable=False),
    sa.Column("ended", Utc),
    sa.Column("exit_code", sa.Integer),
    _text("reason"), _text("driver_sha256"), _text("driver_version"), _text("windows"), _text("firmware"),
    _text("verifier"), _text("seed"), _text("hil"), _text("faults"),
    # a JSON object: all that the run says of what was tested
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("collected", sa.Integer, nullable=False),
    *(sa.Column(verdict, sa.Integer, nullable=False) for verdict in VERDICTS),
    sa.Column("tests_s", sa.Double, nullable=False),
    # of its results.jsonl that were read: what was read from more lines takes the place of what was from fewer
    sa.Column("lines", sa.Integer, nullable=False),
    sa.Index(None, "bench_id", "started"),
    sa.Index(None, "started"),
    sa.Index(None, "driver_sha256"),
)  # fmt: skip

tests = sa.Table(
    "tests", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
)  # fmt: skip

results = sa.Table(
    "results", metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id"), primary_key=True),
    # in its run, from 1: a test may run more than once
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("test_id", sa.ForeignKey("tests.id"), nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("started", Utc, nullable=False),
    sa.Column("duration_s", sa.Double, nullable=False),
    # device, bench, usage or internal, of the first trouble
    _text("family"), _text("cause"), _text("first_error"), _text("bucket"), _text("verifier"),
    sa.Index(None, "test_id", "run_id", "verdict", "duration_s"),
    # few results have a family: those that went wrong
    sa.Index(None, "family", "run_id", sqlite_where=sa.text("family != ''"), postgresql_where=sa.text("family != ''")),
    sqlite_with_rowid=False,
)  # fmt: skip
"""``cause`` is equal for the same cause (:func:`hil.results.causes.cause_key`); of a skip it is the reason."""

quantities = sa.Table(
    "quantities", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.UniqueConstraint("name", "unit"),
)  # fmt: skip

measurements = sa.Table(
    "measurements", metadata,
    sa.Column("run_id", sa.Integer, primary_key=True),
    sa.Column("result", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("quantity_id", sa.ForeignKey("quantities.id"), nullable=False),
    sa.Column("test_id", sa.ForeignKey("tests.id"), nullable=False),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("at_least", sa.Double),
    sa.Column("at_most", sa.Double),
    # of its result, once more: a trend of many figures would have to look up as many results
    sa.Column("verdict", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(["run_id", "result"], ["results.run_id", "results.number"]),
    sa.Index(None, "quantity_id", "test_id", "run_id"),
    sqlite_with_rowid=False,
)  # fmt: skip

acceptances = sa.Table(
    "acceptances", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("bench_id", sa.ForeignKey("benches.id"), nullable=False),
    sa.Column("test_id", sa.ForeignKey("tests.id"), nullable=False),
    sa.Column("quantity_id", sa.ForeignKey("quantities.id"), nullable=False),
    sa.Column("since", Utc, nullable=False),
    sa.Column("accepted", Utc, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Index(None, "bench_id", "test_id", "quantity_id"),
)  # fmt: skip
"""A new baseline: runs of the bench from before ``since`` are not compared with any more."""
