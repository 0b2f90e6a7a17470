"""What the tests against the real server share: work to do, and whether both sides agree in the end."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select

from backend.storage import tables
from headless import Terminal, chain, patrol
from tests.support import store
from tests.support.world import Device, World

Told = list[tuple[int, str]]


def walked(terminal: Terminal, world: World, visits: int) -> str:
    """A round with visits, captured, not sent."""
    round_id = patrol.open_round(terminal, world.ids["W"])
    for _ in range(visits):
        patrol.visit(terminal, round_id, world.ids["K"], tag=None, cell=None, note="标签脱落")
    return round_id


def told(outcomes: list[dict[str, Any]]) -> Told:
    return [(each["n"], each["status"]) for each in outcomes]


def agreed(terminal: Terminal, world: World) -> None:
    """The present incarnation's numbers, bytes, hashes and outcomes are those of the server."""
    identity, held = terminal.identity, tables.operations.c
    wanted = select(held.n, held.raw, held.outcome, held.hash).where(
        held.terminal == identity.terminal, held.incarnation == identity.incarnation
    )
    with world.services.store.reading() as connection:
        taken = connection.execute(wanted.order_by(held.n)).all()
    mine = [queued for queued in terminal.queue() if queued.incarnation == identity.incarnation]
    assert [(each.n, each.raw, each.outcome, each.hash) for each in mine] == [
        (row.n, row.raw, orjson.loads(row.outcome), chain.b64u(row.hash)) for row in taken
    ]
    store.verified(world)


def same_rows(terminal: Terminal, world: World) -> None:
    """Every row held is the server's, byte for byte."""
    bodies = {row.id: row.body for row in store.rows(world, tables.records)}
    assert all(orjson.dumps(row) == bodies[row["id"]] for row in terminal.rows())
    digests = {row["partition"]: row["digest"] for row in terminal.store._all("SELECT * FROM cursors")}
    assert digests == terminal.store.audit()


def copied(terminal: Terminal, world: World) -> Path:
    terminal.store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(shutil.copy(terminal.store.path, world.folder / "copy.db"))


def reopened(file: Path, world: World) -> Terminal:
    return Terminal(file, "http://localhost", transport=world.transport(), clock=Device(world.clock))
