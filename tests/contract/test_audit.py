"""Whatever is changed in the database behind the server's back, the verifier names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, insert

from backend.audit import witness
from backend.audit.verify import Broken, verify
from backend.kernel.keys import SigningKey, load_jwk
from backend.storage import tables
from sync.writing.local import Act
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import World


@pytest.fixture
def written(both: World) -> World:
    """A world in which a round was walked, a place changed and something refused."""
    h = Hand(both).signed_in("PAT")
    round_, opened = h.open()
    h.visit(round_, "K")
    h.put(b"poison")
    h.close_round(round_, after=[opened])
    h.told()
    both.desk("ADM", Act("place", "change", both.ids["K"], {"name": "改名"}, base=1))
    held = store.verified(both)
    assert (held.operations, held.versions) == (15, 14)
    return both


def everything(world: World) -> list[list[Any]]:
    """All rows of all tables."""
    return [store.rows(world, table) for table in tables.metadata.sorted_tables]


def put_back(world: World, before: list[list[Any]]) -> None:
    """The whole database as it was."""
    with world.services.store.writing() as connection:
        for table, rows in zip(tables.metadata.sorted_tables, before, strict=True):
            connection.execute(delete(table))
            if rows:
                connection.execute(insert(table), [row._asdict() for row in rows])


def last_terminal(world: World) -> dict[str, Any]:
    return {"terminal": store.rows(world, tables.operations, status="quarantined")[0].terminal}


def remove(world: World, table: Any, **where: Any) -> None:
    with world.services.store.writing() as connection:
        gone = connection.execute(delete(table).where(*(table.c[name] == value for name, value in where.items())))
        assert gone.rowcount > 0


def altered(table: Any, where: Callable[[World], dict[str, Any]], **values: Any) -> Callable[[World], None]:
    return lambda world: store.alter(world, table, where(world), **values)


def removed(table: Any, where: Callable[[World], dict[str, Any]]) -> Callable[[World], None]:
    return lambda world: remove(world, table, **where(world))


def forge_head(world: World) -> None:
    """A head over everything as it stands, by another key."""
    state = store.one(world, tables.facilities)
    payload = {"facility": "TEST", "epoch": 1, "size": state.size, "root": "A" * 43, "at": "2026-11-22T03:14:15.123Z"}
    store.alter(world, tables.facilities, {}, head=SigningKey.generate().sign({"typ": "roundsman-head+jwt"}, payload))


def add_a_record(world: World) -> None:
    row = store.one(world, tables.records, id=world.ids["K"])._asdict()
    with world.services.store.writing() as connection:
        connection.execute(insert(tables.records), row | {"id": "0", "seq": 999})


ACTS: dict[str, tuple[Callable[[World], None], str]] = {
    "a leaf is edited": (altered(tables.leaves, lambda _: {"position": 7}, body=b'{"act":"x"}'), "a leaf was changed"),
    "a leaf is taken out": (removed(tables.leaves, lambda _: {"position": 7}), "leaf 7 is missing"),
    "the log's tail is cut": (
        lambda w: remove(w, tables.leaves, position=store.one(w, tables.facilities).size - 1), "its signed head"),
    "the count is turned back": (altered(tables.facilities, lambda _: {}, size=3), "the signed head speaks of"),
    "a head is forged": (forge_head, "signature is not the server's"),
    "an old head's root is edited": (
        altered(tables.tree_heads, lambda _: {"size": 2}, root=b"\0" * 32), "the head of size 2"),
    "an operation's bytes are edited": (
        altered(tables.operations, lambda w: last_terminal(w) | {"n": 2}, raw=b"{}"), "operation 2 of terminal"),
    "an operation's outcome is edited": (
        altered(tables.operations, lambda w: last_terminal(w) | {"n": 3}, outcome=b"{}"), "differs from its leaf"),
    "a refusal is made good": (
        altered(tables.operations, lambda w: last_terminal(w) | {"n": 3}, status="applied"), "differs from its leaf"),
    "an operation is taken out": (
        removed(tables.operations, lambda w: last_terminal(w) | {"n": 2}), "operation 2 of terminal"),
    "a chain's end is taken out": (
        removed(tables.operations, lambda w: last_terminal(w) | {"n": 4}), "operation 4 of terminal"),
    "a terminal's key is changed": (
        altered(tables.terminals, last_terminal, thumbprint="x"), "has another key than its thumbprint says"),
    "a terminal is taken out": (removed(tables.terminals, last_terminal), "is no longer there"),
    "a record is edited": (
        altered(tables.records, lambda w: {"id": w.ids["p1"]}, body=b"{}"), "version 1 of record"),
    "an old version is edited": (
        altered(tables.versions, lambda w: {"id": w.ids["K"]}, body=b"{}"), "version 1 of record"),
    "an old version is taken out": (
        removed(tables.versions, lambda w: {"id": w.ids["K"]}), "version 1 of record"),
    "a record is taken out": (removed(tables.records, lambda w: {"id": w.ids["p1"]}), "has a leaf but is no longer there"),
    "a record is moved to another partition": (
        altered(tables.records, lambda w: {"id": w.ids["p1"]}, partition="place/x/base"), "filed under other columns"),
    "a person is released in a column alone": (
        altered(tables.records, lambda w: {"id": w.ids["p1"]}, state="released"), "filed under other columns"),
    "a record is hidden below every cursor": (
        altered(tables.records, lambda w: {"id": w.ids["p1"]}, seq=0), "filed under other columns"),
    "a record is put in": (add_a_record, "version 2 of record 0 has no leaf"),
}  # fmt: skip


def test_whatever_is_done_behind_the_server_s_back_is_named(written: World) -> None:
    before, found = everything(written), {}
    for name, (do, _) in ACTS.items():
        do(written)
        try:
            found[name] = str(store.verified(written))
        except Broken as broken:
            found[name] = str(broken)
        put_back(written, before)
    assert {name: said for name, said in found.items() if ACTS[name][1] not in said} == {}
    store.verified(written)


def test_a_witness_shows_a_log_that_was_turned_back_whole(written: World) -> None:
    """Every row of the later state is gone, and what is left holds in itself; the head kept elsewhere knows better."""
    folder, key = written.folder / "witness", load_jwk(written.services.keyring.head.jwk)
    before = everything(written)
    h = Hand(written).signed_in("PAT")
    h.open()
    h.told()
    assert witness.keep(folder, "TEST", store.one(written, tables.facilities).head)
    put_back(written, before)
    assert store.verified(written).operations == 15
    with pytest.raises(Broken, match="its tail was cut"):
        verify(written.services.store, "TEST", key, witness.recall(folder, "TEST"))


def test_a_witness_of_another_log_of_the_same_size_is_no_match(written: World) -> None:
    key = written.services.keyring.head
    state = store.one(written, tables.facilities)
    other = {"facility": "TEST", "epoch": 1, "size": state.size, "root": "A" * 43, "at": "2026-11-22T03:14:15.123Z"}
    with pytest.raises(Broken, match="not the one whose head"):
        verify(written.services.store, "TEST", load_jwk(key.jwk), key.sign({"typ": "roundsman-head+jwt"}, other))


def test_a_witness_keeps_the_largest_head_it_has_seen(written: World) -> None:
    folder = written.folder / "witness"
    assert witness.recall(folder, "TEST") is None
    old = store.one(written, tables.facilities).head
    assert witness.keep(folder, "TEST", old)
    written.code()
    new = store.one(written, tables.facilities).head
    assert [witness.keep(folder, "TEST", each) for each in (old, new, new, old)] == [False, True, False, False]
    assert witness.recall(folder, "TEST") == new
    assert [path.name for path in folder.iterdir()] == ["TEST.head"]
    verify(written.services.store, "TEST", load_jwk(written.services.keyring.head.jwk), new)


def test_nothing_is_verified_of_a_facility_that_is_not_there(both: World) -> None:
    with pytest.raises(LookupError):
        store.verified(both, "NOWHERE")
