"""Persons and places: who is where, who has left, what was closed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.storage import tables
from headless.chain import uuid7
from sync.judging.ledger import HOLD_MS
from sync.writing.local import Act
from tests.samples import set_up
from tests.samples.persons import PERSON, whole
from tests.support import store
from tests.support.confirming import signed_by
from tests.support.hand import Hand
from tests.support.world import FACILITY, World, looked, person, place, tag

CLOSED = {"reason": "改建"}
MOMENT = "2026-11-22T03:00:00.000Z"
RELEASING = ("person", "release")
RELEASE = {"ground": "term_served", "document": "释字〔2026〕9号", "released_at": MOMENT, "note": None}


def doc(world: World, record: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(store.one(world, tables.records, id=record).body)["doc"]
    return found


def one(h: Hand, *written: Any, **other: Any) -> dict[str, Any]:
    h.write(*written, **other)
    (outcome,) = h.told(h.n, h.n)
    return outcome


def desk(world: World, name: str, *acts: Act) -> list[tuple[str, str | None]]:
    return [(each["status"], each.get("problem", {}).get("code")) for each in world.desk(name, *acts)]


def test_a_person_who_is_not_identified_is_marked_until_he_is(both: World) -> None:
    fields = whole(set_up(both, PERSON))
    h, record = Hand(both).signed_in("INT"), uuid7()
    unknown = {"code": "person.unidentified", "rule": None}
    assert one(h, "person", "create", record, fields)["marks"] == [unknown]
    assert doc(both, record) == fields
    moved = one(h, "person", "change", record, {"bed": "4"}, base=1, seen={"bed": "3"})
    assert moved["marks"] == [unknown]
    told = one(h, "person", "change", record, {"name": "测试"}, base=2, seen={"name": None})
    assert told["marks"] == []


def test_whoever_is_not_identified_is_told_apart_by_something(both: World) -> None:
    fields = whole(set_up(both, PERSON))
    h, record = Hand(both).signed_in("INT"), uuid7()
    one(h, "person", "create", record, fields)
    outcome = one(h, "person", "change", record, {"aliases": []}, base=1, seen={"aliases": fields["aliases"]})
    assert (outcome["status"], outcome["problem"]["field"]) == ("rejected", "fields.remarks")


def test_a_key_that_nobody_has_written_is_seen_as_null(both: World) -> None:
    p1, h = both.ids["p1"], Hand(both).signed_in("INT")
    assert "risk" not in doc(both, p1)
    outcome = one(h, "person", "change", p1, {"risk": "grade1"}, base=1, seen={"risk": None})
    assert outcome["status"] == "applied"
    assert doc(both, p1) == person(both, "p1") | {"risk": "grade1"}


def test_whoever_is_released_is_so_once_and_comes_back_without_it(both: World) -> None:
    p1, h = both.ids["p1"], Hand(both).signed_in("INT")
    seen = {"state": "held", "cell": both.ids["C1"]}
    outcome = one(
        h, "person", "release", p1, RELEASE, base=1, seen=seen, signoff=signed_by(h, *RELEASING, p1, 1, RELEASE)
    )
    assert outcome["status"] == "applied"
    assert doc(both, p1) == person(both, "p1") | {"state": "released", "cell": None, "release": RELEASE}
    seen = {"state": "released", "cell": None}
    again = one(
        h, "person", "release", p1, RELEASE, base=2, seen=seen, signoff=signed_by(h, *RELEASING, p1, 2, RELEASE)
    )
    assert (again["status"], again["problem"]["code"]) == ("rejected", "record.state")
    back = {"state": "held", "cell": both.ids["C2"]}
    assert one(h, "person", "change", p1, back, base=2, seen=seen)["status"] == "applied"
    assert doc(both, p1) == person(both, "p1") | back


def test_a_place_in_which_somebody_is_lodged_is_not_closed(both: World) -> None:
    cell = both.ids["C2"]
    close = Act("place", "close", cell, CLOSED, base=1)
    assert desk(both, "ADM", close) == [("rejected", "record.state")]
    moved = Act("person", "change", both.ids["p3"], {"cell": both.ids["C1"]}, base=1)
    assert desk(both, "INT", moved) == [("applied", None)]
    assert desk(both, "ADM", close) == [("applied", None)]
    assert store.one(both, tables.records, id=cell).state == "removed"
    back = Act("person", "change", both.ids["p3"], {"cell": cell}, base=2)
    assert desk(both, "INT", back) == [("rejected", "reference.unknown")]


def test_a_ward_is_not_closed(both: World) -> None:
    ward = uuid7()
    fields = place(both, "W") | {"code": "X"}
    assert desk(both, "ADM", Act("place", "create", ward, fields)) == [("applied", None)]
    assert desk(both, "ADM", Act("place", "close", ward, CLOSED, base=1)) == [("rejected", "record.state")]


@pytest.mark.parametrize(
    ("type_", "parent", "right"),
    [
        ("yard", "W", True), ("yard", None, True), ("gate", None, True), ("room", "W", True), ("room", "C1", False),
        ("cell", None, False), ("checkpoint", None, False), ("ward", "W", False), ("ward", None, True),
    ],
)  # fmt: skip
def test_what_stands_in_what(both: World, type_: str, parent: str | None, right: bool) -> None:
    fields = place(both, "K") | {"type": type_, "parent": both.ids[parent] if parent else None, "tags": []}
    status = desk(both, "ADM", Act("place", "create", uuid7(), fields))[0][0]
    assert status == ("applied" if right else "rejected")


def test_a_stop_whose_round_never_came_is_recorded_in_the_end(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    round_, opening = uuid7(), uuid7()
    said = {"round": round_, "place": both.ids["C1"], "tag": tag("C1"), "cell": looked(2), "note": None}
    unnamed = one(h, "patrol.visit", "record", uuid7(), said)
    named = one(h, "patrol.visit", "record", uuid7(), said, after=[opening])
    assert [each["status"] for each in (unnamed, named)] == ["held", "held"]
    assert (unnamed["missing"], named["missing"]) == ([{"record": round_}], [{"op": opening}])
    both.clock.advance(HOLD_MS + 1)
    both.services.commits.end_custody(FACILITY)
    for outcome in h.fetch(1, 2)["outcomes"]:
        assert outcome["status"] == "applied"
        assert [mark["code"] for mark in outcome["marks"]] == ["round.unknown", "dependency.missing"]


def test_what_a_cell_holds_told_of_a_checkpoint_is_marked(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    round_, _ = h.open()
    h.visit(round_, "K", cell=looked(0))
    assert h.told()[-1]["marks"] == [{"code": "cell.unexpected", "rule": None}]


def test_a_stop_at_a_place_that_was_closed_is_recorded(both: World) -> None:
    both.ids["C9"] = uuid7()
    fields = place(both, "C1") | {"code": "C9", "tags": [tag("K")["uid"]]}
    for act in (Act("place", "create", both.ids["C9"], fields), Act("place", "close", both.ids["C9"], CLOSED, base=1)):
        assert desk(both, "ADM", act) == [("applied", None)]
    h = Hand(both).signed_in("PAT")
    round_, _ = h.open()
    h.visit(round_, "C9", cell=looked(1), tag=tag("K"))
    assert h.told()[-1]["marks"] == [{"code": "place.closed", "rule": None}]
