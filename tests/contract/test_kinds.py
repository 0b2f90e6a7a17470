"""What every record kind is held to, on shared engines. A kind brings one sample (tests/samples) and nothing else."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.domain.posts import Post
from backend.kernel.ids import b64, sha256
from backend.kernel.kind import Policy
from backend.records.registry import kinds
from backend.storage import tables
from headless.chain import rfc3339, uuid7
from headless.terminal import Terminal
from tests.samples import Stage, create, play, samples, set_up, write
from tests.support import hand, store
from tests.support.world import SECRET, World

KINDS = sorted(kinds())
OF_POLICY = {policy: [name for name in KINDS if kinds()[name].policy is policy] for policy in Policy}


def rows_of(terminal: Terminal, officer: str) -> dict[str, dict[str, Any]]:
    """What an officer is given at a terminal, by id."""
    terminal.sign_in(officer, SECRET)
    terminal.pull()
    return {row["id"]: row for row in terminal.rows()}


def applied(outcomes: list[dict[str, Any]]) -> None:
    assert {outcome["status"] for outcome in outcomes} == {"applied"}, outcomes


def refused(outcome: dict[str, Any]) -> tuple[str, str, str | None]:
    return outcome["status"], outcome["problem"]["code"], outcome["problem"].get("field")


def test_every_kind_has_a_sample_and_every_sample_a_kind() -> None:
    assert sorted(samples()) == KINDS
    for name, sample in samples().items():
        assert set(sample.verbs) == set(kinds()[name].verbs), name
        creating = [verb for verb, of in kinds()[name].verbs.items() if of.creates]
        assert creating == [sample.creating], name
        assert {wrong.verb for wrong in sample.wrong} == set(sample.verbs), f"{name}: a verb without wrong fields"


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_writer_writes_a_reader_is_given_byte_for_byte(shared: World, kind: str) -> None:
    sample = samples()[kind]
    stage = set_up(shared, sample)
    record, ops = play(stage, sample)
    shared.clock.advance(90_000)
    applied(stage.terminal.push())
    row = rows_of(shared.terminal(), sample.reader)[record]
    kept = store.one(shared, tables.records, id=record)
    assert orjson.dumps(row) == kept.body
    assert row["doc"] == sample.doc(stage)
    said = next(each.operation for each in stage.terminal.queue() if each.op == ops[-1])
    session = stage.terminal.session
    assert session is not None
    assert row == row | {
        "kind": kind,
        "version": len(sample.verbs),
        "author": {"officer": session.officer, "name": session.name},
        "terminal": stage.terminal.identity.terminal,
        "op": ops[-1],
        "observed_at": said["observed_at"],
        "recorded_at": said["recorded_at"],
        "received_at": rfc3339(stage.terminal.clock.now()),
        "proven_from": said["recorded_at"],  # the head of the sign-in was signed in that very millisecond
        "marks": [],
        "signoff": said["signoff"],
    }
    assert (row["seq"], row["state"], row["partition"]) == (kept.seq, kept.state, kept.partition)
    assert row["partition"].endswith(f"/{kinds()[kind].compartment}")


@pytest.mark.parametrize("kind", KINDS)
def test_each_version_is_a_leaf_and_is_kept(shared: World, kind: str) -> None:
    sample = samples()[kind]
    stage = set_up(shared, sample)
    record, ops = play(stage, sample)
    applied(stage.terminal.push())
    log = {leaf["op"]: leaf for leaf in store.leaves(shared) if leaf["act"] == "operation"}
    bodies = [row.body for row in store.rows(shared, tables.versions, id=record)]
    bodies.append(store.one(shared, tables.records, id=record).body)
    for version, (op, body) in enumerate(zip(ops, bodies, strict=True), 1):
        kept = store.one(shared, tables.operations, op=op)
        queued = next(each for each in stage.terminal.queue() if each.op == op)
        assert kept.raw == queued.raw
        assert log[op] == log[op] | {
            "terminal": stage.terminal.identity.terminal,
            "n": queued.n,
            "hash": queued.hash,
            "status": "applied",
            "outcome": b64(sha256(kept.outcome)),
            "record": record,
            "version": version,
            "row": b64(sha256(body)),
        }
    held = store.verified(shared)
    assert held.operations == len(log) and held.versions == len([leaf for leaf in log.values() if "row" in leaf])


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_given_it_beyond_his_scope(shared: World, kind: str) -> None:
    sample = samples()[kind]
    stage = set_up(shared, sample)
    record = create(stage, sample)
    applied(stage.terminal.push())
    other = shared.terminal()
    assert record in rows_of(other, sample.reader)
    assert record in rows_of(other, "AUD")
    outsiders = rows_of(other, sample.outsider)
    assert record not in outsiders and len(outsiders) > 0
    assert rows_of(other, "ADM") == {}


@pytest.mark.parametrize("kind", OF_POLICY[Policy.SHARED])
def test_an_edit_of_an_outdated_version_is_a_conflict_that_loses_nothing(shared: World, kind: str) -> None:
    sample = samples()[kind]
    stage, change = set_up(shared, sample), list(sample.verbs)[1]
    record, _ = play(stage, sample)
    applied(stage.terminal.push())
    before = store.one(shared, tables.records, id=record)
    second = shared.terminal(sample.writer)
    op = write(stage, sample, change, record, base=1, terminal=second)
    (outcome,) = second.push()
    assert refused(outcome) == ("conflict", "record.conflict", "base")
    assert outcome["problem"]["detail"] == {"version": before.version}
    assert store.one(shared, tables.records, id=record) == before
    assert store.one(shared, tables.operations, op=op).raw == second.queue()[0].raw
    write(stage, sample, change, record, base=before.version, terminal=second)
    (outcome,) = second.push()
    assert (outcome["status"], outcome["version"]) == ("applied", before.version + 1)
    store.verified(shared)


@pytest.mark.parametrize("kind", OF_POLICY[Policy.OWNED])
def test_another_terminal_does_not_change_what_one_owns(shared: World, kind: str) -> None:
    sample = samples()[kind]
    stage = set_up(shared, sample)
    record = create(stage, sample)
    applied(stage.terminal.push())
    before = store.one(shared, tables.records, id=record)
    second = shared.terminal(sample.writer)
    for verb in list(sample.verbs)[1:]:
        write(stage, sample, verb, record, terminal=second)
        (outcome,) = second.push()
        assert refused(outcome) == ("rejected", "record.owned", "record")
    assert store.one(shared, tables.records, id=record) == before


@pytest.mark.parametrize("kind", OF_POLICY[Policy.FACT])
def test_a_fact_is_made_once_and_no_verb_edits_it(shared: World, kind: str) -> None:
    sample = samples()[kind]
    stage = set_up(shared, sample)
    record = create(stage, sample)
    applied(stage.terminal.push())
    before = store.one(shared, tables.records, id=record)
    write(stage, sample, sample.creating, record)
    write(stage, sample, sample.creating, record, base=1)
    again, changed = stage.terminal.push()
    assert refused(again) == ("rejected", "record.exists", "record")
    assert refused(changed)[:2] == ("rejected", "field.invalid")
    assert store.one(shared, tables.records, id=record) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_resend_in_any_cutting_gets_the_same_bytes_and_has_one_effect(shared: World, kind: str) -> None:
    sample = samples()[kind]
    stage = set_up(shared, sample)
    play(stage, sample)
    write(stage, sample, sample.creating, uuid7(), fields={"no": "such field"})
    terminal = stage.terminal
    assert [outcome["status"] for outcome in terminal.push()][-1] == "rejected"
    last = terminal.queue()[-1].n
    tracked = (tables.operations, tables.records, tables.versions, tables.leaves, tables.partitions)
    before = [store.rows(shared, table) for table in tracked]
    whole = hand.resend(shared, terminal, 1, last)
    given = [row.outcome for row in store.rows(shared, tables.operations, terminal=terminal.identity.terminal)]
    assert hand.outcomes(whole) == b",".join(given)
    for cut in range(1, last):
        parts = [hand.resend(shared, terminal, 1, cut), hand.resend(shared, terminal, cut + 1, last)]
        assert b",".join(map(hand.outcomes, parts)) == b",".join(given)
    assert [store.rows(shared, table) for table in tracked] == before


@pytest.mark.parametrize("kind", KINDS)
def test_posts_that_may_write_it_do_and_others_may_not(shared: World, kind: str) -> None:
    sample = samples()[kind]
    stage = set_up(shared, sample)
    meets = {
        (post, verb): uuid7() if verb == sample.creating else create(stage, sample)
        for post in Post
        for verb in sample.verbs
    }
    expected: dict[str, tuple[str, str | None]] = {}
    for post in Post:
        stage.terminal.sign_in(post, SECRET)
        may = post in kinds()[kind].writers
        for verb in sample.verbs:
            op = write(stage, sample, verb, meets[post, verb])
            expected[op] = ("applied", None) if may else ("rejected", "officer.unauthorised")
    stage.terminal.push()
    outcomes = {op: each for op, each in stage.terminal.outcomes().items() if op in expected}
    told = {op: (each["status"], each.get("problem", {}).get("code")) for op, each in outcomes.items()}
    assert told == expected


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_fields_are_refused_by_code_and_field(shared: World, kind: str) -> None:
    sample = samples()[kind]
    stage = set_up(shared, sample)
    expected = {}
    for wrong in sample.wrong:
        record = uuid7() if wrong.verb == sample.creating else create(stage, sample)
        op = write(stage, sample, wrong.verb, record, fields=wrong.fields(stage))
        expected[op] = (wrong.what, "rejected", wrong.code, wrong.field)
    made = len(store.rows(shared, tables.records))
    learnt = stage.terminal.push()
    outcomes = {outcome["op"]: outcome for outcome in learnt}
    whats = {op: wrong[0] for op, wrong in expected.items()}
    assert {op: (whats[op], *refused(outcomes[op])) for op in expected} == expected
    fine = len([outcome for outcome in learnt if outcome["status"] == "applied"])
    assert len(store.rows(shared, tables.records)) == made + fine == made + len(learnt) - len(expected)


def test_a_stage_plays_every_verb(standing: World) -> None:
    """The suite's own ground: were ``play`` to skip a verb, the tests above would prove less than they say."""
    for kind, sample in samples().items():
        stage: Stage = set_up(standing, sample)
        record, ops = play(stage, sample)
        queue = {each.op: each for each in stage.terminal.queue()}
        assert [queue[op].verb for op in ops] == list(kinds()[kind].verbs)
        assert {queue[op].record for op in ops} == {record}
