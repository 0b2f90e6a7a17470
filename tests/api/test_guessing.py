"""Who guesses, and who is in a hurry: nothing is learnt, and nobody else is kept waiting."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import orjson
import pytest
from argon2 import PasswordHasher

from backend.identity import assignments
from backend.storage import tables
from backend.storage.engine import Store
from backend.storage.scratch import volatile
from tests.support import store
from tests.support.caller import NOBODY, Caller
from tests.support.sessions import MINUTE, pull, refreshed, signed_in, told
from tests.support.world import FACILITY, World
from wsgi import _forget


def test_a_number_that_nobody_has_is_locked_like_any_other(both: World) -> None:
    answers: dict[str, list[tuple[int, bytes]]] = {}
    for number in ("PAT", "999999"):
        caller = Caller.of(both, NOBODY)
        responses = [caller.sign_in(number, "wrong") for _ in range(7)]
        answers[number] = [(response.status_code, response.data) for response in responses]
    assert answers["PAT"] == answers["999999"]
    assert [status for status, _ in answers["PAT"]] == [401] * 5 + [429] * 2
    told_of = [leaf["officer"] for leaf in store.leaves(both) if leaf["act"] == "sign_in.refused"]
    assert told_of == [both.ids["PAT"]] * 5 + [None] * 5
    assert "999999" not in str(store.leaves(both)) + str(store.rows(both, tables.rates))


def test_a_number_that_nobody_has_costs_the_same(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time itself is not measured: what takes time is counted, comparisons of secrets and transactions."""
    seen: list[str] = []
    verify, writing = PasswordHasher.verify, Store.writing

    def verified(self: PasswordHasher, hashed: str, secret: str) -> bool:
        seen.append(hashed.split("$")[3])
        return verify(self, hashed, secret)

    def written(self: Store) -> Any:
        seen.append("transaction")
        return writing(self)

    monkeypatch.setattr(PasswordHasher, "verify", verified)
    monkeypatch.setattr(Store, "writing", written)
    costs = []
    for number in ("PAT", "999999"):
        caller = Caller.of(small, NOBODY)
        seen.clear()
        assert told(caller.sign_in(number, "wrong")) == (401, "session.refused")
        costs.append(list(seen))
    assert costs[0] == costs[1]
    assert costs[0].count("m=8,t=1,p=1") == 1, "the secret is compared once, at the same cost"


def test_guesses_at_one_moment_are_no_more_than_one_after_the_other(both: World) -> None:
    callers = [Caller.of(both, NOBODY) for _ in range(12)]
    with ThreadPoolExecutor(len(callers)) as pool:
        answers = list(pool.map(lambda caller: told(caller.sign_in("PAT", "wrong")), callers))
    assert sorted(answers) == [(401, "session.refused")] * 5 + [(429, "sign_in.locked")] * 7


def test_what_is_over_is_forgotten(small: World) -> None:
    Caller.of(small, "PAT").sign_in("DISC", "wrong")
    kept = [len(store.rows(small, table)) for table in volatile()]
    small.clock.advance(5 * MINUTE)
    _forget(small.services, FACILITY)
    assert [len(store.rows(small, table)) for table in volatile()] == kept
    small.clock.advance(10 * MINUTE)
    _forget(small.services, FACILITY)
    assert store.rows(small, tables.spent) == store.rows(small, tables.rates) == []


def test_one_who_is_revoked_is_answered_like_nobody(small: World) -> None:
    assignments.revoke(small.services.door, FACILITY, small.ids["PAT"], "test")
    caller = Caller.of(small, NOBODY)
    assert caller.sign_in("PAT").data == caller.sign_in("999999").data


def test_a_terminal_that_tries_many_numbers_is_locked(small: World) -> None:
    caller = Caller.of(small, NOBODY)
    for at in range(20):
        assert told(caller.sign_in(f"{at:06}", "1234")) == (401, "session.refused")
    assert told(caller.sign_in("PAT")) == (429, "sign_in.locked")
    assert told(Caller.of(small, NOBODY).sign_in("PAT")) == (201, None), "at another one he may"
    small.clock.advance(15 * MINUTE)
    assert told(caller.sign_in("PAT")) == (201, None)


def test_right_secrets_do_not_use_up_a_terminal(small: World) -> None:
    caller = Caller.of(small, NOBODY)
    for _ in range(25):
        assert told(caller.sign_in("PAT")) == (201, None)


def test_sign_ins_and_refreshes_of_a_terminal_are_counted_together(quick: World) -> None:
    caller, most = Caller.of(quick, NOBODY), quick.settings.sign_ins
    said = signed_in(caller, "PAT")
    for _ in range(most - 1):
        response = refreshed(caller, said["refresh_token"])
        said |= orjson.loads(response.data)
        assert response.status_code == 200
    for response in (refreshed(caller, said["refresh_token"]), caller.sign_in("PAT")):
        assert told(response) == (429, "rate.limited")
        assert response.headers["Retry-After"] == "61" == str(orjson.loads(response.data)["detail"]["retry_after"])
    assert told(Caller.of(quick, NOBODY).sign_in("PAT")) == (201, None)
    quick.clock.advance(MINUTE)
    assert refreshed(caller, said["refresh_token"]).status_code == 200


def test_enrolments_are_counted_by_address(quick: World) -> None:
    def enrol(code: str, address: str = "10.0.0.7") -> tuple[int, str | None]:
        caller = Caller(quick)
        body = {"code": code, "label": "PDA", "jwk": caller.key.jwk}
        return told(caller.ask("POST", "/v1/terminals", body, environ_overrides={"REMOTE_ADDR": address}))

    for _ in range(quick.settings.enrolments):
        assert enrol("0000-0000-0000") == (403, "code.invalid")
    assert enrol(quick.code()) == (429, "rate.limited")
    assert enrol(quick.code(), "10.0.0.8") == (201, None)
    quick.clock.advance(MINUTE)
    assert enrol(quick.code()) == (201, None)


def test_requests_of_a_session_are_counted_and_pulls_are_not(quick: World) -> None:
    caller, other = Caller.of(quick, "PAT"), Caller.of(quick, "DISC")
    for _ in range(quick.settings.requests):
        quick.services.throttle.take(session_of(caller), quick.clock.now())
    response = caller.ask("GET", "/v1/audit/head")
    assert told(response) == (429, "rate.limited") and response.headers["Retry-After"] == "1"
    assert pull(caller) == (200, None)
    assert other.ask("GET", "/v1/audit/head").status_code == 200
    quick.clock.advance(1000)
    assert caller.ask("GET", "/v1/audit/head").status_code == 200


def session_of(caller: Caller) -> str:
    return str(jwt.decode(caller.token or "", options={"verify_signature": False})["sid"])
