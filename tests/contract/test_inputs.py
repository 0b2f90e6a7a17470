"""What the engine of the duty rules is told: every version once, in order, with the events and marks in it."""

from __future__ import annotations

from backend.duty.inputs import Inputs
from backend.identity.contacts import APART_MS, Contacts
from sync.writing.local import Act
from tests.contract.test_talks import talk
from tests.support.hand import Hand
from tests.support.world import FACILITY, World


def test_every_version_is_told_once_and_in_order(both: World) -> None:
    inputs, h = Inputs(both.services.store), Hand(both).signed_in("DISC")
    with both.services.store.reading() as connection:
        _, before = inputs.reach(connection, FACILITY)
        assert inputs.since(connection, FACILITY, before) == []
    for base, risk in enumerate(["grade1", "grade3", "grade2"], 1):
        both.desk("INT", Act("person", "change", both.ids["p1"], {"risk": risk}, base))
        if base == 2:
            talk(h, minutes=1)
    with both.services.store.reading() as connection:
        told = inputs.since(connection, FACILITY, before)
        later = inputs.since(connection, FACILITY, told[1].after.seq)
    assert [each.after.seq for each in told] == [before + n for n in (1, 2, 3, 4)]
    assert [(each.after.kind, each.after.version) for each in told] == [
        ("person", 2), ("person", 3), ("talk", 1), ("person", 4)
    ]  # fmt: skip
    assert [None if each.before is None else each.before.version for each in told] == [1, 2, None, 3]
    changed = [dict(event.facts) for each in told for event in each.events if event.name == "risk.changed"]
    assert [(facts["before"], facts["risk"]) for facts in changed] == [
        (None, "grade1"), ("grade1", "grade3"), ("grade3", "grade2")
    ]  # fmt: skip
    (marked,) = [event for event in told[2].events if event.name == "record.marked"]
    assert (marked.person, dict(marked.facts)) == (
        both.ids["p1"], {"code": "talk.short", "rule": "T02", "kind": "talk"}
    )  # fmt: skip
    assert later == told[2:]


def test_what_stands_is_told_as_if_it_had_just_been_made(small: World) -> None:
    small.desk("INT", Act("person", "change", small.ids["p1"], {"risk": "grade1"}, 1))
    inputs = Inputs(small.services.store)
    with small.services.store.reading() as connection:
        told = list(inputs.standing(connection, FACILITY))
    assert [each.before for each in told] == [None] * len(told) and len(told) == 10
    assert [each.after.seq for each in told] == sorted(each.after.seq for each in told)
    names = {event.name for each in told if each.after.id == small.ids["p1"] for event in each.events}
    assert "risk.changed" in names


def test_contacts_are_remembered_for_the_first_after_a_moment() -> None:
    listening: list[str] = []
    contacts = Contacts(lambda _facility: listening)
    for at in (1, 2, APART_MS + 1, 3 * APART_MS):
        contacts.note("F", "a", at)
    assert contacts.after("F", ["a", "b"], 1, 9 * APART_MS) == APART_MS + 1
    assert contacts.after("F", ["a"], 3 * APART_MS, 9 * APART_MS) is None
    assert contacts.after("F", ["b"], 0, 9 * APART_MS) is None and contacts.after("G", ["a"], 0, 9) is None
    listening.append("b")
    assert contacts.after("F", ["b"], 5, 77) == 77
