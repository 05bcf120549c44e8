"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

UTC = sa.DateTime(timezone=True)


def upgrade() -> None:
    _make_names()
    _make_runs()
    _make_results()
    _make_measurements()
    _make_acceptances()


def _make_names() -> None:
    op.create_table(
        "benches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("controller", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_benches"),
        sa.UniqueConstraint("name", "controller", name="uq_benches_name_controller"),
    )
    op.create_table(
        "quantities",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_quantities"),
        sa.UniqueConstraint("name", "unit", name="uq_quantities_name_unit"),
    )
    op.create_table(
        "tests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tests"),
        sa.UniqueConstraint("name", name="uq_tests_name"),
    )


def _make_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("bench_id", sa.Integer(), nullable=False),
        sa.Column("started", UTC, nullable=False),
        sa.Column("ended", UTC),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("driver_sha256", sa.Text(), nullable=False),
        sa.Column("driver_version", sa.Text(), nullable=False),
        sa.Column("windows", sa.Text(), nullable=False),
        sa.Column("firmware", sa.Text(), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("hil", sa.Text(), nullable=False),
        sa.Column("faults", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("collected", sa.Integer(), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("error", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("interrupted", sa.Integer(), nullable=False),
        sa.Column("tests_s", sa.Double(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["bench_id"], ["benches.id"], name="fk_runs_bench_id"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.UniqueConstraint("uid", name="uq_runs_uid"),
    )
    op.create_index("ix_runs_bench_id_started", "runs", ["bench_id", "started"])
    op.create_index("ix_runs_driver_sha256", "runs", ["driver_sha256"])
    op.create_index("ix_runs_name", "runs", ["name"])
    op.create_index("ix_runs_started", "runs", ["started"])


def _make_results() -> None:
    op.create_table(
        "results",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("test_id", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("started", UTC, nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("first_error", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_results_run_id"),
        sa.ForeignKeyConstraint(["test_id"], ["tests.id"], name="fk_results_test_id"),
        sa.PrimaryKeyConstraint("run_id", "number", name="pk_results"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_results_family_run_id",
        "results",
        ["family", "run_id"],
        sqlite_where=sa.text("family != ''"),
        postgresql_where=sa.text("family != ''"),
    )
    op.create_index(
        "ix_results_test_id_run_id_verdict_duration_s", "results", ["test_id", "run_id", "verdict", "duration_s"]
    )


def _make_measurements() -> None:
    op.create_table(
        "measurements",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("result", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("quantity_id", sa.Integer(), nullable=False),
        sa.Column("test_id", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("at_least", sa.Double()),
        sa.Column("at_most", sa.Double()),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["quantity_id"], ["quantities.id"], name="fk_measurements_quantity_id"),
        sa.ForeignKeyConstraint(
            ["run_id", "result"], ["results.run_id", "results.number"], name="fk_measurements_run_id_result"
        ),
        sa.ForeignKeyConstraint(["test_id"], ["tests.id"], name="fk_measurements_test_id"),
        sa.PrimaryKeyConstraint("run_id", "result", "number", name="pk_measurements"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_measurements_quantity_id_test_id_run_id", "measurements", ["quantity_id", "test_id", "run_id"])


def _make_acceptances() -> None:
    op.create_table(
        "acceptances",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bench_id", sa.Integer(), nullable=False),
        sa.Column("test_id", sa.Integer(), nullable=False),
        sa.Column("quantity_id", sa.Integer(), nullable=False),
        sa.Column("since", UTC, nullable=False),
        sa.Column("accepted", UTC, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["bench_id"], ["benches.id"], name="fk_acceptances_bench_id"),
        sa.ForeignKeyConstraint(["quantity_id"], ["quantities.id"], name="fk_acceptances_quantity_id"),
        sa.ForeignKeyConstraint(["test_id"], ["tests.id"], name="fk_acceptances_test_id"),
        sa.PrimaryKeyConstraint("id", name="pk_acceptances"),
    )
    op.create_index(
        "ix_acceptances_bench_id_test_id_quantity_id", "acceptances", ["bench_id", "test_id", "quantity_id"]
    )
