"""The stream: who hears of what, and when it ends (docs/protocol.md §9)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from backend.identity import assignments, terminals
from backend.identity.officers import Officer
from backend.identity.sessions import Session
from backend.kernel.problems import Problem
from headless.chain import uuid7
from sync.news import News
from sync.streaming import hub as hub_module
from sync.streaming.hub import POLL_SECONDS, Hub
from sync.streaming.lookout import Lookout
from sync.streaming.stream import MOST_ALARMS, Stream
from sync.writing.local import Act
from tests.support.caller import Caller
from tests.support.ear import STREAM, Ear, beats, listening
from tests.support.hand import Hand
from tests.support.world import FACILITY, World
from wsgi import create_app

HOUR = 3_600_000
PACE = 4
POLL = POLL_SECONDS / PACE


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats and looks at the store come four times as often as the server is told; most tests wait for some."""
    wait = Stream._next
    sooner = 1 - 1 / PACE
    monkeypatch.setattr(Stream, "_next", lambda stream, at: wait(stream, at - stream._heartbeat * sooner))
    monkeypatch.setattr(hub_module, "POLL_SECONDS", POLL)


def base(world: World, name: str) -> str:
    """The partition of a place or person."""
    kind = "person" if name.startswith("p") else "place"
    return f"{kind}/{world.ids[name]}/base"


def urgent(world: World, hand: Hand, person: str, cell: str) -> str:
    """Something urgent, written; returns the record."""
    record = uuid7()
    fields = {"category": "dispute", "severity": "urgent", "person": world.ids[person], "place": world.ids[cell]}
    hand.write("dynamic_info", "report", record, fields | {"involved": [], "text": "打架"})
    return record


def moved(world: World, person: str, cell: str) -> None:
    """A person goes to another cell, by the desk."""
    act = Act("person", "change", world.ids[person], {"cell": world.ids[cell]}, base=1)
    assert world.desk("INT", act)[0]["status"] == "applied"


def test_the_answer_is_a_stream_that_begins_with_a_greeting(both: World) -> None:
    reader = Hand(both).signed_in("LEAD")
    held = both.services.store.engine.pool.checkedout()
    with listening(both, "PAT", "LEAD") as (ear, _):
        assert ear.answer.headers["Content-Type"] == "text/event-stream"
        assert ear.answer.headers["Cache-Control"] == "no-store"
        assert ear.answer.headers["X-Accel-Buffering"] == "no"
        at = reader.pull()["at"]
        assert ear.events[0] == ("hello", {"heartbeat": 1, "at": at, "epoch": 1})
        beats(ear, 2)
        assert both.services.store.engine.pool.checkedout() == held, "a stream holds a connection"


def test_news_name_the_partitions_of_the_scope_and_no_others(both: World) -> None:
    with listening(both, "PAT", "PAT2", "LEAD") as (near, far, leader):
        hand = Hand(both).signed_in("PAT")
        hand.visit(hand.open()[0])
        (_, visit) = hand.told()
        told = near.hears("news")
        assert (told["at"], told["epoch"]) == (visit["seq"], 1)
        assert near.named() == leader.named() == {base(both, "W"), base(both, "C1")}
        beats(far, 4)
        assert far.named() == set()
        assert len(near.said("news")) == 1, "what was told is found in the store again"


def test_of_what_was_committed_together_each_hears_his_part(small: World) -> None:
    with listening(small, "PAT", "PAT2") as (near, far):
        alarms = ((base(small, "C1"), b'{"id":"x"}'), (base(small, "D1"), b'{"id":"y"}'))
        small.services.herald.tell(News(FACILITY, 1, 99, frozenset({base(small, "K"), base(small, "V")}), alarms))
        for ear, own, row in ((near, {"K", "C1"}, "x"), (far, {"V", "D1"}, "y")):
            assert ear.hears("news") == {"at": 99, "epoch": 1, "partitions": sorted(base(small, each) for each in own)}
            assert [alarm["row"] for alarm in ear.said("alarm")] == [{"id": row}]


def test_an_alarm_carries_its_row_to_those_who_may_see_it(both: World) -> None:
    with listening(both, "PAT", "PAT2", "LEAD", "ADM") as (near, far, leader, admin):
        hand = Hand(both).signed_in("AUX")
        record = urgent(both, hand, "p1", "C1")
        assert hand.told()[0]["status"] == "applied"
        told = near.hears("alarm")
        pulled = [
            part for part in Hand(both).signed_in("PAT").pull()["partitions"] if part["partition"] == base(both, "p1")
        ]
        assert told == {"partition": base(both, "p1"), "row": pulled[0]["rows"][-1]}
        assert told["row"]["id"] == record
        assert leader.hears("alarm") == told
        beats(far)
        assert far.said("alarm") == admin.said("alarm") == far.said("news") == admin.said("news") == []


def test_news_coalesce_while_they_wait(small: World) -> None:
    with listening(small, "LEAD") as (ear,):
        for at in range(100, 130):
            small.services.herald.tell(News(FACILITY, 1, at, frozenset({base(small, "C1" if at % 2 else "D1")})))
            time.sleep(0.02)
        time.sleep(1.5)
        told = ear.said("news")
        assert 2 <= len(told) <= 3
        assert told[-1]["at"] == 129
        assert ear.named() == {base(small, "C1"), base(small, "D1")}


def unread(world: World, name: str = "LEAD", hub: Hub | None = None) -> Stream:
    """A stream of which nobody reads."""
    opened = Hand(world).signed_in(name)
    session = Session(opened.session, _officer(world, name), opened.terminal, 0, world.clock.now() + HOUR, None)
    stream = (hub or world.services.hub).open(session)
    next(stream)
    return stream


def _officer(world: World, name: str) -> Officer:
    return world.officer(name)


def _told(world: World, news: News) -> None:
    """Told, and passed on by the hub's thread."""
    world.services.herald.tell(news)
    time.sleep(0.1)


def test_alarms_keep_their_order_and_a_slow_line_does_not_pile_them_up(small: World) -> None:
    stream = unread(small)
    for number in range(MOST_ALARMS + 20):
        row = b'{"id":"%d"}' % number
        small.services.herald.tell(News(FACILITY, 1, 100 + number, frozenset(), ((base(small, "C1"), row),)))
    time.sleep(0.5)
    said = next(stream).decode()
    numbers = [int(each.split('"')[0]) for each in said.split('"id":"')[1:]]
    assert numbers == list(range(MOST_ALARMS))
    assert f'"at":{100 + MOST_ALARMS + 19},' in said.split("event: news")[1]
    stream.close()


def test_who_is_moved_leaves_one_officer_and_reaches_the_other(both: World) -> None:
    with listening(both, "PAT", "PAT2") as (near, far):
        moved(both, "p1", "D1")
        assert near.hears("scope") == far.hears("scope") == {}
        both.services.herald.tell(News(FACILITY, 1, 999, frozenset(), ((base(both, "p1"), b'{"id":"x"}'),)))
        assert far.hears("alarm")["row"] == {"id": "x"}
        beats(near)
        assert near.said("alarm") == []


def test_an_alarm_right_behind_a_move_goes_by_the_new_scope(small: World) -> None:
    """No stream is given a row by a scope that was read before the move."""
    with listening(small, "PAT", "PAT2") as (near, far):
        for cell, loser, winner, version in (("D1", near, far, 1), ("C1", far, near, 2)):
            before = len(winner.said("alarm")), len(loser.said("alarm"))
            act = Act("person", "change", small.ids["p1"], {"cell": small.ids[cell]}, base=version)
            seq = small.desk("INT", act)[0]["seq"]
            alarm = (base(small, "p1"), b'{"id":"%d"}' % seq)
            small.services.herald.tell(News(FACILITY, 1, seq, frozenset(), (alarm,)))
            assert winner.hears("alarm", before[0] + 1)["row"] == {"id": str(seq)}
            beats(loser)
            assert len(loser.said("alarm")) == before[1]


def test_an_alarm_waits_for_a_store_that_does_not_answer(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether anybody was moved cannot be asked: the row goes to nobody until scopes can be read again."""
    with listening(small, "PAT", "PAT2") as (near, far):
        back = small.services.hub._back
        answers, again = back.moved, back.again

        def busy(*_: object) -> None:
            raise Problem("server.busy", retry_after=1)

        monkeypatch.setattr(back, "moved", busy)
        monkeypatch.setattr(back, "again", busy)
        hand = Hand(small).signed_in("PAT")
        hand.open()
        seq = hand.told()[0]["seq"]
        small.services.herald.tell(News(FACILITY, 1, seq, frozenset(), ((base(small, "C1"), b'{"id":"x"}'),)))
        near.hears("news")
        beats(near)
        assert near.said("alarm") == []
        monkeypatch.setattr(back, "moved", answers)
        monkeypatch.setattr(back, "again", again)
        assert near.hears("alarm")["row"] == {"id": "x"}
        beats(far)
        assert far.said("alarm") == []


def test_an_assignment_changes_the_scope(both: World) -> None:
    door, officer, place = both.services.door, both.ids["PAT"], both.ids["V"]
    with listening(both, "PAT", "LEAD") as (ear, leader):
        assignments.assign(door, FACILITY, officer, place, "console")
        ear.hears("scope")
        both.services.herald.tell(News(FACILITY, 1, 999, frozenset({base(both, "D1")})))
        assert ear.hears("news")["partitions"] == [base(both, "D1")]
        assignments.unassign(door, FACILITY, officer, place, "console")
        ear.hears("scope", 2)
        assert leader.said("scope") == []


def test_an_assignment_is_noticed_before_scopes_are_due(small: World) -> None:
    """They are read again every half minute; whether anybody was assigned is asked at each look."""
    lookout = Lookout(small.services.store)
    hub = Hub(lookout, lookout, small.clock, 1, heartbeat=15 * PACE)
    stream = unread(small, "PAT", hub)
    time.sleep(POLL / 2)
    begun = time.monotonic()
    assignments.assign(small.services.door, FACILITY, small.ids["PAT"], small.ids["V"], "console")
    assert b"event: scope" in next(stream)
    assert time.monotonic() - begun < 2 * POLL_SECONDS
    stream.close()


def _signed_out(world: World, ear: Ear) -> None:
    assert ear.caller.ask("DELETE", "/v1/sessions/current").status_code == 204


def _officer_revoked(world: World, ear: Ear) -> None:
    assignments.revoke(world.services.door, FACILITY, world.ids["PAT"], "console")


def _terminal_revoked(world: World, ear: Ear) -> None:
    terminals.revoke(world.services.door, FACILITY, ear.caller.terminal, "console")


def _expired(world: World, ear: Ear) -> None:
    world.clock.advance(world.settings.session_hours * HOUR)


@pytest.mark.parametrize("ends", [_signed_out, _officer_revoked, _terminal_revoked, _expired])
def test_a_stream_ends_with_the_right_to_it(ends: Callable[[World, Ear], None], small: World) -> None:
    with listening(small, "PAT") as (ear,):
        ends(small, ear)
        assert ear.hears("end") == {"reason": "session"}
        assert ear.closed.wait(5)
        assert ear.events[-1] == ("end", {"reason": "session"})
        assert len(ear.said("end")) == 1
        assert small.services.hub.count == 0


def test_a_token_that_ends_is_seen_without_the_store(small: World) -> None:
    """At the next beat at the latest, whatever the hub is doing."""
    stream = unread(small)
    small.clock.advance(HOUR)
    begun = time.monotonic()
    assert b"event: end" in next(stream)
    assert time.monotonic() - begun < 1.5
    assert list(stream) == []
    stream.close()


def test_a_second_stream_of_a_terminal_ends_the_first(small: World) -> None:
    with listening(small, "PAT") as (first,):
        second = Ear(first.caller)
        assert first.hears("end") == {"reason": "server"}
        assert first.closed.wait(5)
        moved(small, "p1", "C2")
        assert base(small, "p1") in second.hears("news")["partitions"]
        assert small.services.hub.count == 1


def test_what_another_process_commits_is_found(both: World) -> None:
    """A command beside the server, or a process whose message was lost."""
    other = create_app(both.settings, both.clock).extensions["roundsman"]
    try:
        with listening(both, "PAT", "PAT2") as (near, far):
            beats(near)
            act = Act("person", "change", both.ids["p1"], {"cell": both.ids["C2"]}, base=1)
            other.desk.act(both.officer("INT"), [act])
            assert base(both, "p1") in near.hears("news", seconds=4)["partitions"]
            beats(far)
            assert far.named() == set()
            count = len(near.said("news"))
            beats(near, 4)
            assert len(near.said("news")) == count, "the same news again and again"
    finally:
        other.store.close()


def test_a_stream_misses_nothing_that_is_committed_while_it_opens(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scope is read, then somebody commits, then it begins to listen."""
    with listening(small, "LEAD"):
        front = small.services.hub._front
        read = front.enter

        def late(officer: Officer, now: int) -> object:
            found = read(officer, now)
            _told(small, News(FACILITY, 1, found[0][1] + 5, frozenset({base(small, "C1")})))
            return found

        monkeypatch.setattr(front, "enter", late)
        with listening(small, "PAT") as (ear,):
            assert ear.hears("news")["partitions"] == [base(small, "C1")]


def test_a_shutdown_is_announced_and_no_other_stream_begins(small: World) -> None:
    with listening(small, "PAT") as (ear,):
        small.services.hub.close()
        assert ear.hears("end") == {"reason": "server"}
        assert ear.closed.wait(5)
        answer = Caller.of(small, "PAT").ask("GET", STREAM)
        assert (answer.status_code, answer.get_json(force=True)["code"]) == (503, "server.busy")
        assert int(answer.headers["Retry-After"]) > 0


def test_without_streams_nothing_runs(small: World) -> None:
    """Neither thread nor queue: a facility that does not listen pays nothing."""

    def hubs() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "hub" and thread.is_alive()]

    before = len(hubs())
    stream = unread(small)
    assert len(hubs()) == before + 1
    stream.close()
    stream.close()
    until = time.monotonic() + 5
    while len(hubs()) > before and time.monotonic() < until:
        time.sleep(0.01)
    assert len(hubs()) == before and small.services.hub.count == 0
    waiting = small.services.hub._heard.qsize()
    moved(small, "p1", "C2")
    assert small.services.hub._heard.qsize() == waiting
