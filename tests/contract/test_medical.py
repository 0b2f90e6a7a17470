"""Medical rows: whoever is given one, by whatever way, stands in the log before he has it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.audit.views.readings import is_medical
from backend.kernel.problems import Problem as Refusal
from headless.chain import uuid7
from headless.errors import Problem
from mobile_api.withheld import Sight
from sync.news import News
from sync.streaming.hub import _Batch
from tests.support import store
from tests.support.auditor import Auditor
from tests.support.hand import Hand
from tests.support.reader import Copy
from tests.support.rows import fill
from tests.support.world import FACILITY, World


def readings(world: World) -> list[dict[str, Any]]:
    return [leaf for leaf in store.leaves(world) if leaf["act"] == "medical.read"]


@pytest.fixture
def partition(both: World) -> str:
    """A partition with three medical rows."""
    name = f"person/{both.ids['p1']}/medical"
    fill(both, name, 3)
    return name


def test_a_pull_of_medical_rows_leaves_a_leaf(both: World, partition: str) -> None:
    copy = Copy.of(both, "MED").pull()
    assert len(copy.of_partition(partition)) == 3
    (leaf,) = readings(both)
    who = (leaf["officer"], leaf["terminal"], leaf["session"])
    assert who == (both.ids["MED"], copy.hand.terminal, copy.hand.session)
    assert leaf["partitions"] == [partition] and leaf["upto"] >= copy.cursors[partition]
    copy.pull()
    assert len(readings(both)) == 1, "a pull that brings none leaves none"
    fill(both, partition, 1)
    copy.pull()
    assert len(readings(both)) == 2


def test_a_page_at_a_time_leaves_a_leaf_at_a_time(both: World, partition: str) -> None:
    other = f"person/{both.ids['p2']}/medical"
    fill(both, other, 3)
    copy = Copy.of(both, "DIR").pull(limit=2)
    given = [name for leaf in readings(both) for name in leaf["partitions"]]
    assert set(given) == {partition, other} and len(readings(both)) >= 3
    assert len(copy.of_partition(partition)) == len(copy.of_partition(other)) == 3


@pytest.mark.parametrize("post", ["LEAD", "PAT", "DISC", "INT", "ADM", "CITY"])
def test_who_is_given_none_leaves_none(both: World, partition: str, post: str) -> None:
    copy = Copy.of(both, post).pull()
    assert partition not in copy.cursors
    for path, body in (("rows", {"ids": [uuid7()]}), ("snapshots", {}), ("buckets", {})):
        with pytest.raises(Problem):
            copy.ask(path, {"partition": partition} | body)
    assert readings(both) == []


def test_rows_that_are_repaired_and_snapshots_that_are_fetched_leave_a_leaf(both: World, partition: str) -> None:
    copy = Copy.of(both, "PROC")
    rows = store.rows(both, store.tables.records, partition=partition)
    found = copy.ask("rows", {"partition": partition, "ids": [row.id for row in rows]})["rows"]
    assert len(found) == 3 and [leaf["partitions"] for leaf in readings(both)] == [[partition]]
    assert copy.ask("rows", {"partition": partition, "ids": [uuid7()]})["rows"] == []
    assert len(readings(both)) == 1, "nothing was given"
    copy.take_snapshot(partition)
    assert [leaf["partitions"] for leaf in readings(both)] == [[partition]] * 2
    base = f"person/{both.ids['p1']}/base"
    copy.take_snapshot(base)
    assert len(readings(both)) == 2, "of other rows none"


def test_where_the_leaf_cannot_be_written_nothing_is_given(
    both: World, partition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = Hand(both).signed_in("MED")

    def busy(*_: Any) -> None:
        raise Refusal("server.busy", retry_after=1)

    monkeypatch.setattr("backend.audit.views.readings._append_medical", busy)
    with pytest.raises(Problem) as refused:
        hand.pull()
    assert refused.value.code == "server.busy"
    assert Copy.of(both, "LEAD").pull().rows, "others read on"


def test_a_medical_row_is_never_pushed_down_a_stream(partition: str) -> None:
    batch, row = _Batch(), orjson.dumps({"id": "x"})
    base = "place/x/base"
    batch.add(News(FACILITY, 1, 7, frozenset({base}), ((partition, row), (base, row))))
    assert batch.alarms == [(base, row)]
    assert batch.partitions.keys() == {base, partition}, "it comes as news, and is pulled"


def conflict(world: World, partition: str) -> str:
    """A conflict over medical rows, as ``fill`` puts rows in: its view takes it by the operation that opened it."""
    hand = Hand(world).signed_in("PAT")
    hand.open()
    hand.told()
    op = store.rows(world, store.tables.operations, terminal=hand.terminal)[0]
    body = orjson.loads(store.one(world, store.tables.records, id=orjson.loads(op.outcome)["record"]).body)
    moved = orjson.dumps(body | {"partition": partition})
    store.alter(world, store.tables.records, {"id": body["id"]}, body=moved, partition=partition)
    return str(op.op)


def test_the_auditor_s_view_of_one_leaves_both_leaves_and_a_leader_finds_nothing(both: World, partition: str) -> None:
    op = conflict(both, partition)
    told = Auditor(both).see(f"operations/{op}")
    assert told["versions"][0]["partition"] == partition
    (leaf,) = readings(both)
    assert (leaf["officer"], leaf["partitions"], leaf["upto"]) == (both.ids["AUD"], [partition], None)
    assert [each["act"] for each in store.leaves(both)[-2:]] == ["view.read", "medical.read"]
    assert Auditor(both, "LEAD").refused(f"operations/{op}") == "route.unknown"
    assert len(readings(both)) == 1


def test_what_is_withheld_from_whom() -> None:
    leader, auditor = Sight(["LEAD"]), Sight(["AUD"])
    assert (leader.partition("person/x/medical"), auditor.partition("person/x/medical")) == (False, True)
    assert (leader.partition("person/x/location"), auditor.partition("person/x/location")) == (True, False)
    assert all(sight.partition("place/x/base") and sight.partition("person/x/case") for sight in (leader, auditor))
    assert all(sight.kind(name) for sight in (leader, auditor) for name in ("talk", "patrol.visit", None, "none"))
    assert leader.bytes_of(None) and leader.bytes_of("bm90IEpTT04")


@pytest.mark.parametrize("name, is_", [
    ("person/x/medical", True), ("person/x/base", False), ("person/medical/base", False), ("medical", False),
])  # fmt: skip
def test_a_partition_is_medical_by_how_it_ends(name: str, is_: bool) -> None:
    assert is_medical(name) is is_
