"""Persons: who may be lodged with whom (rule A08), and what the rules of duty hear of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.domain.calendars import day_of
from backend.domain.lodging import clashes, minor
from backend.kernel.clock import to_text
from backend.storage import tables
from headless.chain import uuid7
from sync.writing.local import Act
from tests.support import store
from tests.support.happened import events, told
from tests.support.world import START, World, person

HOUR = 3_600_000
TODAY = day_of(START)
"""2026-11-22."""


def comes(world: World, cell: str = "C1", **other: Any) -> tuple[str, dict[str, Any]]:
    """A person comes into a cell; his id and the outcome."""
    record = uuid7()
    fields = {"number": record[-8:], "name": "来人", "sex": "m", "cell": world.ids[cell], "state": "held"} | other
    return record, world.desk("INT", Act("person", "create", record, fields))[0]


def changes(world: World, record: str, base: int, **fields: Any) -> dict[str, Any]:
    return world.desk("INT", Act("person", "change", record, fields, base=base))[0]


def refused(outcome: dict[str, Any]) -> tuple[str, str, str]:
    assert outcome["status"] == "rejected", outcome
    problem = outcome["problem"]
    return problem["code"], problem["field"], problem["detail"]["rule"]


def marks(outcome: dict[str, Any]) -> list[tuple[str, str | None]]:
    assert outcome["status"] == "applied", outcome
    return [(mark["code"], mark["rule"]) for mark in outcome["marks"]]


A08 = ("rule.forbids", "fields.cell", "A08")
MIXED = [("cell.mixed", "A08")]


def test_whom_a_cell_does_not_fit_is_refused_by_rule_and_source(both: World) -> None:
    """p1 and p2 in C1 are men; a minor and a co-defendant come to them one after the other."""
    _, woman = comes(both, sex="f")
    assert refused(woman) == A08
    assert woman["problem"]["zh"] != woman["problem"]["en"]
    boy, outcome = comes(both, birth="2009-05", case="刑-7")
    assert marks(outcome) == [], "of the others no birth is known"
    assert refused(comes(both, birth="1980")[1]) == A08
    assert refused(comes(both, case="刑-7")[1]) == A08
    assert marks(comes(both, case="刑-8")[1]) == []
    store.verified(both)
    (moved,) = both.desk("INT", Act("person", "change", boy, {"cell": both.ids["C2"]}, base=1))
    assert marks(moved) == []
    assert marks(comes(both, birth="1980")[1]) == []


def test_a_move_within_one_batch_sees_who_came_before_it(both: World) -> None:
    man, woman = uuid7(), uuid7()
    empty = uuid7()
    place = {"type": "cell", "code": "C9", "name": "空", "parent": both.ids["W"], "position": 9, "tags": []}
    both.desk("ADM", Act("place", "create", empty, place))
    both.ids["C9"] = empty
    outcomes = both.desk(
        "INT",
        Act("person", "create", man, person(both, "p1") | {"number": "A", "cell": empty}),
        Act("person", "create", woman, person(both, "p1") | {"number": "B", "cell": empty, "sex": "f"}),
        Act("person", "change", man, {"cell": both.ids["C1"]}, base=1, seen={"cell": empty}),
        Act("person", "create", uuid7(), person(both, "p1") | {"number": "C", "cell": empty, "sex": "f"}),
    )
    assert [outcome["status"] for outcome in outcomes] == ["applied", "rejected", "applied", "applied"]


def test_an_emergency_goes_first_with_a_reason_and_a_second_officer(both: World) -> None:
    agreed = {"reason": "监室失火，临时安置", "second": both.ids["LEAD"]}
    record, outcome = comes(both, sex="f", override=agreed)
    assert marks(outcome) == MIXED
    assert orjson.loads(store.one(both, tables.records, id=record).body)["doc"]["override"] == agreed
    assert refused(changes(both, record, 1, cell=both.ids["C2"])) == A08
    (alone,) = [changes(both, record, 1, cell=both.ids["C2"], override=agreed | {"second": both.ids["INT"]})]
    assert (alone["problem"]["code"], alone["problem"]["field"]) == ("field.invalid", "fields.override.second")
    assert marks(changes(both, record, 1, cell=both.ids["C2"], override=agreed)) == MIXED
    assert marks(changes(both, both.ids["p3"], 1, cell=both.ids["C1"])) == []
    assert marks(changes(both, record, 2, cell=both.ids["C2"], bed="2")) == [], "she is alone"


def test_a_cell_chosen_off_line_is_refused_by_name_and_nothing_typed_is_lost(small: World) -> None:
    """The desk's handheld says again with an override what it had entered without signal."""
    desk = small.terminal("INT")
    said = {
        "number": "2026-31",
        "name": "某",
        "sex": "f",
        "cell": small.ids["C1"],
        "state": "held",
        "remarks": "随身衣物一袋",
    }
    desk.capture("person", "create", uuid7(), said)
    small.clock.advance(HOUR)
    (outcome,) = desk.push()
    assert refused(outcome) == A08
    detail = outcome["problem"]["detail"]
    assert detail["source"] == {
        "zh": "看守所条例第14条; 刑事诉讼法第280条",
        "en": "Detention Centre Regulations, art. 14; Criminal Procedure Law, art. 280",
    }
    assert detail["basis"] == "V"
    assert detail["text"]["zh"] and detail["text"]["en"] and detail["text"]["zh"] != detail["text"]["en"]
    (kept,) = desk.queue()
    assert kept.operation["fields"] == said
    agreed = {"reason": "监区停电，临时合押", "second": small.ids["LEAD"]}
    again = uuid7()
    desk.capture("person", "create", again, kept.operation["fields"] | {"override": agreed})
    assert marks(desk.push()[0]) == MIXED
    reader = small.terminal("PAT")
    reader.pull()
    assert next(row for row in reader.rows() if row["id"] == again)["doc"] == said | {"override": agreed}


def test_what_is_so_already_is_recorded_and_marked(both: World) -> None:
    """One who was lodged so before he was registered, and what is learnt afterwards."""
    long_ago = to_text(both.clock.now() - 25 * HOUR)
    _, outcome = comes(both, sex="f", admitted_at=long_ago)
    assert marks(outcome) == MIXED
    first, second = comes(both, "C2", case="刑-9")[0], comes(both, "C2")[0]
    assert marks(changes(both, second, 1, case="刑-9")) == MIXED
    assert marks(changes(both, first, 1, bed="4")) == []


@pytest.mark.parametrize(
    ("birth", "expected"),
    [
        ("2008-11-22", True), ("2008-11-21", False), ("2008-11", None), ("2008-12", True), ("2008-10", False),
        ("2008", None), ("2009", True), ("2007", False), (None, None),
    ],
)  # fmt: skip
def test_of_age_from_the_day_after_the_birthday(birth: str | None, expected: bool | None) -> None:
    assert minor(birth, TODAY) is expected


def test_nobody_clashes_for_what_is_not_known() -> None:
    known = {"sex": "m", "birth": "1980", "case": "1"}
    assert clashes({"sex": "m", "birth": "2008", "case": None}, [known], TODAY) == []
    assert clashes({"sex": "f", "birth": "2012", "case": "1"}, [known], TODAY) == ["age", "case", "sex"]


def test_a_stay_from_admission_to_release_as_rules_hear_of_it(both: World) -> None:
    admitted = both.clock.now() - 2 * HOUR
    c1, c2 = both.ids["C1"], both.ids["C2"]
    record, _ = comes(both, admitted_at=to_text(admitted), risk="grade2", stage="detained")
    changes(both, record, 1, cell=c2, risk="grade1", bed="3")
    changes(both, record, 2, stage="arrested", risk=None)
    changes(both, record, 3, remarks="无")
    both.clock.advance(HOUR)
    changes(both, record, 4, cell=None, state="released")
    both.clock.advance(HOUR)
    changes(both, record, 5, cell=c1, state="held", risk="grade3")
    both.clock.advance(HOUR)
    changes(both, record, 6, cell=None, state="released")
    both.clock.advance(HOUR)
    changes(both, record, 7, cell=c1, state="held")
    assert told(both, record) == [
        ("admission.accepted", {"cell": c1, "sex": "m"}),
        ("risk.changed", {"risk": "grade2", "before": None}),
        ("cell.moved", {"from": c1, "to": c2}),
        ("risk.changed", {"risk": "grade1", "before": "grade2"}),
        ("risk.changed", {"risk": None, "before": "grade1"}),
        ("stage.changed", {"stage": "arrested", "before": "detained"}),
        ("person.released", {"ground": None}),
        *(came := [
            ("admission.accepted", {"cell": c1, "sex": "m"}), ("risk.changed", {"risk": "grade3", "before": None}),
        ]),
        ("person.released", {"ground": None}),
        *came,
    ]  # fmt: skip
    happened = events(both, record)
    assert {event.person for event in happened} == {record}
    hours = [(both.clock.now() - event.at) // HOUR for event in happened]
    assert hours == [6, *[4] * 5, 3, *[2] * 2, 1, 0, 0]
    assert [event.place for event in happened] == [c1, c1, *[c2] * 5, *[c1] * 5]


def test_who_was_here_before_he_was_registered_is_not_admitted(both: World) -> None:
    admitted = to_text(both.clock.now() - 24 * HOUR - 1)
    record, _ = comes(both, admitted_at=admitted, stage="arrested")
    assert told(both, record) == [("person.registered", {"cell": both.ids["C1"], "risk": None, "stage": "arrested"})]
    future, _ = comes(both, admitted_at=to_text(both.clock.now() + 365 * 24 * HOUR))
    (event,) = events(both, future)
    assert (event.name, event.at) == ("admission.accepted", both.clock.now()), "nothing has happened before it is told"
