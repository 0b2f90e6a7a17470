"""Alembic's entry: migrations run on the connection, and in the transaction, that they are given."""

from __future__ import annotations

from alembic import context

from backend.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
