"""Settlements of conflicts: the verdict on a ``settle`` (docs/protocol.md §10). Pure, given what the planner knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from backend.kernel.kind import Head, Kind, Ruling
from backend.kernel.problems import Problem
from sync.judging import disputes
from sync.judging.disputes import CONFLICT, OPEN, ROUTED, SETTLED
from sync.judging.merge import value
from sync.judging.verdict import Effect, Verdict, refused

SERVER = "server"
Ask = Callable[[Mapping[str, Any], Mapping[str, Any], Head], "Ruling | Problem"]
"""(candidate, what is chosen of its fields, the record) → what the record's kind makes of it."""


@dataclass(frozen=True, slots=True)
class Case:
    """A settlement with what it speaks of.

    ``covers``: whether the settler's scope holds every value it is about. ``other``: the record's open conflict, where
    the settlement speaks of an earlier one.
    """

    said: Mapping[str, Any]
    name: str
    posts: frozenset[str]
    conflict: Head
    target: Head
    kind: Kind
    ask: Ask
    covers: Callable[[Mapping[str, Any]], bool]
    other: Head | None = None

    @property
    def choice(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.said["fields"]["choice"]
        return found

    @property
    def candidates(self) -> dict[str, Mapping[str, Any]]:
        return {each["op"]: each for each in self.conflict.doc["candidates"]}

    def chosen(self, name: str) -> Any:
        """The value that the choice gives a field: what was shown of the server's, or a candidate's."""
        picked = self.choice[name]
        if picked == SERVER:
            return self.said["fields"]["server"].get(name)
        return self.candidates[picked]["fields"].get(name)


def judge(case: Case) -> Verdict:
    """What becomes of a settlement."""
    doc = case.conflict.doc
    if not case.kind.may_settle() & case.posts:
        return refused(Problem("officer.unauthorised", "officer"))
    if any(not _can_choose(case, name, picked) for name, picked in case.choice.items()):
        return refused(Problem("settlement.choice", "fields.choice"))
    if not case.covers(doc):
        return _kept(
            case, Problem("settlement.scope", "officer"), state=ROUTED if doc["state"] == OPEN else doc["state"]
        )
    late = [name for name in case.choice if name not in doc["server"] or doc["state"] == SETTLED]
    if late and all(_stands(case, name) for name in case.choice):
        return Verdict("merged", own=case.conflict.id)
    if doc["state"] == SETTLED:
        return _reopened(case)
    if late or not _saw_all(case):
        return _kept(case, Problem("settlement.outdated", "fields.saw"))
    return _settled(case)


def _can_choose(case: Case, name: str, picked: object) -> bool:
    """A field may get the server's value, or that of a candidate which changes the field or rests on it."""
    candidates = case.candidates
    if picked == SERVER:
        return name in case.conflict.doc["server"] or any(
            name in _speaks_of(case, each) for each in candidates.values()
        )
    return isinstance(picked, str) and picked in candidates and name in _speaks_of(case, candidates[picked])


def _speaks_of(case: Case, candidate: Mapping[str, Any]) -> set[str]:
    verb = case.kind.verbs[candidate["verb"]]
    return {*(candidate["fields"] if verb.edits else verb.watches), "state"}


def _stands(case: Case, name: str) -> bool:
    """The record has the chosen value already. What a transition would make of it cannot be told from a value."""
    picked = case.choice[name]
    if picked != SERVER and not case.kind.verbs[case.candidates[picked]["verb"]].edits:
        return False
    return bool(value(case.target, name) == case.chosen(name))


def _saw_all(case: Case) -> bool:
    fields = case.said["fields"]
    shown = fields["server"]
    return set(fields["saw"]) == case.candidates.keys() and all(
        name in shown and shown[name] == value(case.target, name) for name in case.choice
    )


def _of_conflict(case: Case, doc: Mapping[str, Any]) -> Effect:
    return Effect(case.conflict.id, CONFLICT, disputes.ruling(doc, case.conflict.partition))


def _kept(case: Case, problem: Problem, **changes: Any) -> Verdict:
    """The settlement takes no effect, and stays in the list."""
    doc = disputes.noted(case.conflict.doc, case.said, case.name, problem, **changes)
    return Verdict("conflict", problem, (_of_conflict(case, doc),), conflict=case.conflict.id)


def _reopened(case: Case) -> Verdict:
    """Two settlements that differ: the second one's values stand against those that the first one left.

    Where the record is under another dispute by now, they join that one.
    """
    problem = Problem("settlement.second", "fields.choice")
    server = {name: value(case.target, name) for name in case.choice if not _stands(case, name)}
    mine = _as_candidate(case, server)
    if case.other is None:
        doc = disputes.noted(case.conflict.doc, case.said, case.name, problem, state=OPEN, server=server)
        back = all(case.choice[name] == SERVER for name in server)
        doc = disputes.joined(doc, server, mine) if mine and back else doc
        return Verdict("conflict", problem, (_of_conflict(case, doc),), conflict=case.conflict.id)
    doc = disputes.noted(case.conflict.doc, case.said, case.name, problem)
    effects = [_of_conflict(case, doc)]
    picked = (case.candidates[op] for op in case.choice.values() if op in case.candidates)
    if joining := mine or next(picked, None):
        there = disputes.joined(case.other.doc, server, joining)
        effects.append(Effect(case.other.id, CONFLICT, disputes.ruling(there, case.other.partition)))
    return Verdict("conflict", problem, tuple(effects), conflict=case.other.id)


def _as_candidate(case: Case, server: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values that a settlement chose, as a candidate; None where transitions are disputed, which have no value."""
    edits = [each["verb"] for each in case.candidates.values() if case.kind.verbs[each["verb"]].edits]
    if not edits:
        return None
    speaker = {**case.said, "verb": edits[0], "base": case.target.version}
    return disputes.candidate(speaker, case.name, {name: case.chosen(name) for name in server}, server)


def _settled(case: Case) -> Verdict:
    """The chosen values become a version of the record; fields without a choice stay in dispute."""
    made = _applied(case)
    if isinstance(made, Problem):
        return refused(made)
    stands = made or Ruling(case.target.doc, case.target.partition, case.target.state)
    left = {
        name: stands.doc.get(name, stands.state if name == "state" else None)
        for name in case.conflict.doc["server"]
        if name not in case.choice
    }
    state = OPEN if left else SETTLED
    doc = disputes.noted(case.conflict.doc, case.said, case.name, None, state=state, server=left)
    effects = [_of_conflict(case, doc)]
    if made is not None:
        effects.append(Effect(case.target.id, case.kind.name, made))
    return Verdict("applied", effects=tuple(effects), own=case.conflict.id)


def _applied(case: Case) -> Ruling | Problem | None:
    """The ruling that the chosen candidates come to, one after the other; None when all is the server's."""
    made: Ruling | None = None
    target = case.target
    for candidate, fields in _shares(case):
        ruling = case.ask(candidate, fields, _as_seen(case, candidate, target))
        if isinstance(ruling, Problem):
            return ruling
        made = ruling
        target = replace(target, doc=ruling.doc, state=ruling.state, place=ruling.place)
    return made


def _as_seen(case: Case, candidate: Mapping[str, Any], target: Head) -> Head:
    """The record as it would stand had the transition that lost come first: the settlement chooses it instead."""
    verb = case.kind.verbs[candidate["verb"]]
    if verb.edits:
        return target
    rested = {name: seen for name, seen in candidate["seen"].items() if name in verb.watches}
    return replace(target, doc={**target.doc, **rested}, state=rested.get("state", target.state))


def _shares(case: Case) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """What each chosen candidate brings: of an edit the chosen fields, of a transition, or of what brings a removed
    record back, all."""
    for op, candidate in case.candidates.items():
        names = {name for name, picked in case.choice.items() if picked == op}
        whole = "state" in names or not case.kind.verbs[candidate["verb"]].edits
        fields = {name: each for name, each in candidate["fields"].items() if whole or name in names}
        if names:
            yield candidate, fields
