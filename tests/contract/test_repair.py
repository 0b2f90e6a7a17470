"""A group that fails is taken apart until only the operation that is to blame is set aside."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import orjson
import pytest
from sqlalchemy import text

from backend.records.persons import kind as persons
from headless import patrol
from headless.chain import uuid7
from headless.terminal import Terminal
from tests.support.world import World, looked, tag

pytestmark = pytest.mark.engines


def _visits(world: World, count: int) -> Terminal:
    terminal = world.terminal("PAT")
    terminal.pull()
    round_ = patrol.open_round(terminal, world.ids["W"])
    for _ in range(count):
        patrol.visit(terminal, round_, world.ids["C1"], tag=tag("C1"), cell=looked(2), note=None)
    return terminal


def test_an_operation_that_the_database_refuses_is_quarantined_and_its_neighbours_are_applied(both: World) -> None:
    terminal = both.terminal("PAT")
    terminal.pull()
    round_ = patrol.open_round(terminal, both.ids["W"])
    for note in ("first", "refused by the database", "third"):
        patrol.visit(terminal, round_, both.ids["C1"], tag=tag("C1"), cell=looked(2), note=note)
    _refuse(both, "refused by the database")
    outcomes = terminal.push()
    assert [o["status"] for o in outcomes] == ["applied", "applied", "quarantined", "applied"]
    assert outcomes[2]["problem"]["code"] == "server.fault"
    terminal.pull()
    assert sorted(row["doc"]["note"] for row in terminal.rows("patrol.visit")) == ["first", "third"]


def _refuse(world: World, note: str) -> None:
    """Makes the database itself refuse a body that contains the note."""
    with world.services.store.writing() as connection:
        if world.services.store.sqlite:
            connection.execute(
                text(
                    "CREATE TRIGGER refuse BEFORE INSERT ON records "
                    f"WHEN instr(NEW.body, CAST('{note}' AS BLOB)) > 0 BEGIN SELECT RAISE(ABORT, 'refused'); END"
                )
            )
        else:
            said = note.encode().hex()
            connection.execute(
                text(f"ALTER TABLE records ADD CONSTRAINT refuse CHECK (position('\\x{said}'::bytea in body) = 0)")
            )


@pytest.fixture
def faulty_kind() -> Iterator[None]:
    """The rules of `person` raise an error while the test lasts."""

    def broken(*_: object) -> None:
        raise RuntimeError("a fault in a kind")

    verb = persons.PERSON.verbs["create"]
    whole = verb.needs
    object.__setattr__(verb, "needs", broken)
    yield
    object.__setattr__(verb, "needs", whole)


def test_a_kind_whose_rules_fail_costs_nobody_elses_push(small: World, faulty_kind: None) -> None:
    desk = small.terminal("INT")
    fields = {"number": "n", "name": "甲", "sex": "m", "cell": small.ids["C1"], "state": "held"}
    desk.capture("person", "create", uuid7(), fields)
    walker = _visits(small, 2)
    done: list[list[dict[str, object]]] = []
    threads = [threading.Thread(target=lambda t=t: done.append(t.push())) for t in (desk, walker)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(orjson.dumps([o["status"] for o in outcomes]) for outcomes in done)
    assert statuses == [b'["applied","applied","applied"]', b'["quarantined"]']
