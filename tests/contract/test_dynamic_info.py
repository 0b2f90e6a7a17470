"""Dynamic information: reported by any post, amended, handled, withdrawn by the post that reported it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.kernel.clock import to_text
from backend.kernel.events import Version
from backend.records.dynamic_info import DYNAMIC_INFO
from backend.storage import tables
from headless.chain import uuid7
from headless.terminal import Terminal
from sync.news import News
from sync.writing.local import Act
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import World, place


def report(h: Hand, **other: Any) -> dict[str, Any]:
    """Sends a report of a dispute with p1; its outcome."""
    fields = {
        "category": "dispute", "severity": "ordinary", "person": h.world.ids["p1"], "place": None, "involved": [],
        "text": "争执",
    } | other  # fmt: skip
    h.write("dynamic_info", "report", uuid7(), fields)
    return last(h)


def last(h: Hand) -> dict[str, Any]:
    (outcome,) = h.told(h.n, h.n)
    return outcome


def then(h: Hand, record: str, verb: str, fields: dict[str, Any], *, base: int = 1, **seen: Any) -> dict[str, Any]:
    """Sends one more verb on a report; its outcome."""
    h.write("dynamic_info", verb, record, fields, base=base, seen=seen)
    return last(h)


def row(world: World, outcome: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(store.one(world, tables.records, id=outcome["record"]).body)
    return found


@pytest.mark.parametrize("post", ["INT", "PAT", "DISC", "MED", "AUX", "LEAD", "DIR"])
def test_every_post_reports_and_what_is_anothers_is_marked(both: World, post: str) -> None:
    h = Hand(both).signed_in(post)
    usual = {
        "INT": "interrogation", "PAT": "climbing", "AUX": "alone", "DISC": "relations", "MED": "refused_medicine",
        "LEAD": "infection", "DIR": "property",
    }[post]  # fmt: skip
    assert [report(h, category=each)["marks"] for each in (usual, "other")] == [[], []]
    unusual = report(h, category="infection" if post == "INT" else "property")
    assert unusual["status"] == "applied"
    expected = [] if post in {"LEAD", "DIR"} else [{"code": "category.unusual", "rule": None}]
    assert unusual["marks"] == expected


def test_what_is_urgent_is_an_alarm_once(both: World) -> None:
    heard: list[News] = []
    both.services.herald.listen(heard.append)
    h = Hand(both).signed_in("PAT")
    ordinary = report(h)
    assert [news.alarms for news in heard] == [()]
    urgent = report(h, severity="urgent")
    then(h, urgent["record"], "amend", {"note": "已到场"}, note=None)
    risen = then(h, ordinary["record"], "amend", {"severity": "urgent"}, severity="ordinary")
    then(h, ordinary["record"], "amend", {"severity": "important"}, base=2, severity="urgent")
    partition = f"person/{both.ids['p1']}/base"
    told = [(at, orjson.loads(body)) for news in heard for at, body in news.alarms]
    assert [(at, each["id"], each["version"], each["doc"]["severity"]) for at, each in told] == [
        (partition, urgent["record"], 1, "urgent"),
        (partition, risen["record"], 2, "urgent"),
    ]


def test_it_lies_with_the_person_or_else_with_the_place(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    of_person = row(both, report(h, place=both.ids["C1"]))
    of_place = row(both, report(h, person=None, place=both.ids["K"], category="damage"))
    assert of_person["partition"] == f"person/{both.ids['p1']}/base"
    assert of_place["partition"] == f"place/{both.ids['K']}/base"


def test_once_handled_it_is_neither_handled_again_nor_withdrawn(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    record = report(h)["record"]
    done = then(h, record, "handle", {"disposal": "已隔开"}, state="open")
    assert done["status"] == "applied"
    assert row(both, done)["doc"]["handled"]["officer"] == both.ids["PAT"]
    for verb, fields in (("handle", {"disposal": "再次"}), ("withdraw", {"reason": "误报"})):
        outcome = then(h, record, verb, fields, base=2, state="handled")
        assert (outcome["status"], outcome["problem"]["code"]) == ("rejected", "record.state")
        assert outcome["problem"]["detail"] == {"state": "handled"}
    amended = then(h, record, "amend", {"note": "已和解"}, base=2, note=None)
    assert (amended["status"], row(both, amended)["doc"]["state"]) == ("applied", "handled")


def test_an_edit_must_say_what_was_seen(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    record = report(h)["record"]
    for seen, code in (
        ({}, "field.missing"),
        ({"severity": "ordinary"}, "field.missing"),
        ({"note": None, "text": "争执"}, "field.unknown"),
    ):
        outcome = then(h, record, "amend", {"note": "注"}, **seen)
        assert (outcome["status"], outcome["problem"]["code"], outcome["problem"]["field"]) == (
            "rejected",
            code,
            "seen",
        )


def test_it_is_withdrawn_by_its_authors_post_or_a_leader(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    record = report(h)["record"]
    for post in ("MED", "DISC"):
        outcome = then(h.signed_in(post), record, "withdraw", {"reason": "误报"}, state="open")
        assert (outcome["status"], outcome["problem"]["code"]) == ("rejected", "officer.unauthorised")
    for post, each in (("PAT", record), ("DIR", report(h.signed_in("PAT"))["record"])):
        outcome = then(h.signed_in(post), each, "withdraw", {"reason": "误报"}, state="open")
        assert outcome["status"] == "applied"
        assert (row(both, outcome)["state"], row(both, outcome)["doc"]) == ("removed", None)


def test_what_is_seen_at_a_place_that_was_closed_is_recorded(both: World) -> None:
    cell = uuid7()
    fields = place(both, "C1") | {"code": "C9", "tags": []}
    for act in (Act("place", "create", cell, fields), Act("place", "close", cell, {"reason": "改建"}, base=1)):
        assert both.desk("ADM", act)[0]["status"] == "applied"
    outcome = report(Hand(both).signed_in("LEAD"), place=cell)
    assert (outcome["status"], outcome["marks"]) == ("applied", [{"code": "place.closed", "rule": None}])


def test_the_loop_goes_round_with_every_step_timed_though_most_of_it_was_off_line(both: World) -> None:
    """A patrol reports, a cell officer and a medic go there without signal while the leader sends them; nobody's step is in
    another's way, and each stands in the document at its own time."""
    cell, medic, leader = (both.terminal(name) for name in ("DISC", "MED", "LEAD"))
    h = Hand(both).signed_in("PAT")
    record = report(h, severity="important", place=both.ids["C1"], involved=[both.ids["p2"]])["record"]
    for each in (cell, medic, leader):
        each.learn_kinds()
        each.pull()

    def does(terminal: Terminal, verb: str, said: dict[str, Any] | None = None, **seen: Any) -> None:
        both.clock.advance(60_000)
        terminal.edit("dynamic_info", verb, record, said or {}, seen=seen)

    def sends(*terminals: Terminal) -> list[str]:
        return [outcome["status"] for terminal in terminals for outcome in terminal.push()]

    does(cell, "acknowledge")
    does(medic, "acknowledge")
    does(cell, "arrive")
    sent = {"officers": [both.ids["DISC"]], "posts": ["MED"], "instruction": "隔离双方，验伤", "until": None}
    does(leader, "deploy", sent)
    does(medic, "arrive")
    does(cell, "handle", {"disposal": "已隔离"})
    assert sends(leader, medic, cell) == ["applied"] + ["merged"] * 5
    leader.pull()
    does(leader, "return", {"reason": "未说明是否验伤"})
    assert sends(leader) == ["applied"]
    cell.pull()
    does(cell, "handle", {"disposal": "已隔离，验伤无碍"})
    does(cell, "answer", {"answer": "双方和解"}, state="handled")
    assert sends(cell) == ["applied", "applied"]
    leader.pull()
    does(leader, "close", {"conclusion": None})
    assert sends(leader) == ["applied"]
    kept = orjson.loads(store.one(both, tables.records, id=record).body)
    doc, names = kept["doc"], {both.ids[name]: name for name in ("PAT", "DISC", "MED", "LEAD")}
    assert (kept["state"], doc["reported"]["area"], doc["deployed"]["instruction"]) == (
        "closed",
        "cell",
        sent["instruction"],
    )
    steps = [(names[each["officer"]], each["step"]) for each in sorted(doc["steps"], key=lambda each: str(each["at"]))]
    assert steps == [
        ("DISC", "acknowledged"), ("MED", "acknowledged"), ("DISC", "arrived"), ("LEAD", "deployed"), ("MED", "arrived"),
        ("DISC", "handled"), ("LEAD", "returned"), ("DISC", "handled"), ("DISC", "answered"), ("LEAD", "closed"),
    ]  # fmt: skip
    assert len({each["at"] for each in doc["steps"]}) == len(steps)
    assert (doc["returned"]["reason"], doc["handled"]["disposal"]) == ("未说明是否验伤", "已隔离，验伤无碍")


def test_a_planned_step_waits_for_the_one_before_it_and_a_deployment_is_a_leaders(both: World) -> None:
    patrol, leader = Hand(both).signed_in("PAT"), Hand(both).signed_in("LEAD")
    record = report(patrol, severity="important")["record"]
    sent = {"officers": [], "posts": ["DISC"], "instruction": "查看", "until": None}

    def code(h: Hand, verb: str, fields: dict[str, Any], base: int, **seen: Any) -> str | None:
        outcome = then(h, record, verb, fields, base=base, **seen)
        found: str | None = outcome.get("problem", {}).get("code")
        return found

    assert code(patrol, "deploy", sent, 1, deployed=None) == "officer.unauthorised"
    assert code(leader, "deploy", sent | {"posts": []}, 1, deployed=None) == "field.missing"
    assert code(leader, "deploy", sent | {"until": "2020-01-01T00:00:00.000Z"}, 1, deployed=None) == "field.invalid"
    assert code(patrol, "answer", {"answer": "无"}, 1, state="open") == "record.state"
    assert code(leader, "close", {"conclusion": None}, 1, state="open") == "record.state"
    assert code(leader, "deploy", sent, 1, deployed=None) is None
    assert code(patrol, "withdraw", {"reason": "误报"}, 2, state="open") == "officer.unauthorised"
    assert code(patrol, "handle", {"disposal": "已处置"}, 2, state="open") is None
    assert code(leader, "deploy", sent, 3, deployed=row(both, {"record": record})["doc"]["deployed"]) == "record.state"
    assert code(patrol, "answer", {"answer": "已处置"}, 3, state="handled") is None
    assert code(patrol, "close", {"conclusion": None}, 4, state="answered") == "officer.unauthorised"
    assert code(leader, "close", {"conclusion": "属实"}, 4, state="answered") is None
    late = then(Hand(both).signed_in("DISC"), record, "acknowledge", {}, base=1)
    assert late["status"] == "merged" and row(both, late)["doc"]["state"] == "closed"


def test_what_is_ordinary_is_closed_by_the_post_that_reported_it(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    record = report(h)["record"]
    then(h, record, "handle", {"disposal": "已劝解"}, state="open")
    then(h, record, "answer", {"answer": "无异常"}, base=2, state="handled")
    refused = then(Hand(both).signed_in("DISC"), record, "close", {"conclusion": None}, base=3, state="answered")
    assert refused["problem"]["code"] == "officer.unauthorised"
    assert then(h, record, "close", {"conclusion": None}, base=3, state="answered")["status"] == "applied"


def test_who_acknowledges_twice_has_acknowledged_once_until_it_comes_back(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    record = report(h)["record"]
    for base in (1, 2):
        then(h, record, "acknowledge", {}, base=base)
    then(h, record, "handle", {"disposal": "已劝解"}, base=3, state="open")
    then(h, record, "return", {"reason": "请说明"}, base=4, state="handled")
    outcome = then(h, record, "acknowledge", {}, base=5)
    steps = [each["step"] for each in row(both, outcome)["doc"]["steps"]]
    assert steps == ["acknowledged", "handled", "returned", "acknowledged"]


def version(doc: dict[str, Any], number: int, state: str = "open") -> Version:
    """A version as the engine reads it."""
    return Version("r", "dynamic_info", number, number, "", state, "o", "t", "op", number, number, (), doc)


def test_every_step_and_change_is_an_event_at_its_time() -> None:
    reported = {"at": to_text(1), "officer": "o", "posts": ["PAT"], "area": "cell"}
    doc = {"category": "mood", "severity": "ordinary", "person": "p", "place": None, "reported": reported, "steps": []}
    find = DYNAMIC_INFO.events
    (event,) = find(None, version(doc, 1))
    assert (event.name, event.person, event.facts["area"]) == ("dynamic.reported", "p", "cell")
    deployed = {"officers": ["a"], "posts": ["MED"], "until": to_text(9)}
    more = doc | {"steps": [{"step": "deployed", "at": to_text(7), "officer": "l"}], "deployed": deployed}
    found = list(find(version(doc, 1), version(more, 2)))
    assert [(each.name, each.at, each.facts["officer"]) for each in found] == [
        ("dynamic.deployed", 7, "l"), ("dynamic.sent", 7, "a"), ("dynamic.sent", 7, None),
    ]  # fmt: skip
    assert [found[2].facts[name] for name in ("post", "until")] == ["MED", to_text(9)]
    for changes, name in (
        ({"severity": "urgent"}, "dynamic.escalated"),
        ({"category": "other"}, "dynamic.reclassified"),
    ):
        assert [each.name for each in find(version(doc, 1), version(doc | changes, 2))] == [name]
    assert list(find(version(doc | {"severity": "urgent"}, 1), version(doc, 2))) == []
    bare = {name: value for name, value in doc.items() if name != "steps"}
    handled = bare | {"state": "handled", "handled": {"at": to_text(5), "officer": "h", "disposal": "已劝解"}}
    assert [(each.name, each.at) for each in find(None, version(handled, 2))] == [
        ("dynamic.reported", 1), ("dynamic.handled", 5),
    ]  # fmt: skip
    (event,) = find(version(doc, 1), version({}, 2, "removed"))
    assert (event.name, event.person) == ("dynamic.withdrawn", "p")
