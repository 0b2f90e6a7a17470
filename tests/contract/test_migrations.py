"""An installation of the first version, with what it held, is brought to the present one and still verifies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import MetaData, func, insert, select

from backend.audit.verify import verify
from backend.identity import terminals
from backend.kernel.ids import derived
from backend.kernel.keys import load_jwk
from backend.storage import schema, tables
from backend.storage.engine import Store, sqlite_url
from headless.chain import b64u, uuid7
from sync.writing.local import Act
from tests.contract.test_digests import kept, recomputed
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import FACILITY, World

FIRST = "0001"


@pytest.fixture
def history(both: World) -> World:
    """Rounds, and records that were edited by one hand and by several."""
    h = Hand(both).signed_in("PAT")
    round_, opened = h.open()
    h.visit(round_, "K")
    h.close_round(round_, after=[opened])
    h.told()
    names_files(h)
    both.desk("INT", Act("person", "change", both.ids["p1"], {"cell": both.ids["C2"]}, base=1))
    clerk = Hand(both).signed_in("INT")
    for name, seen in (("某甲", "测试p1"), ("某乙", "某甲")):
        clerk.write("person", "change", both.ids["p1"], {"name": name}, base=2, seen={"name": seen})
    assert {outcome["status"] for outcome in clerk.told()} == {"applied"}
    both.desk("ADM", Act("place", "change", both.ids["C1"], {"name": "改名"}, base=1))
    return both


def names_files(h: Hand) -> None:
    """Operations that took effect, were refused, and were released from escrow, each with a file."""
    digests = [b64u(bytes([each]) * 32) for each in range(4)]
    h.changes = {"attachments": [*digests[:2], "A" * 42 + "B"]}
    h.open()
    h.changes = {"attachments": digests[2:3]}
    h.write("patrol.round", "open", uuid7(), {"area": 17})
    other = Hand(h.world).signed_in("PAT")
    terminals.revoke(h.world.services.door, FACILITY, other.terminal, "test")
    other.changes = {"attachments": digests[3:]}
    _, op = other.open()
    assert [each["status"] for each in (*h.told()[-2:], *other.evacuate().json()["outcomes"])] == [
        "applied", "rejected", "escrowed"
    ]  # fmt: skip
    fields = {"op": op, "reason": "为真"}
    assert h.world.desk("LEAD", Act("escrow", "release", derived(op, "escrow"), fields))[0]["status"] == "applied"


@pytest.fixture
def older(history: World, request: pytest.FixtureRequest) -> Iterator[Store]:
    """The same in a store of the first version: the tables and columns that it had."""
    sqlite = history.services.store.sqlite
    url = sqlite_url(history.folder / "older.sqlite3") if sqlite else request.getfixturevalue("postgres").fresh()
    made = Store(url)
    with made.writing() as connection:
        command.upgrade(schema.config(connection), FIRST)
    model = MetaData()
    with history.services.store.reading() as source, made.writing() as target:
        model.reflect(target)
        for table in model.sorted_tables:
            if table.name == "alembic_version":
                continue
            columns = [tables.metadata.tables[table.name].c[column.name] for column in table.columns]
            if rows := [dict(row) for row in source.execute(select(*columns)).mappings()]:
                target.execute(insert(table), rows)
    try:
        yield made
    finally:
        made.close()
        if not sqlite:
            request.getfixturevalue("postgres").drop(url)


def present(found: Store) -> dict[str, tuple[str, int]]:
    with found.reading() as connection:
        columns = tables.records.c
        rows = connection.execute(select(columns.id, columns.author, columns.since))
        return {row.id: (row.author, row.since) for row in rows}


def attachments(found: Store) -> set[tuple[object, ...]]:
    with found.reading() as connection:
        return {(bytes(row.digest), *row[2:]) for row in connection.execute(select(tables.attachments))}


def test_it_holds_what_it_would_hold_had_it_always_been_there(history: World, older: Store) -> None:
    assert schema.revision(older) == FIRST
    schema.prepare(older)
    assert schema.revision(older) == schema.revision(history.services.store)
    assert present(older) == present(history.services.store)
    assert attachments(older) == attachments(history.services.store)
    assert len(attachments(older)) == 5
    assert {since for _, since in present(older).values()} >= {1, 3}
    with older.reading() as connection:
        rows = connection.execute(select(tables.partitions)).all()
        assert connection.execute(select(func.count()).select_from(tables.terminals)).scalar_one() >= 2
    assert {row.partition: (row.present, row.digest) for row in rows if row.present} == {
        row.partition: (row.present, row.digest) for row in store.rows(history, tables.partitions) if row.present
    }
    assert kept(history) == recomputed(history)
    verify(older, FACILITY, load_jwk(history.services.keyring.head.jwk), None)
