"""Dynamic information: reported by any post, amended, handled, withdrawn by the post that reported it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.storage import tables
from headless.chain import uuid7
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
