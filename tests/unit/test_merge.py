"""The algebra of merging: no value is lost, apart is apart, and the order matters only where two wrote the same field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema

from backend.kernel.kind import REMOVED, Compartment, Head, Kind, Policy, Ruling, Text, Verb
from sync.judging.merge import Meeting, differing, joins, meet
from tests.support.chance import tries

TEXT = Text("某", "some")
FIELDS = ("a", "b", "c", "s")
TERMINALS = count()


def _never(*_: Any) -> Ruling:
    raise AssertionError("merging asks no judge")


EDIT = Verb(Schema, _never, TEXT, edits=True)
STEP = Verb(Schema, _never, TEXT, watches=("state",))
REMOVE = Verb(Schema, _never, TEXT, watches=("state",), removes=True)
SHARED = Kind("thing", 1, Policy.SHARED, Compartment.BASE, frozenset(), {"edit": EDIT}, TEXT, {}, strict=frozenset("s"))
DECISION = replace(SHARED, policy=Policy.DECISION)


def head(doc: Mapping[str, Any], version: int = 1, state: str = "open") -> Head:
    return Head("r", "thing", version, 1, "place/x/base", None, state, "t", b"", doc, "t", version)


@dataclass
class Edit:
    """An edit made off line, at a terminal of its own unless said, over a document that somebody saw."""

    base: int
    seen: Mapping[str, int]
    fields: Mapping[str, int]
    terminal: str = field(default_factory=lambda: f"terminal {next(TERMINALS)}")


@dataclass
class Server:
    """A record, and the candidates of its dispute."""

    head: Head
    disputed: dict[str, Any] = field(default_factory=dict)
    candidates: list[Edit] = field(default_factory=list)

    def take(self, edit: Edit, kind: Kind = SHARED) -> str:
        before = self.head
        moved = before.moved(edit.base, edit.terminal)
        meeting = meet(kind, EDIT, before, edit.seen, edit.fields, moved=moved)
        if meeting.disputed or joins(self.disputed, EDIT, self.head, edit.fields):
            self.disputed |= meeting.disputed or differing(EDIT, self.head, edit.fields)
            self.candidates.append(edit)
            return "conflict"
        if not (meeting.agreed and moved):
            version = before.version + 1
            since = before.since if before.author == edit.terminal else version
            doc = {**before.doc, **edit.fields}
            self.head = replace(before, doc=doc, version=version, author=edit.terminal, since=since)
        return "merged" if moved else "applied"


START = dict.fromkeys(FIELDS, 0)
FIELDS_WRITTEN = st.dictionaries(st.sampled_from(FIELDS), st.integers(0, 3), min_size=1)


def made(fields: Mapping[str, int]) -> Edit:
    return Edit(1, {name: START[name] for name in fields}, fields)


@tries(300)
@given(st.lists(FIELDS_WRITTEN, min_size=1, max_size=6))
def test_every_value_that_was_written_stands_or_is_a_candidate_or_was_overwritten_knowingly(
    writes: list[dict[str, int]],
) -> None:
    server = Server(head(START))
    taken = [each for each in map(made, writes) if server.take(each) != "conflict"]
    for name, value in ((name, value) for each in taken for name, value in each.fields.items()):
        others = {each.fields[name] for each in taken if name in each.fields} - {START[name]}
        assert server.head.doc[name] == value or value == START[name], "only what nobody had changed gave way"
        assert len(others) <= 1, "two different values of one field never both took effect"
    assert len(taken) + len(server.candidates) == len(writes)


@tries(100)
@given(st.dictionaries(st.sampled_from("abc"), st.integers(1, 3), min_size=1))
def test_edits_of_different_fields_come_to_the_same_in_any_order(values: dict[str, int]) -> None:
    edits = [made({name: value}) for name, value in values.items()]
    for order in permutations(edits):
        server = Server(head(START))
        assert "conflict" not in {server.take(each) for each in order}
        assert server.head.doc == START | values


@tries(100)
@given(FIELDS_WRITTEN)
def test_an_edit_taken_twice_changes_nothing_the_second_time(fields: dict[str, int]) -> None:
    server = Server(head(START))
    server.take(made(fields))
    before = server.head
    again = server.take(made(fields))
    if any(value != START[name] for name, value in fields.items()):
        assert (again, server.head) == ("merged", before)


@tries(100)
@given(FIELDS_WRITTEN, FIELDS_WRITTEN)
def test_one_terminal_s_edits_over_its_own_never_dispute_each_other(
    first: dict[str, int], second: dict[str, int]
) -> None:
    server = Server(head(START))
    shown = START | first
    earlier = made(first)
    later = Edit(1, {name: shown[name] for name in second}, second, earlier.terminal)
    assert [server.take(earlier), server.take(later)] == ["applied", "applied"]
    assert server.head.doc == shown | second


@pytest.mark.parametrize("verb, kind, moved, seen, fields, disputed", [
    (EDIT, SHARED, False, {"a": 0}, {"a": 1}, set()),
    (EDIT, SHARED, True, {"a": 0}, {"a": 1}, set()),
    (EDIT, SHARED, True, {"a": 9}, {"a": 1}, {"a"}),
    (EDIT, SHARED, False, {"a": 9}, {"a": 1}, {"a"}),
    (EDIT, SHARED, True, {"s": 0}, {"s": 1}, {"s"}),
    (EDIT, SHARED, False, {"s": 0}, {"s": 1}, set()),
    (EDIT, SHARED, True, {"a": 0, "s": 0}, {"a": 1, "s": 1}, {"a", "s"}),
    (EDIT, SHARED, True, {"a": 9, "b": 0}, {"a": 0, "b": 1}, set()),
    (EDIT, DECISION, True, {"a": 0}, {"a": 1}, {"a"}),
    (EDIT, DECISION, False, {"a": 0}, {"a": 1}, set()),
    (STEP, SHARED, True, {"state": "open"}, {}, set()),
    (STEP, SHARED, True, {"state": "other"}, {}, {"state"}),
    (STEP, DECISION, True, {"state": "open"}, {}, {"state"}),
    (REMOVE, SHARED, True, {"state": "open"}, {}, {"state"}),
    (REMOVE, SHARED, False, {"state": "open"}, {}, set()),
])  # fmt: skip
def test_what_collides(
    verb: Verb, kind: Kind, moved: bool, seen: dict[str, Any], fields: dict[str, Any], disputed: set[str]
) -> None:
    assert set(meet(kind, verb, head(START), seen, fields, moved=moved).disputed) == disputed


@pytest.mark.parametrize("verb, fields", [(EDIT, {"a": 1}), (EDIT, {"a": 0}), (STEP, {}), (REMOVE, {})])
def test_whatever_meets_a_removed_record_is_disputed(verb: Verb, fields: dict[str, int]) -> None:
    gone = head(START, 2, REMOVED)
    meeting = meet(SHARED, verb, gone, {name: START[name] for name in fields}, fields, moved=False)
    assert isinstance(meeting, Meeting) and meeting.disputed


@pytest.mark.parametrize("base, terminal, moved", [
    (5, "other", False), (4, "other", True), (1, "other", True),
    (4, "mine", False), (3, "mine", False), (2, "mine", False), (1, "mine", True),
    (9, "other", False),
])  # fmt: skip
def test_only_others_move_a_record(base: int, terminal: str, moved: bool) -> None:
    """Versions 3 to 5 are mine. A base ahead of the server is one that a restore has lost: the values decide."""
    found = replace(head(START, 5), author="mine", since=3)
    assert found.moved(base, terminal) == moved


def test_what_was_released_from_escrow_has_moved_the_record_for_everybody() -> None:
    assert replace(head(START, 5), author="", since=5).moved(4, "mine")
