"""Partitions taken whole, resets and tombstones, digests and repair (protocol sections 7 and 8)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from headless import Broken, Offline, Problem, Terminal
from headless.digests import Sum, by_bucket, total
from tests.headless.fake_crypto import b64, digest
from tests.headless.fake_rows import summed
from tests.headless.fake_world import World
from tests.headless.kit import SECRET, Line
from tests.headless.test_pull import scope_rows, walked


@pytest.fixture
def large(fresh: Terminal, world: World) -> Terminal:
    """Signed in, nothing pulled; ward W has more rows than a page should bring."""
    fresh.enrol("7Q2M-K8ZD-41XT", "PDA-07")
    fresh.sign_in("PAT", SECRET)
    for n in range(30):
        doc = {"n": n, "note": "巡" * 20}
        world.kept.put(world.kept.new_id(), "note", f"place/{world.places['W']}/base", "x", doc, world.now(), {})
    world.rows.many = 20
    return fresh


def agreed(terminal: Terminal, world: World) -> None:
    """Row for row, byte for byte, with the running digests those of the bytes."""
    assert terminal.rows() == [row for row in scope_rows(world, "PAT") if row["state"] != "removed"]
    held = {row["partition"]: row["digest"] for row in terminal.store._all("SELECT * FROM cursors")}
    assert held == terminal.store.audit()
    assert {row["partition"] for row in terminal.rows()} <= set(held)
    assert not list(terminal.store.path.parent.glob("*.snapshot-*"))


class Cut(httpx.BaseTransport):
    """Cuts answers on a path after some bytes, so many times."""

    def __init__(self, inner: httpx.BaseTransport, times: int) -> None:
        self._inner, self.times = inner, times
        self.ranges: list[str | None] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        if request.method != "GET" or not request.url.path.startswith("/v1/sync/snapshots/"):
            return response
        if response.status_code >= 400:
            return response
        self.ranges.append(request.headers.get("Range"))
        if not self.times:
            return response
        self.times -= 1
        return httpx.Response(response.status_code, headers=response.headers, stream=Half(response))


class Half(httpx.SyncByteStream):
    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        for at, part in enumerate(self._response.iter_raw()):
            if at == 2:
                raise httpx.ReadError("cut")
            yield part


def test_a_large_partition_comes_whole(large: Terminal, world: World, line: Line) -> None:
    pulled = large.pull()
    assert pulled.snapshots == [f"place/{world.places['W']}/base"]
    assert pulled.rows == 34
    agreed(large, world)
    line.requests.clear()
    assert large.pull().rows == 0
    assert line.paths() == ["/v1/sync/pull"]


def test_or_in_pages_when_it_is_not_asked_for(large: Terminal, world: World) -> None:
    pulled = large.pull(snapshots=False, limit=7)
    assert (pulled.snapshots, pulled.rows) == ([], 34)
    agreed(large, world)


def test_what_comes_while_a_snapshot_is_fetched_is_pulled_after_it(large: Terminal, world: World, line: Line) -> None:
    def news() -> None:
        if line.paths()[-1] != "/v1/sync/snapshots":
            line.meanwhile = news
            return
        world.kept.put(world.kept.new_id(), "note", f"place/{world.places['W']}/base", "x", {"n": 99}, world.now(), {})

    line.meanwhile = news
    assert large.pull().rows == 35
    agreed(large, world)


def test_a_cut_snapshot_goes_on_where_it_ended(large: Terminal, world: World, line: Line) -> None:
    cut = Cut(line, times=2)
    with Terminal(large.store.path, transport=cut, clock=large.clock) as terminal:
        for _ in range(2):
            with pytest.raises(Offline):
                terminal.pull()
            assert terminal.rows("note") == []
        assert len(terminal.store.downloads()) == 1
        terminal.pull()
        assert cut.ranges == [None, "bytes=128-", "bytes=256-"]
        agreed(terminal, world)


@pytest.mark.parametrize("gone", ["snapshot.gone", "range.invalid"])
def test_a_snapshot_that_is_there_no_more_is_asked_for_again(
    large: Terminal, world: World, line: Line, gone: str
) -> None:
    with Terminal(large.store.path, transport=Cut(line, times=1), clock=large.clock) as terminal:
        with pytest.raises(Offline):
            terminal.pull()
        if gone == "snapshot.gone":
            world.rows.snapshots.clear()
        else:
            for id_, (partition, content) in world.rows.snapshots.items():
                world.rows.snapshots[id_] = (partition, content[:100])
        terminal.pull()
        agreed(terminal, world)


def test_a_snapshot_of_a_partition_that_has_left(large: Terminal, world: World, line: Line) -> None:
    with Terminal(large.store.path, transport=Cut(line, times=1), clock=large.clock) as terminal:
        with pytest.raises(Offline):
            terminal.pull()
        world.officers["PAT"]["wards"] = ["V"]
        pulled = terminal.pull()
        assert pulled.snapshots == []
        agreed(terminal, world)


def test_another_officer_gets_nothing_of_what_the_first_one_was_fetching(
    large: Terminal, world: World, line: Line
) -> None:
    with Terminal(large.store.path, transport=Cut(line, times=1), clock=large.clock) as terminal:
        with pytest.raises(Offline):
            terminal.pull()
        assert list(large.store.path.parent.glob("*.snapshot-*"))
        terminal.sign_in("PAT2", SECRET)
        assert terminal.store.downloads() == []
        assert not list(large.store.path.parent.glob("*.snapshot-*"))
        terminal.pull()
        assert terminal.rows() == scope_rows(world, "PAT2")


def _zipped(lines: bytes) -> bytes:
    return gzip.compress(lines)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: _zipped(gzip.decompress(content).replace(b'"n":3', b'"n":4')),
        lambda content: _zipped(gzip.decompress(content)[:-20]),
        lambda content: _zipped(b"{}\n"),
        lambda content: b"no gzip at all",
        lambda content: content[:-9],
    ],
)
def test_a_snapshot_that_is_not_what_was_told_is_not_kept(
    large: Terminal, world: World, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[bytes], bytes]
) -> None:
    make = world.rows.snapshot

    def spoilt(partition: str) -> dict[str, Any]:
        told = make(partition)
        content = spoil(world.rows.snapshots[told["snapshot"]][1])
        world.rows.snapshots[told["snapshot"]] = (partition, content)
        return told | {"size": len(content), "sha256": b64(digest(content))}

    monkeypatch.setattr(world.rows, "snapshot", spoilt)
    with pytest.raises(Broken):
        large.pull()
    assert large.rows("note") == []
    monkeypatch.undo()
    large.pull()
    agreed(large, world)


def test_bytes_that_are_never_those_that_were_told(
    large: Terminal, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = world.rows.snapshot
    monkeypatch.setattr(world.rows, "snapshot", lambda partition: make(partition) | {"sha256": "A" * 43})
    with pytest.raises(Broken, match="not the bytes"):
        large.pull()
    assert large.store.downloads() == []


# Tombstones


def test_a_tombstone_takes_the_row_away(terminal: Terminal, world: World) -> None:
    walked(terminal, world, 2)
    terminal.pull()
    visit = terminal.rows("patrol.visit")[0]["id"]
    world.rows.remove(visit, world.now())
    assert terminal.pull().repaired == []
    assert visit not in {row["id"] for row in terminal.rows()}
    agreed(terminal, world)


def test_who_was_away_longer_than_tombstones_live_begins_anew(terminal: Terminal, world: World) -> None:
    walked(terminal, world, 3)
    terminal.pull()
    visit = terminal.rows("patrol.visit")[0]
    walked(terminal, world, 1)
    waiting = terminal.capture("k", "v", visit["id"], {})
    world.rows.remove(visit["id"], world.now())
    world.rows.bury(visit["partition"])
    terminal.pull(limit=1)
    assert visit["id"] not in {row["id"] for row in terminal.rows()}
    assert [queued.op for queued in terminal.waiting()] == [waiting]
    agreed(terminal, world)


# Repair


def test_what_differs_is_repaired_and_nothing_else(terminal: Terminal, world: World, line: Line) -> None:
    walked(terminal, world, 40)
    terminal.pull()
    changed, lost, left = terminal.rows("patrol.visit")[:3]
    changed["doc"]["note"] = "另一句"
    body = json.dumps(changed, ensure_ascii=False, separators=(",", ":"))
    terminal.store._db.execute("UPDATE rows SET body = ? WHERE id = ?", [body, changed["id"]])
    terminal.store._db.execute("DELETE FROM rows WHERE id = ?", [lost["id"]])
    stray = "01a2013f-4bd3-7312-9360-ed69111ed313"
    terminal.store._db.execute(
        "INSERT INTO rows SELECT ?, kind, version, seq, partition, body, term FROM rows WHERE id = ?",
        [stray, left["id"]],
    )
    terminal.store._db.execute("COMMIT") if terminal.store._db.conn.in_transaction else None
    line.requests.clear()
    done = terminal.repair()
    assert (done.partitions, done.fetched, done.removed) == ([changed["partition"]], 2, 1)
    assert [path.rpartition("/")[2] for path in line.paths()] == ["digests", "buckets", "entries", "rows"]
    assert len(json.loads(line.requests[-1].content)["ids"]) == 2
    agreed(terminal, world)
    assert terminal.repair().partitions == []


def test_a_pull_whose_digest_is_another_repairs_at_once(terminal: Terminal, world: World) -> None:
    walked(terminal, world, 3)
    terminal.pull()
    row = terminal.rows("patrol.visit")[0]
    world.kept.rows[row["id"]]["doc"] = row["doc"] | {"note": "改过"}  # without a new number: the server's own fault
    walked(terminal, world, 1)
    pulled = terminal.pull()
    assert pulled.repaired == [row["partition"]]
    agreed(terminal, world)


def test_what_has_news_is_pulled_before_it_is_compared(terminal: Terminal, world: World, line: Line) -> None:
    walked(terminal, world, 1)
    line.requests.clear()
    assert terminal.repair().partitions == []
    assert [path.rpartition("/")[2] for path in line.paths()] == ["digests", "pull", "digests"]
    agreed(terminal, world)


def test_a_partition_that_moves_on_during_its_repair(terminal: Terminal, world: World, line: Line) -> None:
    walked(terminal, world, 3)
    terminal.pull()
    row = terminal.rows("patrol.visit")[0]
    terminal.store._db.execute("DELETE FROM rows WHERE id = ?", [row["id"]])

    def moves() -> None:
        if line.paths()[-1] != "/v1/sync/entries":
            line.meanwhile = moves
            return
        world.kept.put(world.kept.new_id(), "note", row["partition"], "x", {"n": 1}, world.now(), {})

    line.meanwhile = moves
    assert terminal.repair().partitions == [row["partition"]]
    agreed(terminal, world)


def test_a_partition_that_has_left_the_scope_meanwhile(terminal: Terminal, world: World) -> None:
    world.officers["PAT"]["wards"] = []
    assert terminal.repair().partitions == []
    assert terminal.store.cursors() == {}
    agreed(terminal, world)


def test_a_digest_that_can_never_be_met(terminal: Terminal, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told = world.rows.told

    def lies(what: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = told(what, body)
        return answer | {"sums": ["B" * 42 + "A"] * 256} if what == "buckets" else answer

    monkeypatch.setattr(world.rows, "told", lies)
    monkeypatch.setattr(
        world.rows, "compared", lambda scope, held: {"differ": sorted(held)[:1], "stale": [], "gone": []}
    )
    with pytest.raises(Broken, match="digest"):
        terminal.repair()


def test_a_repair_needs_somebody_signed_in(terminal: Terminal, world: World) -> None:
    world.end_all()
    with pytest.raises(Problem) as refused:
        terminal.repair()
    assert refused.value.code == "session.expired"


def test_sums_are_sums(terminal: Terminal, world: World) -> None:
    rows = scope_rows(world, "PAT")
    terms = [term for name in terminal.store.cursors() for term in terminal.store.terms(name).values()]
    assert total(terms) == summed(rows)
    assert total([]) == Sum().text() == "A" * 43
    backwards = Sum(summed(rows))
    for term in terms:
        backwards.subtract(term)
    assert backwards.text() == "A" * 43
    assert len(by_bucket([])) == 256
