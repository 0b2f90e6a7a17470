"""Proofs out of the store: of logs of any length, of epochs that have ended, and of kept nodes that somebody edits."""

from __future__ import annotations

import importlib
import random
from typing import Any

import orjson
import pytest
from sqlalchemy import delete, event

from backend.audit import epochs, merkle, proofs
from backend.audit.log import append
from backend.audit.verify import Broken
from backend.identity import facilities, terminals
from backend.kernel.ids import unb64
from backend.storage import tables
from backend.storage.door import Transaction
from headless.proof import Key, new_key
from tests.support import store
from tests.support.caller import NOBODY, Caller, is_problem
from tests.support.world import FACILITY, World

FULL = 256
LONG = FULL * FULL + 3 * FULL + 7


def grows(world: World, count: int) -> None:
    """So many leaves more, in one transaction."""

    def work(transaction: Transaction) -> None:
        for number in range(count):
            append(transaction, "test.leaf", {"number": number})

    world.services.door.write(FACILITY, work)


def hashes(world: World, epoch: int = 1) -> list[bytes]:
    """The leaf hashes of the log."""
    return [merkle.leaf_hash(row.body) for row in store.rows(world, tables.leaves, epoch=epoch)]


def root(leaves: list[bytes]) -> bytes:
    return merkle.root(merkle.extend(0, [], leaves)[1])


@pytest.fixture
def grown(both: World) -> World:
    """A log of a few blocks of 256 leaves, with heads of many sizes."""
    for count in (1, 200, 3, 255, 1, 300, 2, 77):
        grows(both, count)
    return both


def test_any_two_heads_are_proved_to_be_of_one_log(grown: World) -> None:
    heads = store.rows(grown, tables.tree_heads)
    assert heads[-1].size > 3 * FULL
    with grown.services.store.reading() as connection:
        for one in heads:
            for other in heads:
                if one.size <= other.size:
                    path = proofs.consistency(connection, FACILITY, 1, one.size, other.size)
                    merkle.verify_consistency(one.size, other.size, one.root, other.root, path)


def test_any_leaf_is_proved_to_be_in_every_head_after_it(grown: World) -> None:
    leaves, heads = hashes(grown), store.rows(grown, tables.tree_heads)
    chance = random.Random("leaves")
    with grown.services.store.reading() as connection:
        for head in heads:
            for position in {0, head.size - 1, *(chance.randrange(head.size) for _ in range(5))}:
                path = proofs.inclusion(connection, FACILITY, 1, position, head.size)
                merkle.verify_inclusion(leaves[position], position, head.size, path, head.root)


def test_what_is_not_there_is_not_proved(grown: World) -> None:
    size = store.one(grown, tables.facilities).size
    with grown.services.store.reading() as connection:
        for facility, epoch, of_size in ((FACILITY, 1, size + 1), (FACILITY, 2, 1), ("NOWHERE", 1, 1)):
            with pytest.raises(LookupError):
                proofs.consistency(connection, facility, epoch, 1, of_size)
            with pytest.raises(LookupError):
                proofs.inclusion(connection, facility, epoch, 0, of_size)
        for first, second in ((0, 1), (2, 1)):
            with pytest.raises(ValueError):
                proofs.consistency(connection, FACILITY, 1, first, second)
        with pytest.raises(ValueError):
            proofs.inclusion(connection, FACILITY, 1, 1, 1)


def test_a_log_that_has_ended_is_proved_as_before(grown: World) -> None:
    before = store.rows(grown, tables.tree_heads)
    epochs.open_epoch(grown.services.door, grown.services.highwater, FACILITY, "failover", "test")
    grows(grown, FULL + 5)
    with grown.services.store.reading() as connection:
        path = proofs.consistency(connection, FACILITY, 1, before[3].size, before[-1].size)
        merkle.verify_consistency(before[3].size, before[-1].size, before[3].root, before[-1].root, path)
        assert proofs.size_of(connection, FACILITY, 1) == before[-1].size
        leaves = hashes(grown, 2)
        path = proofs.inclusion(connection, FACILITY, 2, 3, len(leaves))
        merkle.verify_inclusion(leaves[3], 3, len(leaves), path, root(leaves))
    store.verified(grown)


def test_a_proof_of_a_long_log_reads_few_rows(small: World) -> None:
    """65,536 leaves and more: kept nodes of two levels stand for nearly all of them."""
    grows(small, LONG - store.one(small, tables.facilities).size)
    leaves, asked = hashes(small), list[Any]()
    assert {row.level for row in store.rows(small, tables.nodes)} == {8, 16}
    event.listen(small.services.store.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    chance = random.Random("long")
    with small.services.store.reading() as connection:
        for _ in range(6):
            second = chance.randrange(2, LONG + 1)
            first, position = chance.randrange(1, second), chance.randrange(second)
            asked.clear()
            path = proofs.consistency(connection, FACILITY, 1, first, second)
            assert len(asked) < 30
            merkle.verify_consistency(first, second, root(leaves[:first]), root(leaves[:second]), path)
            log = proofs._Log(connection, FACILITY, 1, second)
            found = log.roots(merkle.inclusion(position, second))
            assert sum(map(len, log._known.values())) <= 2 * 3 * FULL
            merkle.verify_inclusion(leaves[position], position, second, found, root(leaves[:second]))
    store.verified(small)


def test_an_older_store_gets_the_nodes_that_it_would_have_kept(grown: World) -> None:
    migration = importlib.import_module("backend.storage.migrations.versions.0008_proofs")
    epochs.open_epoch(grown.services.door, grown.services.highwater, FACILITY, "failover", "test")
    grows(grown, 2 * FULL)
    with grown.services.store.reading() as connection:
        made = list(migration._full(connection))
    kept = [row._asdict() for row in store.rows(grown, tables.nodes)]
    assert sorted(made, key=place) == sorted(kept, key=place)
    assert len(kept) == 5
    assert migration._kid(store.one(grown, tables.facilities).head) == store.one(grown, tables.facilities).key


def place(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["epoch"], row["level"], row["position"]


EDITS: dict[str, Any] = {
    "edited": lambda row: {**row, "hash": b"\0" * 32},
    "moved": lambda row: {**row, "position": 99},
    "of another level": lambda row: {**row, "level": 16},
    "taken out": lambda _: None,
}


@pytest.mark.parametrize("how", EDITS)
def test_a_kept_node_that_somebody_edits_is_named(grown: World, how: str) -> None:
    row = store.rows(grown, tables.nodes)[1]._asdict()
    with grown.services.store.writing() as connection:
        connection.execute(delete(tables.nodes).where(tables.nodes.c.position == 1))
        changed = EDITS[how](row)
        if changed is not None:
            connection.execute(tables.nodes.insert(), changed)
    with pytest.raises(Broken, match="the root of subtree 1 of level 8 of epoch 1 is not that of its leaves"):
        store.verified(grown)


def test_a_node_too_many_is_named_and_a_part_that_is_missing_is_not_made_up(grown: World) -> None:
    row = store.rows(grown, tables.nodes)[0]._asdict()
    with grown.services.store.writing() as connection:
        connection.execute(tables.nodes.insert(), row | {"position": 7})
    with pytest.raises(Broken, match="the root of subtree 7 of level 8"):
        store.verified(grown)
    with grown.services.store.writing() as connection:
        connection.execute(delete(tables.nodes))
    with grown.services.store.reading() as connection, pytest.raises(LookupError):
        proofs.consistency(connection, FACILITY, 1, 600, 700)


# By route


@pytest.fixture
def caller(grown: World) -> Caller:
    return Caller.of(grown, NOBODY)


def asked(caller: Caller, what: str, **query: Any) -> Any:
    return caller.ask("GET", f"/v1/audit/{what}", query_string=query)


def told(caller: Caller, what: str, **query: Any) -> list[bytes]:
    response = asked(caller, what, **query)
    assert response.status_code == 200, response.data
    return [unb64(each) for each in orjson.loads(response.data)["proof"]]


def test_a_terminal_is_proved_what_it_asks_for_by_its_key_alone(grown: World, caller: Caller) -> None:
    one, other = store.rows(grown, tables.tree_heads)[4], store.rows(grown, tables.tree_heads)[-1]
    path = told(caller, "consistency", epoch=1, first=one.size, second=other.size)
    merkle.verify_consistency(one.size, other.size, one.root, other.root, path)
    path = told(caller, "inclusion", epoch=1, leaf=5, size=other.size)
    merkle.verify_inclusion(hashes(grown)[5], 5, other.size, path, other.root)
    assert told(caller, "consistency", epoch=1, first=other.size, second=other.size) == []


@pytest.mark.parametrize(
    ("what", "query", "status", "code"),
    [
        ("consistency", {"epoch": 1, "first": 0, "second": 1}, 422, "field.invalid"),
        ("consistency", {"epoch": 1, "first": 2, "second": 1}, 422, "field.invalid"),
        ("consistency", {"epoch": 1, "first": -1, "second": 1}, 422, "field.invalid"),
        ("consistency", {"epoch": 1, "first": "x", "second": 1}, 422, "field.invalid"),
        ("consistency", {"epoch": 2**40, "first": 1, "second": 1}, 422, "field.invalid"),
        ("consistency", {"epoch": 1, "first": 1, "second": 2**70}, 422, "field.invalid"),
        ("consistency", {"epoch": 1, "first": 1}, 422, "field.missing"),
        ("consistency", {"epoch": 1, "first": 1, "second": 2, "facility": "X"}, 422, "field.unknown"),
        ("consistency", {"epoch": 1, "first": 1, "second": 2**52}, 404, "route.unknown"),
        ("consistency", {"epoch": 9, "first": 1, "second": 2}, 404, "route.unknown"),
        ("inclusion", {"epoch": 1, "leaf": 5, "size": 5}, 422, "field.invalid"),
        ("inclusion", {"epoch": 1, "leaf": 5, "size": 2**52}, 404, "route.unknown"),
        ("inclusion", {"epoch": 1, "leaf": -1, "size": 5}, 422, "field.invalid"),
    ],
)
def test_what_cannot_be_is_refused(what: str, query: dict[str, Any], status: int, code: str, small: World) -> None:
    response = asked(Caller.of(small, NOBODY), what, **query)
    assert response.status_code == status
    body = orjson.loads(response.data)
    assert code in {is_problem(response), *(each["code"] for each in body.get("errors", []))}


def test_each_terminal_is_told_of_its_own_facility(grown: World, caller: Caller) -> None:
    """The log is that of the key that asks; of another facility's log nothing is told, not even how long it is."""
    services = grown.services
    facilities.found(services.door, "OTHER", "另一看守所", "KSS", services.keyring.head)
    stranger = Caller(grown, Key(new_key()))
    code = terminals.make_code(services.door, "OTHER", "test")[0]
    terminals.enrol(services.door, code, "T", stranger.key.jwk)
    size = store.one(grown, tables.facilities, facility="OTHER").size
    other = told(stranger, "consistency", epoch=1, first=1, second=size)
    assert other != told(caller, "consistency", epoch=1, first=1, second=size)
    response = asked(stranger, "consistency", epoch=1, first=1, second=size + 1)
    assert (response.status_code, is_problem(response)) == (404, "route.unknown")
    unknown = asked(Caller(grown), "keys")
    assert (unknown.status_code, is_problem(unknown)) == (401, "terminal.unknown")
