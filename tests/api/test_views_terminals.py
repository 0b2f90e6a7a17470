"""A terminal's life, as the auditor's views tell it, against what was done."""

from __future__ import annotations

from typing import Any

import pytest

from backend.audit.views import terminals as lives
from backend.identity import terminals
from backend.kernel.clock import to_text
from headless.chain import uuid7
from tests.support.auditor import REPORT, Auditor
from tests.support.hand import Hand
from tests.support.world import FACILITY, World


def says(h: Hand, **other: Any) -> None:
    """A terminal reports of itself."""
    clock = to_text(h.world.clock.now() + h.device.wrong_by)
    h.wire.ask(h.key, "PUT", "/v1/terminals/current/report", REPORT | {"clock": clock} | other)


def test_numbers_that_came_and_numbers_that_did_not(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    for _ in range(7):
        h.open()
    h.told(1, 2)
    h.told(5, 6)
    found = Auditor(both).see(f"terminals/{h.terminal}")
    assert found["numbers"] == {
        "last_n": 2, "top_n": 6, "captured": 7, "received": 4, "missing": [[3, 4]], "outstanding": [[3, 4], [7, 7]],
        "outstanding_count": 3,
    }  # fmt: skip
    assert found["outcomes"] == {"first": 1, "last": 6, "count": {"applied": 4}}
    h.told(3, 7)
    found = Auditor(both).see(f"terminals/{h.terminal}")
    assert found["numbers"]["missing"] == found["numbers"]["outstanding"] == []
    assert found["outcomes"]["count"] == {"applied": 7}


def test_who_was_on_it_what_waits_and_when_it_was_last_seen(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    first = both.clock.now()
    h.open(after=[nobody := uuid7()])
    h.told()
    both.clock.advance(60_000)
    h.signed_in("DISC")
    found = Auditor(both).see(f"terminals/{h.terminal}")
    assert [each["officer"]["number"] for each in found["sessions"]] == ["DISC", "PAT"]
    assert found["last_seen"] == to_text(first + 60_000)
    assert found["holds"] == {"open": 1, "settled": 0}
    assert (found["state"], found["incarnation"], found["server"], found["safe_n"]) == ("active", 1, False, 0)
    h.open(op=nobody)
    h.told(2)
    assert Auditor(both).see(f"terminals/{h.terminal}")["holds"] == {"open": 0, "settled": 1}


def test_what_it_says_of_itself_replaces_what_it_said(both: World) -> None:
    h, other = Hand(both).signed_in("PAT"), Hand(both)
    says(other, app="0.3.0")
    h.device.wrong_by = 5_000
    assert Auditor(both).see(f"terminals/{h.terminal}")["report"] is None
    says(h)
    both.clock.advance(20_000)
    says(h, battery=None)
    found = Auditor(both).see(f"terminals/{h.terminal}")
    assert found["report"]["at"] == found["last_seen"] == to_text(both.clock.now())
    assert found["report"]["ahead"] == 5_000
    assert found["report"]["said"] == REPORT | {"battery": None, "clock": to_text(both.clock.now() + 5_000)}
    assert Auditor(both).see(f"terminals/{other.terminal}")["report"]["said"]["app"] == "0.3.0"


def test_a_fork_ends_an_incarnation_and_the_next_begins_at_one(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    h.open()
    h.told()
    h.frames.clear()
    h.open()
    assert h.push().status_code == 409
    h.begin_again()
    h.signed_in("PAT")
    h.open()
    h.told()
    found = Auditor(both).see(f"terminals/{h.terminal}")
    assert (found["state"], found["incarnation"], found["forks"]) == ("active", 2, 1)
    assert found["numbers"]["last_n"] == 1
    (ended,) = found["incarnations"]
    assert (ended["incarnation"], ended["why"], ended["numbers"]["last_n"]) == (1, "fork", 1)
    (fork,) = Auditor(both).see("forks")["forks"]
    assert (fork["terminal"]["id"], fork["incarnation"], fork["n"]) == (h.terminal, 1, 1)
    assert fork["stands"]["hash"] != fork["hash"] and fork["stands"]["status"] == "applied"


def test_numbers_that_a_closed_terminal_never_handed_in(both: World) -> None:
    h = Hand(both, asset="PDA-0007").signed_in("PAT")
    for _ in range(4):
        h.open()
    h.told(1, 1)
    h.told(3, 3)
    Hand(both, asset="PDA-0007")
    found = Auditor(both).see(f"terminals/{h.terminal}")
    assert (found["state"], found["asset"]) == ("closed", "PDA-0007")
    assert found["numbers"]["outstanding"] == [[2, 2], [4, 4]]


def test_a_terminal_that_says_it_is_wiped(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    terminals.revoke(both.services.door, FACILITY, h.terminal, both.ids["ADM"])
    assert Auditor(both).see(f"terminals/{h.terminal}")["wiped_by_its_own_word"] is False
    h.wire.ask(h.key, "POST", "/v1/terminals/wiped")
    found = Auditor(both).see(f"terminals/{h.terminal}")
    assert (found["state"], found["wiped_by_its_own_word"]) == ("wiped", True)


def test_the_list_goes_page_by_page_and_has_the_server_too(both: World) -> None:
    hands = [Hand(both) for _ in range(4)]
    says(hands[2])
    auditor = Auditor(both)
    whole = auditor.see("terminals")
    assert whole["after"] is None
    assert auditor.pages("terminals", "terminals", limit=2) == whole["terminals"]
    found = {each["terminal"]: each for each in whole["terminals"]}
    assert {h.terminal for h in hands} < found.keys()
    assert [each["reported_at"] is not None for each in found.values() if each["terminal"] == hands[2].terminal] == [
        True
    ]
    assert [each["server"] for each in found.values()].count(True) == 1


def test_operations_of_a_terminal_page_by_page(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    for _ in range(5):
        h.open()
    h.put(b"no operation")
    h.told()
    auditor = Auditor(both)
    found = auditor.pages(f"terminals/{h.terminal}/operations", "operations", limit=2)
    assert [each["n"] for each in found] == [1, 2, 3, 4, 5, 6]
    assert [each["status"] for each in found] == ["applied"] * 5 + ["quarantined"]
    assert (found[0]["kind"], found[0]["verb"], found[5]["kind"]) == ("patrol.round", "open", None)
    assert auditor.see(f"terminals/{h.terminal}/operations", incarnation=2)["operations"] == []
    assert auditor.readings() == [], "no values, no leaf"


def test_what_is_not_there_is_not_found(small: World) -> None:
    auditor = Auditor(small)
    for view in ("terminals/{}", "terminals/{}/operations", "terminals/{}/clock", "operations/{}"):
        assert auditor.refused(view.format(uuid7())) == "route.unknown"
        assert auditor.refused(view.format("00000000")) == "route.unknown"


@pytest.mark.parametrize(
    "last_n, segments, missing",
    [(0, [], []), (3, [], []), (3, [(5, 5)], [(4, 4)]), (0, [(2, 3), (7, 9)], [(1, 1), (4, 6)])],
)
def test_gaps(last_n: int, segments: list[tuple[int, int]], missing: list[tuple[int, int]]) -> None:
    assert lives.gaps(last_n, segments) == missing
