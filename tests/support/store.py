"""Looking into an installation's store, past every door, to see what is really there."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Table, select, update

from backend.audit.verify import Verified, verify
from backend.storage import tables
from tests.support.world import FACILITY, World


def rows(world: World, table: Table, **where: Any) -> list[Any]:
    """Rows of a table by their key, those that match."""
    wanted = [table.c[name] == value for name, value in where.items()]
    statement = select(table).where(*wanted).order_by(*table.primary_key.columns)
    with world.services.store.reading() as connection:
        return list(connection.execute(statement).all())


def one(world: World, table: Table, **where: Any) -> Any:
    """The one row that matches."""
    (row,) = rows(world, table, **where)
    return row


def leaves(world: World, facility: str = FACILITY) -> list[dict[str, Any]]:
    """The log, in order."""
    return [orjson.loads(row.body) for row in rows(world, tables.leaves, facility=facility)]


def alter(world: World, table: Table, where: dict[str, Any], **values: Any) -> None:
    """Changes rows in the database itself, as no door of the server does."""
    with world.services.store.writing() as connection:
        wanted = [table.c[name] == value for name, value in where.items()]
        changed = connection.execute(update(table).where(*wanted).values(**values))
        assert changed.rowcount > 0


def verified(world: World, facility: str = FACILITY) -> Verified:
    """Verifies the whole log against the whole store. Raises Broken."""
    return verify(world.services.store, facility, world.services.keyring.heads, None)


def first_operation(world: World, facility: str = FACILITY) -> Any:
    """The first operation of a facility's own terminal, the server."""
    server = one(world, tables.facilities, facility=facility).server
    return one(world, tables.operations, facility=facility, terminal=server, n=1)
