"""What happened is always recorded; what is remarkable about it is a mark on the outcome and on the row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from backend.kernel.kind import COMMON_MARKS
from backend.records.registry import kinds
from backend.storage import tables
from headless.chain import b64u, rfc3339, uuid7
from sync.writing.local import Act
from tests.support import recordings, store, tus
from tests.support.caller import Caller
from tests.support.hand import Hand
from tests.support.world import World, looked, place, tag

LATE = {"code": "record.late", "rule": "Y03"}
DIFFERS = {"code": "headcount.differs", "rule": "I06"}
ALONE = {"code": "auxiliary.alone", "rule": "P07"}


def plain(*codes: str) -> list[dict[str, Any]]:
    return [{"code": code, "rule": None} for code in codes]


def marks(h: Hand) -> list[dict[str, Any]]:
    """Sends the last operation alone; its marks, as the outcome and the row both say them."""
    (outcome,) = h.told(h.n, h.n)
    assert outcome["status"] == "applied", outcome
    kept = orjson.loads(store.one(h.world, tables.records, id=outcome["record"]).body)
    assert kept["marks"] == outcome["marks"]
    known = COMMON_MARKS | {code: text for kind in kinds().values() for code, text in kind.marks.items()}
    assert all(mark["code"] in known for mark in outcome["marks"])
    found: list[dict[str, Any]] = outcome["marks"]
    return found


@pytest.fixture
def walker(both: World) -> tuple[Hand, str]:
    """A terminal with an open round in ward W."""
    h = Hand(both).signed_in("PAT")
    round_, _ = h.open()
    assert marks(h) == []
    return h, round_


def test_what_names_a_file_that_has_not_come_is_applied_and_marked(walker: tuple[Hand, str]) -> None:
    h, round_ = walker
    h.changes = {"attachments": [b64u(bytes(32))]}
    h.visit(round_, "K")
    assert marks(h) == plain("attachment.missing")
    come = tus.sent(Caller(h.world, h.key), recordings.jpeg())
    for named, expected in (([come], []), ([come, b64u(bytes(32))], plain("attachment.missing")), ([], [])):
        h.changes = {"attachments": named}
        h.visit(round_, "K")
        assert marks(h) == expected, named


def test_entered_late_is_marked_and_sent_late_is_not(both: World, walker: tuple[Hand, str]) -> None:
    h, round_ = walker
    now = h.device.now()
    for before, expected in ((0, []), (30 * 60_000, []), (30 * 60_000 + 1, [LATE]), (-3_600_000, [])):
        h.visit(round_, "K", observed_at=now - timedelta(milliseconds=before))
        assert marks(h) == expected, before
    h.visit(round_, "K")
    both.clock.advance(11 * 3_600_000)
    assert marks(h) == []
    h.close_round(round_, observed_at=rfc3339(now))
    assert marks(h) == [LATE]
    h.open(observed_at=rfc3339(now))
    assert marks(h) == [LATE]


def test_a_tag_that_is_foreign_or_typed_or_missing_is_marked(walker: tuple[Hand, str]) -> None:
    h, round_ = walker
    for read, expected in (
        (tag("K"), []),
        (tag("K") | {"medium": "qr", "counter": None}, []),
        (tag("C1"), plain("tag.foreign")),
        (tag("K") | {"medium": "typed"}, plain("tag.typed")),
        (tag("C1") | {"medium": "typed"}, plain("tag.foreign", "tag.typed")),
        (tag("K") | {"uid": tag("K")["uid"].lower()}, plain("tag.foreign")),
    ):
        h.visit(round_, "K", tag=read)
        assert marks(h) == expected, read
    h.visit(round_, "K", tag=None, note="标签脱落")
    assert marks(h) == plain("tag.none")


def test_a_head_count_is_held_against_the_register_of_its_moment(both: World, walker: tuple[Hand, str]) -> None:
    """Who was moved between the count and its receipt makes no officer's count wrong."""
    h, round_ = walker
    for count, expected in ((2, []), (1, [DIFFERS]), (3, [DIFFERS]), (0, [DIFFERS])):
        h.visit(round_, "C1", cell=looked(count))
        assert marks(h) == expected, count
    both.clock.advance(60_000)
    h.visit(round_, "C1", cell=looked(2))
    before = h.device.now()
    both.clock.advance(60_000)
    moved = both.desk("INT", Act("person", "change", both.ids["p1"], {"cell": both.ids["C2"]}, base=1))
    assert moved[0]["status"] == "applied"
    assert marks(h) == []
    both.clock.advance(60_000)
    for code, now, then in (("C1", 1, 2), ("C2", 2, 1)):
        for count, at, expected in (
            (now, None, []),
            (then, None, [DIFFERS]),
            (then, before, []),
            (now, before, [DIFFERS]),
        ):
            h.visit(round_, code, cell=looked(count), observed_at=at)
            assert marks(h) == expected, (code, count, at)
    both.desk("INT", Act("person", "change", both.ids["p2"], {"cell": None, "state": "released"}, base=1))
    both.clock.advance(1)
    h.visit(round_, "C1", cell=looked(0))
    assert marks(h) == []


def test_a_head_count_counts_what_came_before_it_in_the_same_push(both: World) -> None:
    h = Hand(both).signed_in("INT")
    h.write("person", "change", both.ids["p1"], {"cell": both.ids["C2"]}, base=1, seen={"cell": both.ids["C1"]})
    h.signed_in("LEAD")
    round_, _ = h.open()
    h.visit(round_, "C1", cell=looked(1))
    h.visit(round_, "C2", cell=looked(1))
    told = h.told()
    assert [outcome["status"] for outcome in told] == ["applied"] * 4
    assert [outcome["marks"] for outcome in told[2:]] == [[], [DIFFERS]]


def test_no_response_is_marked_where_there_is_somebody(both: World, walker: tuple[Hand, str]) -> None:
    h, round_ = walker
    h.visit(round_, "C1", cell=looked(2, "none", "asleep"))
    assert marks(h) == plain("response.none")
    h.visit(round_, "C1", cell=looked(1, "none", "asleep"))
    assert marks(h) == [DIFFERS, *plain("response.none")]
    fields = place(both, "C1") | {"code": "C3", "tags": []}
    both.ids["C3"] = uuid7()
    assert both.desk("ADM", Act("place", "create", both.ids["C3"], fields))[0]["status"] == "applied"
    h.visit(round_, "C3", cell=looked(0, "none", "calm"), tag=None, note="新监室，标签未装")
    assert marks(h) == plain("tag.none")


def test_a_cell_that_was_passed_by_is_marked(walker: tuple[Hand, str]) -> None:
    h, round_ = walker
    h.visit(round_, "C1", cell=None)
    assert marks(h) == plain("cell.not_looked")
    h.visit(round_, "K", cell=None)
    assert marks(h) == []


def test_a_stop_outside_the_round_s_ward_is_marked(walker: tuple[Hand, str]) -> None:
    h, round_ = walker
    h.visit(round_, "D1", cell=looked(1))
    assert marks(h) == plain("place.outside_round", "scope.outside")
    h.visit(round_, "C2", cell=looked(1))
    assert marks(h) == []


def test_a_stop_on_a_round_that_is_over_or_another_s_is_marked(both: World, walker: tuple[Hand, str]) -> None:
    h, round_ = walker
    other = Hand(both).signed_in("PAT")
    other.visit(round_, "K")
    assert marks(other) == plain("round.not_open")
    h.close_round(round_)
    assert marks(h) == []
    h.visit(round_, "K")
    assert marks(h) == plain("round.not_open")


def test_an_anchor_that_the_server_never_signed_is_marked_and_proves_nothing(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    right = h.anchor
    for wrong in (
        right | {"root": b64u(b"x" * 32)},
        right | {"size": 10_000},
        right | {"size": 1},
        right | {"epoch": 2},
    ):
        h.open(anchor=wrong)
        assert marks(h) == plain("anchor.unknown"), wrong
        record = h.told(h.n, h.n)[0]["record"]
        assert orjson.loads(store.one(both, tables.records, id=record).body)["proven_from"] is None
    h.open(anchor=right)
    assert marks(h) == []


def test_an_anchor_proves_not_before_the_moment_it_was_signed(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    signed = rfc3339(h.device.now())
    both.clock.advance(60_000)
    h.open()
    (outcome,) = h.told()
    row = orjson.loads(store.one(both, tables.records, id=outcome["record"]).body)
    assert (row["proven_from"], row["received_at"]) == (signed, rfc3339(h.device.now()))


def test_an_auxiliary_alone_is_marked(both: World) -> None:
    h = Hand(both).signed_in("AUX")
    h.open()
    assert marks(h) == [ALONE]
    h.write("patrol.round", "open", uuid7(), {"area": both.ids["W"], "companions": [both.ids["PAT"]]})
    assert marks(h) == []


def test_marks_add_up(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    round_, _ = h.open("V")
    marks(h)
    long_ago = h.device.now() - timedelta(hours=1)
    h.changes = {"anchor": h.anchor | {"size": 9_999}}
    h.visit(round_, "C1", observed_at=long_ago, tag=tag("K") | {"medium": "typed"}, cell=looked(9, "none", "unwell"))
    assert marks(h) == [
        LATE, *plain("place.outside_round", "tag.foreign", "tag.typed"),
        DIFFERS, *plain("response.none", "scope.outside", "anchor.unknown"),
    ]  # fmt: skip
