"""Run by Alembic, on the connection that :mod:`hil.history.upgrade` has opened and locked."""

from __future__ import annotations

from alembic import context

from hil.history.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
