"""Tokens that end while a session goes on (protocol section 4)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from headless import Offline, Problem, Terminal, patrol
from headless.stream import Event
from tests.headless.fake_world import World
from tests.headless.kit import SECRET, HandClock, Line
from tests.support import world as real

REFRESH, PULL = "/v1/sessions/refresh", "/v1/sync/pull"


def ticket(terminal: Terminal) -> str | None:
    session = terminal.session
    assert session is not None
    return session.refresh_token


def test_a_token_that_has_ended_is_renewed_once_and_the_request_sent_again(
    terminal: Terminal, world: World, line: Line
) -> None:
    patrol.open_round(terminal, world.places["W"])
    before, session = ticket(terminal), terminal.session
    world.tokens.clear()
    line.requests.clear()
    terminal.pull()
    assert line.paths() == [PULL, REFRESH, PULL]
    assert session is not None and terminal.session is not None
    assert terminal.session.session == session.session, "the same session, in which it was captured"
    assert ticket(terminal) != before
    assert len(terminal.waiting()) == 1


def test_a_token_is_renewed_shortly_before_its_end_whatever_the_device_s_clock_says(
    terminal: Terminal, world: World, line: Line, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.requests.clear()
    clock.moment = clock.moment.replace(year=2031)
    terminal.pull()
    assert line.paths() == [PULL]
    monkeypatch.setattr(clock, "monotonic", lambda: 1000 + 541_000)
    terminal.pull()
    assert line.paths() == [PULL, REFRESH, PULL]
    terminal.pull()
    assert line.paths() == [PULL, REFRESH, PULL, PULL]


def test_without_signal_a_token_is_not_given_up(
    terminal: Terminal, line: Line, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ticket(terminal)
    monkeypatch.setattr(clock, "monotonic", lambda: 1000 + 541_000)
    line.down = True
    with pytest.raises(Offline):
        terminal.pull()
    line.down = False
    terminal.pull()
    assert ticket(terminal) != before


def test_a_lost_answer_to_a_refresh_is_got_again(terminal: Terminal, world: World, line: Line) -> None:
    before = ticket(terminal)
    for _ in range(3):
        world.tokens.clear()
        line.lose_on = REFRESH
        with pytest.raises(Offline):
            terminal.pull()
        assert ticket(terminal) == before
    terminal.pull()
    generations = [generation for _, generation in world.refreshing.values()]
    assert generations == [1, 2], "all of them were the same successor"


def test_a_restart_goes_on_with_what_is_stored(
    terminal: Terminal, world: World, line: Line, clock: HandClock, tmp_path: Path
) -> None:
    world.tokens.clear()
    with Terminal(tmp_path / "terminal.db", transport=line, clock=clock) as again:
        again.pull()
        renewed = ticket(again)
    terminal.pull()
    assert ticket(terminal) == renewed, "two on one file take what the other has got"


def test_a_session_that_is_over_is_said_and_touches_nothing(terminal: Terminal, world: World, line: Line) -> None:
    patrol.open_round(terminal, world.places["W"])
    world.end_all()
    line.requests.clear()
    with pytest.raises(Problem) as refused:
        terminal.pull()
    assert refused.value.code == "session.expired"
    assert line.paths() == [PULL, REFRESH]
    assert len(terminal.waiting()) == 1
    terminal.push()
    assert not terminal.waiting(), "the push needs no session"
    terminal.sign_in("PAT", SECRET)
    terminal.pull()


def test_a_revoked_terminal_is_told_so_by_its_refresh(terminal: Terminal, world: World) -> None:
    world.tokens.clear()
    world.terminals[terminal.identity.terminal].revoked = True
    with pytest.raises(Problem) as refused:
        terminal.pull()
    assert refused.value.code == "terminal.revoked"


def test_signed_out_nothing_of_the_tokens_is_left_on_the_device(terminal: Terminal, tmp_path: Path) -> None:
    session = terminal.session
    assert session is not None and session.refresh_token is not None
    terminal.sign_out()
    terminal.store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kept = (tmp_path / "terminal.db").read_bytes()
    assert session.token.encode() not in kept and session.refresh_token.encode() not in kept
    with sqlite3.connect(tmp_path / "terminal.db") as db:
        assert db.execute("SELECT session FROM sessions").fetchall() == [(session.session,)]


def test_the_stream_goes_on_over_a_refresh(terminal: Terminal, world: World, line: Line) -> None:
    heard: list[Event] = []
    world.say("news", {"at": 1, "epoch": 1, "partitions": []})

    def on_event(event: Event) -> None:
        heard.append(event)
        world.tokens.clear()
        world.say("news", {"at": 2, "epoch": 1, "partitions": []})

    terminal.follow(on_event, goes_on=lambda: len([event for event in heard if event.name == "news"]) < 4)
    assert [event.name for event in heard].count("news") == 4
    assert REFRESH in line.paths()


def test_a_stream_that_is_refused_for_its_token_is_opened_with_the_next(
    terminal: Terminal, world: World, line: Line
) -> None:
    heard: list[Event] = []
    world.say("news", {"at": 1, "epoch": 1, "partitions": []})
    line.meanwhile = None

    def forget() -> None:
        if line.paths()[-1] == PULL:  # the one before the line is opened
            world.tokens.clear()
        else:
            line.meanwhile = forget

    line.meanwhile = forget
    line.requests.clear()
    terminal.follow(heard.append, goes_on=lambda: not heard)
    assert heard
    stream = "/v1/sync/stream"
    opened = [path for path in line.paths() if path in (stream, REFRESH)]
    assert opened[:3] == [stream, REFRESH, stream]


def test_a_day_with_a_real_server_is_one_session(quick: real.World) -> None:
    walking = quick.terminal("PAT")
    session = walking.session
    for minutes in (9, 11, 9, 11, 300, 10):
        quick.clock.advance(minutes * 60_000)
        patrol.open_round(walking, quick.ids["W"])
        outcomes, pulled = walking.sync()
        assert [outcome["status"] for outcome in outcomes] == ["applied"] and pulled is not None
    assert session is not None and walking.session is not None and walking.session.session == session.session
    quick.clock.advance(7 * 3_600_000)
    with pytest.raises(Problem) as refused:
        walking.sync()
    assert refused.value.code == "session.expired"


def test_a_temporary_secret_is_changed_first(terminal: Terminal, world: World) -> None:
    world.officers["PAT"]["must_change"] = True
    session = terminal.sign_in("PAT", SECRET)
    assert session.must_change
    with pytest.raises(Problem) as refused:
        terminal.pull()
    assert refused.value.code == "secret.temporary"
    with pytest.raises(Problem) as refused:
        terminal.change_secret("wrong", "a secret of my own")
    assert refused.value.code == "secret.wrong"
    terminal.change_secret(SECRET, "a secret of my own")
    assert terminal.session is not None and not terminal.session.must_change
    terminal.pull()
