"""Bringing a store to the present schema with Alembic."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from backend.storage.engine import Store

_LOCK = 0x526F756E64736D61
"""Processes that start together on PostgreSQL migrate one after the other."""


class WrongSchema(SystemExit):
    """The store has a schema that this version of the server does not know."""


def config(connection: Connection | None = None) -> Config:
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    made.attributes["connection"] = connection
    return made


def revision(store: Store) -> str | None:
    """The schema that a store has; None: none of ours."""
    with store.reading() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@cache
def _history() -> tuple[frozenset[str], str | None]:
    """The revisions that this version knows, and the newest of them."""
    script = ScriptDirectory.from_config(config())
    return frozenset(each.revision for each in script.walk_revisions()), script.get_current_head()


def prepare(store: Store) -> None:
    """Upgrades the store if it is older. Raises WrongSchema if it is newer or foreign."""
    known, newest = _history()
    present = revision(store)
    if present == newest:
        return
    if present is not None and present not in known:
        raise WrongSchema(f"the store's schema {present} is not known to this version of the server")
    with store.writing() as connection:
        if not store.sqlite:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        command.upgrade(config(connection), "head")
