"""Talks: who is given them, and what is remarkable about one."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.kernel.clock import to_text
from backend.storage import tables
from headless.chain import uuid7
from headless.patrol import BY_SESSION
from sync.writing.local import Act
from tests.support import store
from tests.support.hand import Hand
from tests.support.happened import events, told
from tests.support.world import World

MINUTE = 60_000


def talk(h: Hand, *, minutes: float = 12, ended_ago: float = 0, **other: Any) -> dict[str, Any]:
    """Sends a talk with p1 in C1; its outcome."""
    ended = h.world.clock.now() - int(ended_ago * MINUTE)
    fields = {
        "person": h.world.ids["p1"],
        "place": h.world.ids["C1"],
        "sort": "education",
        "occasion": "admission",
        "started_at": to_text(ended - int(minutes * MINUTE)),
        "ended_at": to_text(ended),
        "participants": [],
        "interpreter": None,
        "mood": "calm",
        "topics": ["rules"],
        "summary": "告知监规",
        "follow_up": None,
        "follow_up_on": None,
    } | other
    h.write("talk", "record", uuid7(), fields, signoff=BY_SESSION)
    (outcome,) = h.told(h.n, h.n)
    return outcome


def marks(outcome: dict[str, Any]) -> list[tuple[str, str | None]]:
    assert outcome["status"] == "applied", outcome
    return [(mark["code"], mark["rule"]) for mark in outcome["marks"]]


@pytest.fixture
def cell_officer(both: World) -> Hand:
    return Hand(both).signed_in("DISC")


@pytest.mark.parametrize(
    ("minutes", "expected"), [(3, []), (2.9, [("talk.short", "T02")]), (0, [("talk.short", "T02")])]
)
def test_a_short_talk_is_marked(cell_officer: Hand, minutes: float, expected: Any) -> None:
    assert marks(talk(cell_officer, minutes=minutes)) == expected


def test_a_talk_is_late_by_its_end_and_not_by_what_the_operation_claims(cell_officer: Hand) -> None:
    assert marks(talk(cell_officer, ended_ago=30)) == []
    assert marks(talk(cell_officer, ended_ago=31)) == [("record.late", "Y03")]


def test_a_talk_that_is_told_before_it_ends_is_marked(cell_officer: Hand) -> None:
    assert marks(talk(cell_officer, ended_ago=-1)) == [("talk.unended", None)]


def test_a_person_who_is_not_there_is_marked(both: World, cell_officer: Hand) -> None:
    here = both.ids
    assert marks(talk(cell_officer, place=here["C2"])) == [("person.elsewhere", None)]
    assert marks(talk(cell_officer, place=here["K"])) == marks(talk(cell_officer, place=None)) == []
    moved = both.desk("INT", Act("person", "change", here["p1"], {"cell": here["C2"]}, base=1))
    assert moved[0]["status"] == "applied", moved
    assert marks(talk(cell_officer, place=here["C2"])) == []
    both.desk("INT", Act("person", "change", here["p1"], {"cell": None, "state": "released"}, base=2))
    assert ("person.not_held", None) in marks(talk(Hand(both).signed_in("LEAD"), place=here["C2"]))


@pytest.mark.parametrize(
    ("said", "grave"),
    [
        ({"mood": "hopeless"}, True),
        ({"mood": "silent"}, True),
        ({"mood": "low"}, False),
        ({"topics": ["family", "self_harm"]}, True),
    ],
)
def test_words_of_self_harm_and_abnormal_moods_are_marked(
    cell_officer: Hand, said: dict[str, Any], grave: bool
) -> None:
    assert marks(talk(cell_officer, **said)) == ([("mood.abnormal", "T08")] if grave else [])


def test_a_talk_wants_a_sign_off(cell_officer: Hand) -> None:
    talk(cell_officer)
    raw = orjson.loads(cell_officer.frames[-1][2])
    cell_officer.write("talk", "record", uuid7(), raw["fields"])
    (outcome,) = cell_officer.told(cell_officer.n, cell_officer.n)
    assert (outcome["status"], outcome["problem"]["code"]) == ("rejected", "signoff.missing")


def test_what_rules_of_duty_hear_of_a_talk(both: World, cell_officer: Hand) -> None:
    again = to_text(both.clock.now() + 7 * 24 * 60 * MINUTE)
    grave = talk(cell_officer, mood="hopeless", ended_ago=5, follow_up_on=again)
    quiet = talk(cell_officer, ended_ago=-1, occasion="monthly")
    facts = {
        "occasion": "admission",
        "sort": "education",
        "mood": "hopeless",
        "minutes": 12,
        "eight": True,
        "words": None,
    }
    assert told(both, grave["record"]) == [
        ("talk.recorded", facts), ("mood.abnormal", {}), ("talk.follow_up", {"on": again}),
    ]  # fmt: skip
    happened = events(both, grave["record"])
    assert {(event.person, event.at) for event in happened} == {(both.ids["p1"], both.clock.now() - 5 * MINUTE)}
    facts |= {"occasion": "monthly", "mood": "calm", "eight": False}
    assert told(both, quiet["record"]) == [("talk.recorded", facts)]
    assert events(both, quiet["record"])[0].at == both.clock.now(), "nothing has happened before it is told"


@pytest.mark.parametrize(
    ("officer", "given"),
    [("DISC", True), ("LEAD", True), ("DIR", True), ("AUD", True), ("PAT", False), ("AUX", False), ("PAT2", False)],
)
def test_talks_are_not_for_patrols_and_auxiliaries(both: World, cell_officer: Hand, officer: str, given: bool) -> None:
    outcome = talk(cell_officer)
    assert store.one(both, tables.records, id=outcome["record"]).partition == f"person/{both.ids['p1']}/case"
    reader = both.terminal(officer)
    reader.pull()
    assert (outcome["record"] in {row["id"] for row in reader.rows()}) is given
