"""What every record kind is held to, on shared engines. A kind brings one sample (tests/samples) and nothing else."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.domain.posts import HELD, READERS
from backend.kernel.ids import b64, sha256
from backend.kernel.kind import REMOVED, Policy
from backend.records.registry import kinds
from backend.storage import tables
from headless.chain import rfc3339, uuid7
from headless.terminal import Terminal
from tests.samples import Record, create, judged_by_sync, samples, set_up
from tests.support import hand, store
from tests.support.world import SECRET, World

KINDS = sorted(name for name in kinds() if not judged_by_sync(name))
STORIES = [(name, story) for name in KINDS for story in samples()[name].told()]
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
        assert list(sample.verbs) == list(kinds()[name].verbs), name
        creating = [verb for verb, of in kinds()[name].verbs.items() if of.creates]
        assert creating == [sample.creating], name
        played = set(sample.verbs) - sample.served
        assert {wrong.verb for wrong in sample.wrong if sample.verbs[wrong.verb]} >= played, (
            f"{name}: a verb without wrong fields"
        )
        assert {verb for story in sample.told() for verb in story} == played, f"{name}: a verb not played"
        assert all(story[0] == sample.creating for story in sample.told()), name


def test_the_samples_exercise_every_policy_and_every_way_to_edit() -> None:
    assert all(OF_POLICY.values()), OF_POLICY
    verbs = [verb for name in KINDS for verb in kinds()[name].verbs.values()]
    assert any(verb.edits for verb in verbs) and any(verb.removes for verb in verbs)
    assert any(verb.watches and not verb.edits and not verb.removes for verb in verbs)
    assert any(kinds()[name].strict for name in KINDS)
    for name in OF_POLICY[Policy.SHARED]:
        sample, kind = samples()[name], kinds()[name]
        assert sample.apart and sample.against and bool(sample.strict) == bool(kind.strict), name


@pytest.mark.parametrize(("kind", "story"), STORIES)
def test_what_a_writer_writes_a_reader_is_given_byte_for_byte(shared: World, kind: str, story: tuple[str, ...]) -> None:
    sample = samples()[kind]
    stage = set_up(shared, sample)
    record = Record(stage, sample).play(story)
    shared.clock.advance(90_000)
    applied(stage.terminal.push())
    kept = store.one(shared, tables.records, id=record.id)
    row = orjson.loads(kept.body)
    given = rows_of(shared.terminal(), sample.reader)
    if story[-1] in sample.leaves:
        assert record.id not in given
    else:
        assert orjson.dumps(given[record.id]) == kept.body
    assert row["doc"] == (None if record.removed else record.doc)
    said = next(each.operation for each in stage.terminal.queue() if each.op == record.ops[-1])
    session = stage.terminal.session
    assert session is not None
    assert row == row | {
        "kind": kind,
        "version": len(story),
        "author": {"officer": session.officer, "name": session.name},
        "terminal": stage.terminal.identity.terminal,
        "op": record.ops[-1],
        "observed_at": said["observed_at"],
        "recorded_at": said["recorded_at"],
        "received_at": rfc3339(stage.terminal.clock.now()),
        "proven_from": stage.began,  # when the head of the sign-in was signed
        "signoff": said["signoff"],
        "state": REMOVED if record.removed else record.doc.get("state", row["state"]),
    }
    late = any(sample.passes.get(verb) for verb in story)
    assert late or row["marks"] == []
    assert (row["seq"], row["state"], row["partition"]) == (kept.seq, kept.state, kept.partition)
    assert row["partition"].endswith(f"/{kinds()[kind].compartment}")


@pytest.mark.parametrize(("kind", "story"), STORIES)
def test_each_version_is_a_leaf_and_is_kept(shared: World, kind: str, story: tuple[str, ...]) -> None:
    sample = samples()[kind]
    stage = set_up(shared, sample)
    record = Record(stage, sample).play(story)
    applied(stage.terminal.push())
    log = {leaf["op"]: leaf for leaf in store.leaves(shared) if leaf["act"] == "operation"}
    bodies = [row.body for row in store.rows(shared, tables.versions, id=record.id)]
    bodies.append(store.one(shared, tables.records, id=record.id).body)
    docs = [*record.docs, None] if record.removed else record.docs
    assert [orjson.loads(body)["doc"] for body in bodies] == docs
    for version, (op, body) in enumerate(zip(record.ops, bodies, strict=True), 1):
        kept = store.one(shared, tables.operations, op=op)
        queued = next(each for each in stage.terminal.queue() if each.op == op)
        assert kept.raw == queued.raw
        assert log[op] == log[op] | {
            "terminal": stage.terminal.identity.terminal,
            "n": queued.n,
            "hash": queued.hash,
            "status": "applied",
            "outcome": b64(sha256(kept.outcome)),
            "record": record.id,
            "version": version,
            "row": b64(sha256(body)),
        }
    store.verified(shared)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_given_it_beyond_his_scope(shared: World, kind: str) -> None:
    sample = samples()[kind]
    stage = set_up(shared, sample)
    record = create(stage, sample).id
    applied(stage.terminal.push())
    other = shared.terminal()
    assert record in rows_of(other, sample.reader)
    assert record in rows_of(other, "AUD")
    if sample.outsider is None:
        assert [post for post in READERS if record not in rows_of(other, post)] == []
    else:
        outsiders = rows_of(other, sample.outsider)
        assert record not in outsiders and len(outsiders) > 0
    assert rows_of(other, "ADM") == {}


@pytest.mark.parametrize("kind", [name for name in KINDS if samples()[name].removing])
def test_a_removal_takes_the_row_from_whoever_holds_it_and_keeps_the_versions(shared: World, kind: str) -> None:
    sample = samples()[kind]
    assert sample.removing is not None
    stage = set_up(shared, sample)
    record = Record(stage, sample).play(sample.before(sample.removing))
    applied(stage.terminal.push())
    reader = shared.terminal()
    assert record.id in rows_of(reader, sample.reader)
    record.step(sample.removing)
    applied(stage.terminal.push())
    assert record.id not in rows_of(reader, sample.reader)
    kept = store.one(shared, tables.records, id=record.id)
    assert (kept.state, orjson.loads(kept.body)["doc"]) == ("removed", None)
    assert len(store.rows(shared, tables.versions, id=record.id)) == len(record.docs)
    store.verified(shared)


@pytest.mark.parametrize("kind", OF_POLICY[Policy.OWNED])
def test_another_terminal_does_not_change_what_one_owns(shared: World, kind: str) -> None:
    sample = samples()[kind]
    stage = set_up(shared, sample)
    record = create(stage, sample)
    applied(stage.terminal.push())
    before = store.one(shared, tables.records, id=record.id)
    second = shared.terminal(sample.writer)
    for verb in list(sample.verbs)[1:]:
        record.write(verb, terminal=second)
        (outcome,) = second.push()
        assert refused(outcome) == ("rejected", "record.owned", "record")
    assert store.one(shared, tables.records, id=record.id) == before


@pytest.mark.parametrize("kind", OF_POLICY[Policy.FACT])
def test_a_fact_is_made_once_and_no_verb_edits_it(shared: World, kind: str) -> None:
    sample = samples()[kind]
    stage = set_up(shared, sample)
    record = create(stage, sample)
    applied(stage.terminal.push())
    before = store.one(shared, tables.records, id=record.id)
    record.write(sample.creating)
    record.write(sample.creating, base=1)
    again, changed = stage.terminal.push()
    assert refused(again) == ("rejected", "record.exists", "record")
    assert refused(changed)[:2] == ("rejected", "field.invalid")
    assert store.one(shared, tables.records, id=record.id) == before


@pytest.mark.parametrize(("kind", "story"), STORIES)
def test_a_resend_in_any_cutting_gets_the_same_bytes_and_has_one_effect(
    shared: World, kind: str, story: tuple[str, ...]
) -> None:
    sample = samples()[kind]
    stage = set_up(shared, sample)
    Record(stage, sample).play(story)
    Record(stage, sample).write(sample.creating, {"no": "such field"})
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
    meets = {}
    for verb in sorted(sample.verbs, key=lambda each: sum(sample.passes.get(step, 0) for step in sample.before(each))):
        for post in HELD:
            meets[verb, post] = Record(stage, sample).play(sample.before(verb))
    shared.clock.advance(max(sample.passes.values(), default=0))
    expected: dict[str, tuple[str, str | None]] = {}
    for (verb, post), record in meets.items():
        stage.terminal.sign_in(post, SECRET)
        may = post in sample.may(verb)
        expected[record.write(verb)] = ("applied", None) if may else ("rejected", "officer.unauthorised")
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
        record = Record(stage, sample).play(sample.before(wrong.verb))
        record.pass_to(sample.hand(wrong.verb))
        op = record.write(wrong.verb, wrong.fields(stage))
        status = "held" if wrong.code == "operation.held" else "rejected"
        expected[op] = (wrong.what, status, wrong.code, wrong.field)
    made = len(store.rows(shared, tables.records))
    learnt = stage.terminal.push()
    outcomes = {outcome["op"]: outcome for outcome in learnt}
    whats = {op: wrong[0] for op, wrong in expected.items()}
    assert {op: (whats[op], *refused(outcomes[op])) for op in expected} == expected
    created = [outcome for outcome in learnt if outcome["status"] == "applied" and outcome["version"] == 1]
    assert len(store.rows(shared, tables.records)) == made + len(created)


def test_a_story_plays_its_verbs(standing: World) -> None:
    """The suite's own ground: were ``play`` to skip a verb, the tests above would prove less than they say."""
    for kind, story in STORIES:
        stage = set_up(standing, samples()[kind])
        record = Record(stage, samples()[kind], uuid7()).play(story)
        queue = {each.op: each for each in stage.terminal.queue()}
        assert tuple(queue[op].verb for op in record.ops) == story
        assert {queue[op].record for op in record.ops} == {record.id}
