"""Two who change one record apart, kind by kind (docs/protocol.md §10): what merges, and what is kept as a dispute."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.kernel.kind import Policy
from backend.records.registry import kinds
from backend.storage import tables
from headless.terminal import Terminal
from tests.samples import Fields, Record, Sample, judged_by_sync, samples, set_up
from tests.support import store
from tests.support.world import SECRET, World

KINDS = sorted(name for name in kinds() if not judged_by_sync(name))
SHARED = [name for name in KINDS if kinds()[name].policy is Policy.SHARED]
STRICT = [name for name in SHARED if kinds()[name].strict]
RIVALS = [(name, *pair) for name in KINDS for pair in samples()[name].rivals]
RESTING = [
    (name, verb)
    for name in SHARED
    for verb, of in kinds()[name].verbs.items()
    if of.watches and not of.edits and not of.removes and not kinds()[name].strict & set(of.watches)
]
DECISIONS = [each for each in RIVALS if not kinds()[each[0]].verbs[each[2]].edits]
REMOVING = [name for name in KINDS if samples()[name].removing]


def test_there_is_a_kind_for_every_way_to_meet() -> None:
    assert all((SHARED, STRICT, RIVALS, RESTING, DECISIONS, REMOVING))


def begun(world: World, kind: str, verb: str | None = None) -> tuple[Sample, Record, Terminal]:
    """A record that is known to two terminals of its writer, ready for a verb."""
    sample = samples()[kind]
    stage = set_up(world, sample)
    record = Record(stage, sample).play(sample.before(verb or str(sample.editing)))
    assert {outcome["status"] for outcome in stage.terminal.push()} == {"applied"}
    return sample, record, world.terminal(sample.writer)


def edit(record: Record, fields: Fields, terminal: Terminal | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sends an edit by one who saw the record's first documents; the fields and the outcome."""
    said = fields(record.stage)
    record.write(str(record.sample.editing), said, terminal=terminal)
    (outcome,) = (terminal or record.stage.terminal).push()
    return said, outcome


def stands(world: World, record: Record) -> dict[str, Any]:
    """The record's row as the server has it."""
    row: dict[str, Any] = orjson.loads(store.one(world, tables.records, id=record.id).body)
    return row


def dispute(world: World, outcome: dict[str, Any]) -> dict[str, Any]:
    """The conflict record that an outcome names; it lies where the disputed record lies."""
    row: dict[str, Any] = orjson.loads(store.one(world, tables.records, id=outcome["conflict"]).body)
    assert row["kind"] == "conflict"
    assert row["partition"] == store.one(world, tables.records, id=outcome["record"]).partition
    return row


def settle(world: World, record: Record, conflict: dict[str, Any], choice: str) -> dict[str, Any]:
    """A leader's settlement of all that is in dispute; its outcome."""
    doc = conflict["doc"]
    terminal = world.terminal("LEAD")
    terminal.capture(
        "conflict",
        "settle",
        conflict["id"],
        {
            "saw": [each["op"] for each in doc["candidates"]],
            "server": doc["server"],
            "choice": dict.fromkeys(doc["server"], choice),
            "reason": "经核实",
        },
        base=conflict["version"],
    )
    (outcome,) = terminal.push()
    return outcome


@pytest.mark.parametrize("kind", SHARED)
def test_edits_that_do_not_touch_each_other_merge(shared: World, kind: str) -> None:
    sample, record, second = begun(shared, kind)
    assert sample.apart is not None
    mine, first = edit(record, sample.apart[0])
    yours, other = edit(record, sample.apart[1], second)
    assert (first["status"], other["status"]) == ("applied", "merged")
    assert other["version"] == first["version"] + 1
    row = stands(shared, record)
    assert row["doc"] == record.doc | mine | yours and row["version"] == other["version"]
    store.verified(shared)


@pytest.mark.parametrize("kind", SHARED)
def test_two_who_write_the_same_agree(shared: World, kind: str) -> None:
    sample, record, second = begun(shared, kind)
    assert sample.against is not None
    _, first = edit(record, sample.against[0])
    before = stands(shared, record)
    _, other = edit(record, sample.against[0], second)
    assert (first["status"], other["status"]) == ("applied", "merged")
    assert stands(shared, record) == before
    store.verified(shared)


@pytest.mark.parametrize("kind", SHARED)
def test_two_values_of_one_field_are_a_conflict_that_loses_nothing(shared: World, kind: str) -> None:
    sample, record, second = begun(shared, kind)
    assert sample.against is not None
    mine, _ = edit(record, sample.against[0])
    before = stands(shared, record)
    yours, outcome = edit(record, sample.against[1], second)
    assert (outcome["status"], outcome["problem"]["code"]) == ("conflict", "record.conflict")
    assert outcome["record"] == record.id
    assert stands(shared, record) == before
    doc = dispute(shared, outcome)["doc"]
    (candidate,) = doc["candidates"]
    assert (doc["record"], doc["kind"], doc["state"], doc["server"]) == (record.id, kind, "open", mine)
    assert second.session is not None
    assert candidate == candidate | {
        "op": second.queue()[-1].op,
        "officer": {"id": second.session.officer, "name": second.session.name},
        "terminal": second.identity.terminal,
        "verb": sample.editing,
        "base": len(record.ops),
        "seen": {name: record.doc.get(name) for name in yours},
        "fields": yours,
    }
    store.verified(shared)


@pytest.mark.parametrize("mine", [True, False])
@pytest.mark.parametrize("kind", SHARED)
def test_a_leader_settles_it_one_way_or_the_other(shared: World, kind: str, mine: bool) -> None:
    sample, record, second = begun(shared, kind)
    assert sample.against is not None
    first, _ = edit(record, sample.against[0])
    yours, outcome = edit(record, sample.against[1], second)
    conflict = dispute(shared, outcome)
    told = settle(shared, record, conflict, "server" if mine else conflict["doc"]["candidates"][0]["op"])
    assert told["status"] == "applied", told
    assert stands(shared, record)["doc"] == record.doc | (first if mine else yours)
    settled = orjson.loads(store.one(shared, tables.records, id=conflict["id"]).body)
    assert settled["doc"]["state"] == "settled"
    assert settled["doc"]["candidates"] == conflict["doc"]["candidates"]
    store.verified(shared)


@pytest.mark.parametrize("kind", STRICT)
def test_a_field_that_touches_safety_never_merges_by_itself(shared: World, kind: str) -> None:
    sample, record, second = begun(shared, kind)
    assert sample.apart is not None and sample.strict is not None
    edit(record, sample.apart[0])
    before = stands(shared, record)
    said, outcome = edit(record, sample.strict, second)
    assert (outcome["status"], outcome["problem"]["code"]) == ("conflict", "record.conflict")
    assert stands(shared, record) == before
    assert set(dispute(shared, outcome)["doc"]["server"]) <= said.keys()
    store.verified(shared)


@pytest.mark.parametrize(("kind", "verb"), RESTING)
def test_what_rests_on_fields_that_nobody_touched_goes_through(shared: World, kind: str, verb: str) -> None:
    """A handling rests on the state, not on the note: what was noted meanwhile does not stop it."""
    sample, record, second = begun(shared, kind, verb)
    assert sample.apart is not None
    doc, base = dict(record.doc), len(record.ops)
    said, _ = edit(record, sample.apart[0])
    record.write(verb, base=base, doc=doc, terminal=second)
    (outcome,) = second.push()
    assert outcome["status"] == "merged", outcome
    row = stands(shared, record)
    assert row["doc"] == row["doc"] | said != doc | said
    assert row["state"] != doc["state"] or "state" not in sample.of.verbs[verb].watches
    store.verified(shared)


@pytest.mark.parametrize(("kind", "first", "second"), RIVALS)
def test_of_two_decisions_made_apart_the_second_is_disputed(shared: World, kind: str, first: str, second: str) -> None:
    sample, record, terminal = begun(shared, kind, first)
    doc, base = dict(record.doc), len(record.ops)
    record.step(first)
    (done,) = record.stage.terminal.push()
    before = stands(shared, record)
    op = record.write(second, base=base, doc=doc, terminal=terminal)
    (outcome,) = terminal.push()
    code = "record.removed" if sample.of.verbs[first].removes else "record.conflict"
    assert done["status"] == "applied"
    assert (outcome["status"], outcome["problem"]["code"]) == ("conflict", code), outcome
    assert stands(shared, record) == before
    conflict = dispute(shared, outcome)["doc"]
    assert [each["op"] for each in conflict["candidates"]] == [op]
    assert store.one(shared, tables.operations, op=op).raw == terminal.queue()[-1].raw
    store.verified(shared)


@pytest.mark.parametrize(("kind", "first", "second"), DECISIONS)
def test_a_leader_may_let_the_second_decision_stand(shared: World, kind: str, first: str, second: str) -> None:
    _, record, terminal = begun(shared, kind, first)
    doc, base = dict(record.doc), len(record.ops)
    record.step(first)
    record.stage.terminal.push()
    op = record.write(second, base=base, doc=doc, terminal=terminal)
    (outcome,) = terminal.push()
    before = stands(shared, record)
    told = settle(shared, record, dispute(shared, outcome), op)
    assert told["status"] == "applied", told
    assert stands(shared, record)["version"] == before["version"] + 1
    store.verified(shared)


@pytest.mark.parametrize("kind", REMOVING)
def test_a_removal_and_an_edit_apart_are_both_kept(shared: World, kind: str) -> None:
    sample, record, second = begun(shared, kind)
    assert sample.apart is not None and sample.removing is not None
    record.step(sample.removing)
    record.stage.terminal.push()
    second.sign_in(sample.writer, SECRET)
    said = sample.apart[0](record.stage)
    record.write(str(sample.editing), said, base=1, terminal=second)
    (outcome,) = second.push()
    assert (outcome["status"], outcome["problem"]["code"]) == ("conflict", "record.removed")
    assert stands(shared, record)["state"] == "removed"
    conflict = dispute(shared, outcome)
    assert conflict["doc"]["candidates"][0]["fields"] == said
    told = settle(shared, record, conflict, conflict["doc"]["candidates"][0]["op"])
    assert told["status"] == "applied", told
    assert stands(shared, record)["doc"] == record.doc | said
    store.verified(shared)
