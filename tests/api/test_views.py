"""What all the auditor's views have in common, what terminals report of themselves, and who was given what when."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from backend.audit.views import pages
from backend.domain.posts import Post
from backend.identity import facilities, officers, terminals
from backend.identity.officers import NewOfficer
from backend.kernel.clock import to_text
from backend.kernel.ids import b64, sha256, uuid7
from backend.kernel.problems import Problem
from backend.storage import tables
from sync.reading import sightings
from sync.reading.sightings import IDLE_MS, Sighting, Sightings
from tests.support import store
from tests.support.auditor import REPORT, Auditor
from tests.support.caller import NOBODY, Caller, is_problem
from tests.support.hand import Hand
from tests.support.world import CHEAP, FACILITY, SECRET, World

LISTS = {
    "terminals": "terminals",
    "clocks": "terminals",
    "backlog": "operations",
    "backlog/terminals": "terminals",
    "backlog/needs": "needs",
    "conflicts": "conflicts",
    "escrow": "operations",
    "quarantine": "operations",
    "forks": "forks",
}
OTHER = "OTHER"


def eventful(world: World) -> tuple[Hand, list[str]]:
    """Something for every view; the terminal that it happened on, and its operations."""
    h, rival = Hand(world).signed_in("PAT"), Hand(world).signed_in("INT")
    h.open(after=[uuid7(world.clock.now())])
    h.put(b"no operation")
    ops = [h.open()[1]]
    h.told()
    for name in ("甲", "乙"):
        each = Hand(world).signed_in("INT")
        each.write("person", "change", world.ids["p1"], {"name": name}, base=1, seen={"name": "测试p1"})
        each.told()
    lost = Hand(world).signed_in("PAT")
    lost.open()
    terminals.revoke(world.services.door, FACILITY, lost.terminal, world.ids["ADM"])
    lost.evacuate()
    rival.open("C1")
    rival.told()
    rival.frames.clear()
    rival.open("C2")
    assert rival.push().status_code == 409
    return h, ops


def elsewhere(world: World) -> Auditor:
    """The auditor of another facility in the same store."""
    door = world.services.door
    facilities.found(door, OTHER, "另一看守所", "KSS", world.services.keyring.head)
    officer = NewOfficer(uuid7(world.clock.now()), "AUD", "officer AUD", (Post.AUD,), SECRET)
    officers.add(door, OTHER, [officer], CHEAP)
    auditor = Auditor(world)
    hand = Hand(world, code=terminals.make_code(door, OTHER, "test")[0]).signed_in("AUD")
    auditor.caller = Caller(world, hand.key, hand.token, world.services.nonces.fresh())
    return auditor


def test_nothing_of_one_facility_is_seen_from_another(both: World) -> None:
    h, ops = eventful(both)
    here, there = Auditor(both), elsewhere(both)
    for view, name in LISTS.items():
        assert here.see(view)[name], f"{view} has something to show"
    mine = {each["terminal"] for each in there.see("terminals")["terminals"]}
    assert not mine & {each["terminal"] for each in here.see("terminals")["terminals"]}
    for view in LISTS.keys() - {"terminals", "clocks"}:
        assert there.see(view)[LISTS[view]] == [], view
    assert {each["terminal"]["id"] for each in there.see("clocks")["terminals"]} == mine
    assert there.see("backlog")["held"] == 0
    for view in (f"terminals/{h.terminal}", f"terminals/{h.terminal}/clock", f"operations/{ops[0]}"):
        here.see(view)
        assert there.refused(view) == "route.unknown"
    assert there.refused("operations", terminal=h.terminal, incarnation=1, n=1) == "route.unknown"
    assert there.see("epochs")["size"] < here.see("epochs")["size"]
    assert {leaf["officer"] for leaf in here.readings()} == {both.ids["AUD"]}


def test_every_list_goes_page_by_page(both: World) -> None:
    eventful(both)
    eventful(both)
    auditor = Auditor(both)
    for view, name in LISTS.items():
        whole = auditor.see(view)
        assert whole["after"] is None
        assert len(whole[name]) > (view != "conflicts"), view
        assert auditor.pages(view, name, limit=1) == whole[name], view


@pytest.fixture(scope="module")
def asker(standing: World) -> Auditor:
    return Auditor(standing)


@pytest.mark.parametrize("view", LISTS)
@pytest.mark.parametrize(
    "query, field",
    [
        ({"limit": 0}, "limit"),
        ({"limit": 100_000}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"after": ""}, "after"),
        ({"after": "no cursor"}, "after"),
        ({"after": pages.sealed(["a\0b"])}, "after"),
        ({"after": pages.sealed([2**60, "a", 1, 1])}, "after"),
        ({"after": pages.sealed([])}, "after"),
        ({"all": 1}, "all"),
    ],
)
def test_what_a_list_does_not_understand(asker: Auditor, view: str, query: dict[str, Any], field: str) -> None:
    response = asker.caller.ask("GET", f"/v1/audit/{view}", query_string=query)
    assert response.status_code == 422, response.data
    is_problem(response)
    assert response.get_json()["field"] == field


def test_the_epochs_say_where_the_log_is(both: World) -> None:
    found = Auditor(both).see("epochs")
    (only,) = found["epochs"]
    assert (only["epoch"], only["present"], only["reason"], only["lost"], only["shown_by"]) == (1, True, None, 0, [])
    assert only["size"] == found["size"] > 0
    assert (found["safe_size"], found["backup"]) == (0, None)


def test_values_are_not_shown_when_the_reading_cannot_be_noted(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    eventful(small)
    auditor = Auditor(small)
    monkeypatch.setattr(type(small.services.door), "write", _busy)
    for view in ("conflicts", "escrow", "quarantine", "forks"):
        response = auditor.caller.ask("GET", f"/v1/audit/{view}")
        assert (response.status_code, response.get_json()["code"]) == (503, "server.busy")
    auditor.see("terminals")


# What terminals report of themselves


@pytest.mark.parametrize(
    "change, field",
    [
        ({"battery": 101}, "battery"),
        ({"battery": "81"}, "battery"),
        ({"charging": "yes"}, "charging"),
        ({"queue": -1}, "queue"),
        ({"queue": None}, "queue"),
        ({"app": "x" * 41}, "app"),
        ({"storage_used": -1}, "storage_used"),
        ({"clock": "2026-13-22T03:14:15.123Z"}, "clock"),
        ({"clock": "2026-11-22T03:14:15Z"}, "clock"),
        ({"oldest_waiting": 0}, "oldest_waiting"),
        ({"officer": "PAT"}, "officer"),
    ],
)
def test_a_report_that_is_none(standing: World, change: dict[str, Any], field: str) -> None:
    body = REPORT | {"clock": to_text(standing.clock.now())} | change
    response = Caller.of(standing, NOBODY).ask("PUT", "/v1/terminals/current/report", body)
    assert (response.status_code, is_problem(response)) == (422, "request.invalid")
    assert response.get_json()["field"] == field


def test_a_report_is_kept_with_its_digest_and_not_too_often(both: World) -> None:
    caller = Caller.of(both, NOBODY)
    body = REPORT | {"clock": to_text(both.clock.now())}
    assert caller.ask("PUT", "/v1/terminals/current/report", body).status_code == 204
    row = store.one(both, tables.reports)
    (leaf,) = [each for each in store.leaves(both) if each["act"] == "terminal.report"]
    assert (leaf["terminal"], leaf["report"]) == (row.terminal, b64(sha256(row.body)))
    again = caller.ask("PUT", "/v1/terminals/current/report", body)
    assert (again.status_code, is_problem(again), again.headers["Retry-After"]) == (429, "terminal.busy", "10")
    both.clock.advance(10_000)
    assert caller.ask("PUT", "/v1/terminals/current/report", body).status_code == 204
    assert store.one(both, tables.reports).at == both.clock.now()
    store.verified(both)


def test_a_revoked_terminal_reports_nothing(small: World) -> None:
    h = Hand(small)
    terminals.revoke(small.services.door, FACILITY, h.terminal, small.ids["ADM"])
    caller = Caller(small, h.key)
    response = caller.ask("PUT", "/v1/terminals/current/report", REPORT | {"clock": to_text(small.clock.now())})
    assert is_problem(response) == "terminal.revoked"


# Who was given what, and when


def test_a_pull_that_is_complete_is_written_with_one_leaf(both: World) -> None:
    one, other = Hand(both).signed_in("PAT"), Hand(both).signed_in("LEAD")
    at = {each.terminal: each.pull()["at"] for each in (one, other)}
    assert not store.rows(both, tables.pulls), "a pull waits for no write"
    both.services.sightings.flush()
    rows = store.rows(both, tables.pulls)
    assert {row.terminal: row.seq for row in rows} == at
    assert {row.at for row in rows} == {both.clock.now()}
    (leaf,) = [each for each in store.leaves(both) if each["act"] == "pulls.noted"]
    noted = [Sighting(row.terminal, row.officer, row.seq, row.at) for row in rows]
    assert (leaf["count"], leaf["digest"]) == (2, b64(sightings.digest(noted)))
    both.services.sightings.flush()
    one.pull()
    both.services.sightings.flush()
    assert store.rows(both, tables.pulls) == rows, "nothing new, nothing written"
    store.verified(both)


def test_what_another_process_has_written_is_not_written_again(both: World) -> None:
    other = Sightings(both.services.door)
    pair = (uuid7(both.clock.now()), uuid7(both.clock.now()))
    for seq in (7, 5):
        for each in (both.services.sightings, other):
            each.note(FACILITY, *pair, seq, brought=True)
            each.flush()
    assert [row.seq for row in store.rows(both, tables.pulls)] == [7]
    assert len([each for each in store.leaves(both) if each["act"] == "pulls.noted"]) == 1


def test_a_pull_that_is_not_complete_is_not_noted(small: World) -> None:
    h = Hand(small).signed_in("LEAD")
    assert h.pull(limit=2)["more"]
    small.services.sightings.flush()
    assert not store.rows(small, tables.pulls)


def test_pulls_that_bring_nothing_are_noted_now_and_then(small: World) -> None:
    h, writer = Hand(small).signed_in("PAT2"), Hand(small).signed_in("PAT")
    cursors = {each["partition"]: each["cursor"] for each in h.pull()["partitions"]}
    for _ in range(3):
        writer.open()
        writer.told(writer.n)
        small.clock.advance(IDLE_MS // 3 + 1)
        assert h.pull(cursors)["partitions"] == []
        small.services.sightings.flush()
    assert len(store.rows(small, tables.pulls)) == 2


def test_what_a_busy_database_refuses_is_written_later(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    h = Hand(small).signed_in("PAT")
    h.pull()
    with monkeypatch.context() as patch:
        patch.setattr(type(small.services.door), "write", _busy)
        small.services.sightings.flush()
    assert not store.rows(small, tables.pulls)
    small.services.sightings.flush()
    assert len(store.rows(small, tables.pulls)) == 1


def _busy(*_: Any) -> None:
    raise Problem("server.busy", retry_after=1)


def test_pulls_that_are_noted_while_others_are_written_are_kept(small: World) -> None:
    noting = small.services.sightings
    pairs = [(uuid7(small.clock.now()), uuid7(small.clock.now())) for _ in range(40)]

    def note(mine: list[tuple[str, str]]) -> None:
        for terminal, officer in mine:
            noting.note(FACILITY, terminal, officer, 7, brought=True)

    threads = [threading.Thread(target=note, args=(pairs[at::4],)) for at in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        noting.flush()
    for thread in threads:
        thread.join()
    noting.flush()
    assert {(row.terminal, row.officer) for row in store.rows(small, tables.pulls)} == set(pairs)
