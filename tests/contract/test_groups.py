"""When the database refuses or is busy: no part of a group is half done, and one operation never costs another."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg
import pytest
from sqlalchemy import exc, insert

from backend.identity.terminals import Terminal
from backend.kernel.framing import Frame
from backend.kernel.ids import unhash
from backend.kernel.problems import Problem
from backend.records.registry import kinds
from backend.storage import tables
from backend.storage.engine import Refused
from headless.chain import uuid7
from sync.judging.accept import Acceptance, Operation
from sync.writing.commit import Commits
from sync.writing.jobs import Job
from sync.writing.local import Act
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import World, place

pytestmark = pytest.mark.engines

CURSED = "咒"


@pytest.fixture
def commits(both: World, monkeypatch: pytest.MonkeyPatch) -> Commits:
    """Commits over a database that refuses every version of a record whose text holds a certain sign."""
    made = both.services.pusher._commits
    enter = made._enter

    def refusing(transaction: Any, rows: Any) -> None:
        enter(transaction, rows)
        if any(CURSED.encode() in row["body"] for row in rows.new_records):
            raise sqlite3.IntegrityError("cursed")

    monkeypatch.setattr(made, "_enter", refusing)
    monkeypatch.setattr("sync.writing.commit._log", type("Log", (), {"exception": staticmethod(lambda *_, **__: None)}))
    return made


def walked(h: Hand, *notes: str | None) -> None:
    round_, opened = h.open()
    for note in notes:
        h.visit(round_, "K", note=note)
    h.close_round(round_, after=[opened])


def job(h: Hand) -> Job:
    acceptance = Acceptance(kinds())
    operations = [acceptance.accept(Frame(n, unhash(link), raw), h.terminal, 1) for n, link, raw in h.frames]

    def build(_end: Terminal) -> list[Operation]:
        return operations

    return Job("TEST", h.terminal, 1, build, unhash(h.genesis), h.n)


def statuses(world: World, h: Hand) -> list[str]:
    return [row.status for row in store.rows(world, tables.operations, terminal=h.terminal)]


@pytest.mark.usefixtures("commits")
def test_what_the_database_refuses_is_set_aside_alone(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    walked(h, None, CURSED, None, CURSED)
    told = h.told()
    expected = ["applied", "applied", "quarantined", "applied", "quarantined", "applied"]
    assert [outcome["status"] for outcome in told] == expected == statuses(both, h)
    assert {outcome["problem"]["code"] for outcome in told if "problem" in outcome} == {"server.fault"}
    assert [row.raw for row in store.rows(both, tables.operations, terminal=h.terminal)] == [f[2] for f in h.frames]
    assert h.told() == told
    store.verified(both)


def test_a_group_that_is_refused_costs_only_the_one_that_is_to_blame(both: World, commits: Commits) -> None:
    hands = [Hand(both).signed_in("PAT") for _ in range(3)]
    for h, notes in zip(hands, ((None,), (None, CURSED), (None, None)), strict=True):
        walked(h, *notes)
    jobs = [job(h) for h in hands]
    commits._run(jobs)
    assert [each.error for each in jobs] == [None] * 3
    assert [statuses(both, h) for h in hands] == [
        ["applied"] * 3,
        ["applied", "applied", "quarantined", "applied"],
        ["applied"] * 4,
    ]
    for h, each in zip(hands, jobs, strict=True):
        kept = [row.outcome for row in store.rows(both, tables.operations, terminal=h.terminal)]
        assert each.answer is not None and each.answer.outcomes == kept
    store.verified(both)


def test_a_group_of_known_forked_gapped_and_new_pushes_gives_each_its_own_answer(both: World) -> None:
    known, fork, gap, new = (Hand(both).signed_in("PAT") for _ in range(4))
    for h in (known, fork, gap, new):
        walked(h, None)
    told = known.told()
    jobs = [job(known), job(fork), job(gap), job(new)]
    jobs[1].prior = bytes(32)
    late = jobs[2].build
    jobs[2].build, jobs[2].prior = lambda end: late(end)[1:], unhash(gap.prior(2))
    both.services.pusher._commits._run(jobs)
    assert isinstance(jobs[1].error, Problem) and jobs[1].error.code == "chain.fork"
    assert jobs[0].answer is not None and len(jobs[0].answer.outcomes) == len(told)
    assert statuses(both, known) == statuses(both, new) == ["applied"] * 3
    assert (statuses(both, fork), statuses(both, gap)) == ([], ["held", "held"])
    store.verified(both)


@pytest.mark.parametrize("fault", [
    sqlite3.OperationalError("database is locked"),
    sqlite3.OperationalError("database or disk is full"),
    psycopg.OperationalError("the connection is lost"),
    psycopg.errors.LockNotAvailable("lock timeout"),
    exc.TimeoutError("the pool is empty"),
], ids=str)  # fmt: skip
def test_a_busy_database_is_a_503_that_changed_nothing_and_may_be_tried_again(
    small: World, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    h = Hand(small).signed_in("PAT")
    walked(h, None)
    made = small.services.pusher._commits
    with monkeypatch.context() as patch:

        def busy(*_: Any) -> None:
            raise fault

        patch.setattr(made, "_enter", busy)
        refused = h.push()
    assert (refused.status_code, refused.json()["code"]) == (503, "server.busy")
    assert refused.headers["Retry-After"] == str(refused.json()["detail"]["retry_after"])
    assert statuses(small, h) == []
    assert [outcome["status"] for outcome in h.told()] == ["applied"] * 3


def test_a_write_that_fails_half_way_leaves_nothing(both: World) -> None:
    row = store.one(both, tables.officers, officer=both.ids["PAT"])._asdict()
    for again in (row, row | {"officer": "same number"}):
        with pytest.raises(Refused), both.services.store.writing() as connection:
            fresh = row | {"officer": "fresh", "number": "fresh"}
            connection.execute(insert(tables.officers), fresh)
            connection.execute(insert(tables.officers), again)
        assert store.rows(both, tables.officers, officer="fresh") == []


def test_rows_without_a_leaf_are_never_committed(both: World) -> None:
    row = store.one(both, tables.officers, officer=both.ids["PAT"])._asdict() | {"officer": "x", "number": "x"}
    with pytest.raises(RuntimeError, match="leaf"):
        both.services.door.write("TEST", lambda transaction: transaction.insert(tables.officers, [row]))
    assert store.rows(both, tables.officers, officer="x") == []
    store.verified(both)


@pytest.mark.usefixtures("commits")
def test_acts_at_a_desk_are_done_all_or_none(both: World) -> None:
    """The server builds on the end of its own chain, so that a second try would write what was written again."""
    acts = [
        Act("place", "create", uuid7(), place(both, "C1") | {"code": code, "name": name, "tags": []})
        for code, name in (("X1", "甲"), ("X2", CURSED), ("X3", "丙"))
    ]
    tracked = (tables.operations, tables.records, tables.versions)
    before = [store.rows(both, table) for table in tracked]
    with pytest.raises(Refused):
        both.desk("ADM", *acts)
    assert [store.rows(both, table) for table in tracked] == before
    done = both.desk("ADM", acts[0], acts[2])
    assert [outcome["status"] for outcome in done] == ["applied", "applied"]
    assert len(store.rows(both, tables.operations)) == len(before[0]) + 2
    store.verified(both)
