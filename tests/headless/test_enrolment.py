"""Enrolment, sign-in, nonces, and patience with a busy server."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from headless import Broken, NotEnrolled, NotSignedIn, Offline, Problem, Refused, Terminal
from tests.headless.fake_world import Failure, World
from tests.headless.kit import CODE, OTHER_CODE, SECRET, HandClock, Line


def test_enrolment_computes_genesis_and_keeps_a_verified_head(fresh: Terminal, world: World) -> None:
    identity = fresh.enrol(CODE, "PDA-07")
    chain = world.terminals[identity.terminal]
    assert identity.genesis == chain.genesis
    assert fresh.anchor is not None
    assert fresh.anchor.size == 1


def test_a_lost_answer_to_an_enrolment_is_got_again(fresh: Terminal, world: World, line: Line) -> None:
    for _ in range(2):  # first the nonce's answer, then the enrolment's own
        line.lose_answers = 1
        with pytest.raises(Offline):
            fresh.enrol(CODE, "PDA-07")
        fresh.wire._nonce = world.nonce
    assert len(world.terminals) == 1
    with pytest.raises(NotEnrolled):
        _ = fresh.identity
    fresh.enrol(CODE.lower().replace("-", " "), "PDA-07")
    assert list(world.terminals) == [fresh.identity.terminal]


def test_enrolling_again_with_the_same_code_asks_nobody(terminal: Terminal, line: Line) -> None:
    identity = terminal.identity
    line.down = True
    assert terminal.enrol(CODE, "PDA-07").terminal == identity.terminal
    with pytest.raises(Refused):
        terminal.enrol(OTHER_CODE, "PDA-08")


def test_a_wrong_code_is_said_and_another_one_works_with_another_key(fresh: Terminal, world: World) -> None:
    with pytest.raises(Problem) as refused:
        fresh.enrol("1111-1111-1111", "PDA-07")
    assert (refused.value.status, refused.value.code, refused.value.field) == (422, "code.invalid", "code")
    assert (refused.value.zh, refused.value.en) == ("不行", "no")
    first = fresh.store.begin_enrolment("111111111111", "http://fake", "PDA-07", lambda: "unused")[0]
    fresh.enrol(CODE, "PDA-07")
    assert fresh.identity.pem != first


def test_a_server_that_tells_another_genesis_is_not_believed(
    fresh: Terminal, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled = world.enrolled

    def other(code: str, key: str, jwk: dict[str, str]) -> object:
        chain = enrolled(code, key, jwk)
        chain.genesis = "A" * 43
        return chain

    monkeypatch.setattr(world, "enrolled", other)
    with pytest.raises(Broken, match="genesis"):
        fresh.enrol(CODE, "PDA-07")
    with pytest.raises(NotEnrolled):
        _ = fresh.identity


def test_nobody_else_reads_the_key(fresh: Terminal, tmp_path: Path) -> None:
    fresh.enrol(CODE, "PDA-07")
    for file in tmp_path.glob("terminal.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_nothing_works_before_enrolment(fresh: Terminal, tmp_path: Path) -> None:
    for act in (fresh.push, fresh.pull, fresh.status, lambda: fresh.sign_in("PAT", "x")):
        with pytest.raises(NotEnrolled):
            act()
    with Terminal(tmp_path / "other.db") as nowhere, pytest.raises(NotEnrolled, match="no server"):
        nowhere.enrol(CODE, "PDA-07")


def test_a_stale_nonce_is_replaced_once(terminal: Terminal, world: World, line: Line) -> None:
    line.requests.clear()
    world.nonce = "another"
    terminal.pull()
    assert line.paths() == ["/v1/sync/pull"] * 2
    terminal.pull()
    assert len(line.requests) == 3


def test_a_server_that_never_likes_a_nonce_is_not_asked_for_ever(terminal: Terminal, world: World, line: Line) -> None:
    line.requests.clear()
    world.trouble = [Failure(401, "proof.nonce_required") for _ in range(5)]
    with pytest.raises(Problem) as refused:
        terminal.pull()
    assert refused.value.code == "proof.nonce_required"
    assert len(line.requests) == 2


def test_sign_in_and_its_refusal(terminal: Terminal) -> None:
    assert terminal.session is not None
    assert terminal.session.name == "王巡"
    with pytest.raises(Problem) as refused:
        terminal.sign_in("PAT", "wrong")
    assert refused.value.status == 401
    assert terminal.session.number == "PAT"  # a failed sign-in ends nothing


def test_a_locked_sign_in_is_told_at_once(terminal: Terminal, world: World, clock: HandClock) -> None:
    world.trouble = [Failure(429, "sign_in.locked", retry_after=900)]
    with pytest.raises(Problem) as refused:
        terminal.sign_in("PAT", SECRET)
    assert refused.value.retry_after == 900
    assert clock.slept == []


def test_sign_out_holds_without_signal(terminal: Terminal, world: World, line: Line) -> None:
    line.down = True
    assert terminal.sign_out() is False
    assert terminal.session is None
    with pytest.raises(NotSignedIn):
        terminal.pull()
    line.down = False
    assert terminal.sign_out() is True
    terminal.sign_in("PAT", SECRET)
    assert terminal.sign_out() is True
    assert len(world.tokens) == 1  # the first one, which could not be ended


def test_sign_out_of_a_session_that_has_ended(terminal: Terminal, world: World) -> None:
    world.end_all()
    assert terminal.sign_out() is True
    assert terminal.session is None


def test_a_busy_server_is_waited_for(terminal: Terminal, world: World, clock: HandClock) -> None:
    world.trouble = [Failure(503, "server.busy", retry_after=2), Failure(429, "rate.limited", retry_after=3)]
    terminal.pull()
    assert clock.slept == [2.25, 3.375]  # an eighth longer: the fixture's chance


def test_but_not_for_ever(terminal: Terminal, world: World, clock: HandClock) -> None:
    world.trouble = [Failure(503, "server.busy", retry_after=1) for _ in range(9)]
    with pytest.raises(Problem) as refused:
        terminal.pull()
    assert refused.value.code == "server.busy"
    assert clock.slept == [1.125] * 3
    world.trouble = [Failure(503, "server.busy")]  # without Retry-After there is nothing to honour
    with pytest.raises(Problem):
        terminal.pull()
    assert clock.slept == [1.125] * 3
