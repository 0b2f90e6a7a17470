"""The terminal in memory: gaps, edits, incarnations."""

from __future__ import annotations

import pytest

from headless import Broken, chain
from headless.scribe import Scribe
from headless.wire import Wire
from tests.headless.fake_world import World
from tests.headless.kit import CODE, SECRET, HandClock, Line


@pytest.fixture
def scribe(line: Line, clock: HandClock) -> Scribe:
    made = Scribe(Wire("http://fake", clock, line), clock)
    made.enrol(CODE, "load")
    made.sign_in("PAT", SECRET)
    return made


def opened(scribe: Scribe, world: World) -> str:
    return scribe.write("patrol.round", "open", chain.uuid7(), {"area": world.places["W"], "companions": []})


def test_a_push_that_is_sent_later_leaves_a_gap(scribe: Scribe, world: World) -> None:
    opened(scribe, world)
    late = scribe.pack()
    opened(scribe, world)
    assert [outcome["n"] for outcome in scribe.push()] == [2]
    chain_ = world.terminals[scribe.terminal]
    assert chain_.missing == [[1, 1]]
    assert [outcome["status"] for outcome in scribe.send(late)] == ["applied"]
    assert (chain_.next, chain_.missing) == (3, [])


def test_an_edit_says_what_was_seen(scribe: Scribe, world: World) -> None:
    person = world.person("C1")
    scribe.write("person", "change", person, {"name": "李四"}, base=1, seen={"name": "张三"})
    scribe.push()
    assert world.kept.rows[person]["doc"]["name"] == "李四"
    scribe.write("person", "change", person, {"name": "王五"}, base=1, seen={"name": "张三"})
    with pytest.raises(Broken, match="not applied"):
        scribe.push()


def test_a_new_incarnation_takes_along_what_was_not_packed(scribe: Scribe, world: World) -> None:
    opened(scribe, world)
    scribe.push()
    op = opened(scribe, world)
    scribe.renew()
    assert (scribe.incarnation, scribe.n, scribe.waiting) == (2, 1, 1)
    (outcome,) = scribe.push()
    assert (outcome["op"], outcome["status"]) == (op, "applied")
    scribe.sign_in("PAT", SECRET)
    opened(scribe, world)
    assert [outcome["n"] for outcome in scribe.push()] == [2]
