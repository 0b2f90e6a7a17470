"""Sign-in and refresh: what lives how long, what ends it, and what is good once."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import jwt
import orjson
import pytest

from backend.domain.posts import Post
from backend.identity import assignments, facilities, officers, terminals
from backend.identity.officers import NewOfficer
from backend.identity.tokens import Ticket
from backend.kernel.ids import uuid7
from backend.kernel.problems import Problem
from backend.storage import tables
from headless.chain import b64u
from headless.proof import Key, new_key, thumbprint
from tests.support import store
from tests.support.caller import NOBODY, Caller
from tests.support.hand import Hand
from tests.support.sessions import MINUTE, NEW, pull, refreshed, signed_in, told
from tests.support.world import CHEAP, FACILITY, SECRET, World

OTHER = "ELSEWHERE"


# Access and refresh


def test_an_access_token_lasts_ten_minutes_and_a_refresh_gets_the_next(quick: World) -> None:
    caller = Caller.of(quick, NOBODY)
    first = signed_in(caller, "PAT")
    ends = jwt.decode(first["access_token"], options={"verify_signature": False})["exp"] * 1000
    assert 10 * MINUTE - 1000 < ends - quick.clock.now() <= 10 * MINUTE
    quick.clock.set(ends - 1)
    assert pull(caller) == (200, None)
    quick.clock.advance(1)
    assert pull(caller) == (401, "session.expired")
    response = refreshed(caller, first["refresh_token"])
    second = orjson.loads(response.data)
    assert response.status_code == 200 and second["refresh_token"] != first["refresh_token"]
    assert second["refresh_expires_at"] == first["refresh_expires_at"], "the session ends when it ends"
    caller.token = second["access_token"]
    assert pull(caller) == (200, None)


def test_a_session_is_over_at_its_hour_however_often_it_was_refreshed(quick: World) -> None:
    caller = Caller.of(quick, NOBODY)
    said = signed_in(caller, "PAT")
    over = store.one(quick, tables.sessions, session=said["session"]).expires_at
    quick.clock.set(over - MINUTE)
    said |= orjson.loads(refreshed(caller, said["refresh_token"]).data)
    assert said["expires_at"] == said["refresh_expires_at"], "no token outlives it"
    caller.token = said["access_token"]
    assert pull(caller) == (200, None)
    quick.clock.set(over)
    assert pull(caller) == (401, "session.expired")
    assert told(refreshed(caller, said["refresh_token"])) == (401, "session.expired")


def test_the_same_refresh_token_gets_the_same_successor(both: World) -> None:
    caller = Caller.of(both, NOBODY)
    said = signed_in(caller, "PAT")
    answers = [orjson.loads(refreshed(caller, said["refresh_token"]).data) for _ in range(3)]
    assert len({answer["refresh_token"] for answer in answers}) == 1
    row = store.one(both, tables.sessions, session=said["session"])
    assert (row.generation, row.ended_at) == (2, None)
    written = [leaf for leaf in store.leaves(both) if leaf["act"] == "session.refreshed"]
    assert [(leaf["session"], leaf["generation"]) for leaf in written] == [(said["session"], 2)]
    store.verified(both)


def test_an_older_refresh_token_is_a_copied_one_and_ends_the_session(both: World) -> None:
    caller = Caller.of(both, NOBODY)
    said = signed_in(caller, "PAT")
    second = orjson.loads(refreshed(caller, said["refresh_token"]).data)
    third = orjson.loads(refreshed(caller, second["refresh_token"]).data)
    caller.token = third["access_token"]
    assert pull(caller) == (200, None)
    assert told(refreshed(caller, said["refresh_token"])) == (401, "session.expired")
    assert pull(caller) == (401, "session.expired")
    for ticket in (second, third):
        assert told(refreshed(caller, ticket["refresh_token"])) == (401, "session.expired")
    written = [leaf for leaf in store.leaves(both) if leaf["act"] == "session.reused"]
    assert [(leaf["session"], leaf["generation"]) for leaf in written] == [(said["session"], 1)]
    store.verified(both)


def test_a_server_restored_to_before_some_refreshes_goes_on_from_the_token(small: World) -> None:
    caller = Caller.of(small, NOBODY)
    said = signed_in(caller, "PAT")
    for _ in range(4):
        said |= orjson.loads(refreshed(caller, said["refresh_token"]).data)
    store.alter(small, tables.sessions, {"session": said["session"]}, generation=2)
    again = refreshed(caller, said["refresh_token"])
    assert again.status_code == 200
    assert store.one(small, tables.sessions, session=said["session"]).generation == 6


def test_while_the_server_is_behind_who_reads_goes_on_reading(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = Caller.of(small, NOBODY)
    said = signed_in(caller, "PAT")
    said |= orjson.loads(refreshed(caller, said["refresh_token"]).data)

    def behind(*_: Any) -> None:
        raise Problem("server.behind", retry_after=60)

    monkeypatch.setattr(type(small.services.highwater), "check", behind)
    again = orjson.loads(refreshed(caller, said["refresh_token"]).data)
    assert again["refresh_token"] == said["refresh_token"]
    caller.token = again["access_token"]
    assert pull(caller) == (200, None)
    assert orjson.loads(caller.sign_in("DISC").data)["code"] == "server.behind"


def test_a_refresh_token_is_good_for_its_own_key_alone_and_harms_nobody_else(standing: World) -> None:
    mine, other = Caller.of(standing, NOBODY), Caller.of(standing, NOBODY)
    said = signed_in(mine, "PAT")
    assert told(refreshed(other, said["refresh_token"])) == (401, "session.missing")
    assert told(refreshed(Caller(standing), said["refresh_token"])) == (401, "terminal.unknown")
    assert refreshed(mine, said["refresh_token"]).status_code == 200, "what a stranger shows ends nothing"


def _ends(world: World, caller: Caller, said: dict[str, Any], what: str) -> None:
    match what:
        case "officer":
            assignments.revoke(world.services.door, FACILITY, world.ids["PAT"], "test")
        case "terminal":
            terminals.revoke(world.services.door, FACILITY, caller.terminal, "test")
        case "signed out":
            assert caller.ask("DELETE", "/v1/sessions/current").status_code == 204
        case "incarnation":
            asked = caller.next_incarnation()
            caller.token = None
            assert caller.ask("POST", "/v1/terminals/incarnations", asked).status_code == 201


@pytest.mark.parametrize("what, code", [
    ("officer", (401, "session.missing")),
    ("terminal", (403, "terminal.revoked")),
    ("signed out", (401, "session.expired")),
    ("incarnation", (409, "incarnation.frozen")),
])  # fmt: skip
def test_a_refresh_is_refused_after(small: World, what: str, code: tuple[int, str]) -> None:
    caller = Caller.of(small, NOBODY)
    said = signed_in(caller, "PAT")
    _ends(small, caller, said, what)
    assert told(refreshed(caller, said["refresh_token"])) == code
    assert store.one(small, tables.sessions, session=said["session"]).generation == 1


def by_hand(said: dict[str, Any], secret: bytes, header: dict[str, Any], digest: Any = hashlib.sha256) -> str:
    """A token with any header, secret and hash."""
    head = b64u(orjson.dumps(header)) + "." + b64u(orjson.dumps(said))
    return f"{head}.{b64u(hmac.digest(secret, head.encode(), digest))}"


def test_a_refresh_token_that_is_not_the_server_s_is_none(standing: World) -> None:
    caller = Caller.of(standing, NOBODY)
    said = signed_in(caller, "PAT")
    right = said["refresh_token"]
    claims = jwt.decode(right, options={"verify_signature": False})
    secret, access = standing.services.tokens._refresh, standing.services.keyring.token
    header = {"alg": "HS256", "typ": "roundsman-refresh+jwt"}
    public = orjson.dumps(standing.services.keyring.head.jwk)
    flipped = right[:-3] + ("A" if right[-3] != "A" else "B") + right[-2:]
    forged = [
        jwt.encode(claims, None, "none", headers=header | {"alg": "none"}),
        by_hand(claims, access, header),
        by_hand(claims, public, header),
        by_hand(claims, secret, header | {"alg": "HS512"}, hashlib.sha512),
        by_hand(claims, secret, header | {"typ": "JWT"}),
        by_hand(claims, secret, header | {"crit": ["exp"]}),
        by_hand(claims, secret, {"alg": "HS256"}),
        *(by_hand({n: v for n, v in claims.items() if n != name}, secret, header) for name in claims),
        by_hand(claims | {"fac": OTHER}, secret, header),
        by_hand(claims | {"sid": uuid7(0)}, secret, header),
        by_hand(claims | {"cnf": {"jkt": thumbprint(Key(new_key()).jwk)}}, secret, header),
        said["access_token"], flipped, right[:-1], right + "A", "x", "a.b.c", "..", "é",
    ]  # fmt: skip
    for token in forged:
        assert told(refreshed(caller, token)) == (401, "session.missing"), token
    assert told(refreshed(caller, by_hand(claims | {"exp": 1}, secret, header))) == (401, "session.expired")
    assert refreshed(caller, by_hand(claims, secret, header)).status_code == 200, "the right one, by the same means"


def test_a_refresh_token_gives_no_access_and_an_access_token_of_odd_form_none(standing: World) -> None:
    caller = Caller.of(standing, NOBODY)
    said = signed_in(caller, "PAT")
    claims = jwt.decode(said["access_token"], options={"verify_signature": False})
    secret = standing.services.keyring.token
    for token in (
        said["refresh_token"],
        by_hand(claims, secret, {"alg": "HS256", "typ": "JWT", "crit": ["exp"], "exp": 1}),
        by_hand(claims, secret, {"alg": "HS256", "typ": "at+jwt"}),
        by_hand(claims, secret, {"alg": "none", "typ": "JWT"}),
        by_hand(claims, secret, {"alg": "HS256", "typ": "JWT", "kid": "../../dev/null"}),
    ):
        caller.token = token
        assert pull(caller) == (401, "session.missing"), token


def test_a_token_of_one_facility_opens_nothing_in_another(small: World) -> None:
    services = small.services
    facilities.found(services.door, OTHER, "别处看守所", "KSS", services.keyring.head)
    there = NewOfficer(uuid7(small.clock.now()), "PAT", "elsewhere", (Post.PAT,), SECRET)
    officers.add(services.door, OTHER, [there], CHEAP)
    hand = Hand(small, terminals.make_code(services.door, OTHER, "test")[0]).signed_in("PAT")
    caller = Caller(small, hand.key, hand.token, terminal=hand.terminal)
    assert pull(caller) == (200, None)
    claims = jwt.decode(hand.token, options={"verify_signature": False})
    caller.token = jwt.encode(claims | {"fac": FACILITY}, services.keyring.token, "HS256")
    assert pull(caller) == (401, "session.missing"), "not even in a token that the server itself would have signed"
    ticket = services.tokens.refresh(Ticket(FACILITY, claims["sid"], 1, claims["cnf"]["jkt"]), claims["exp"] * 1000)
    assert told(refreshed(caller, ticket)) == (401, "session.missing")
    for number in ("LEAD", "DISC"):
        assert told(caller.sign_in(number)) == (401, "session.refused"), (
            "an officer of the other facility is nobody here"
        )


# Proofs that are good once


def _once(world: World) -> list[tuple[str, str, Any, Caller, int]]:
    """Right requests whose proofs are good once, each with who asks and the status of its answer."""
    plain, working = Caller.of(world, NOBODY), Caller.of(world, "PAT")
    keyless, mine = Caller(world), Caller.of(world, NOBODY)
    ticket = signed_in(mine, "DISC")["refresh_token"]
    mine.token = None
    enrolment = {"code": world.code(), "label": "PDA", "jwk": keyless.key.jwk}
    return [
        ("POST", "/v1/sessions", {"number": "PAT", "secret": SECRET}, plain, 201),
        ("POST", "/v1/sessions/refresh", {"refresh_token": ticket}, mine, 200),
        ("POST", "/v1/terminals", enrolment, keyless, 201),
        ("PUT", "/v1/officers/current/secret", {"old": SECRET, "new": NEW}, working, 204),
    ]


def test_a_proof_that_changes_who_is_here_is_good_once(both: World) -> None:
    for method, path, body, caller, status in _once(both):
        headers = caller.headers(method, path)
        assert caller.ask(method, path, body, headers).status_code == status, path
        assert told(caller.ask(method, path, body, headers)) == (401, "proof.replayed"), path
        other = {"DPoP": caller.dpop(method, path)} | {n: v for n, v in headers.items() if n != "DPoP"}
        assert told(caller.ask(method, path, body, other))[1] != "proof.replayed", path


def test_a_proof_of_a_read_may_come_twice(standing: World) -> None:
    caller = Caller.of(standing, "PAT")
    before = len(store.rows(standing, tables.spent))
    headers = caller.headers("POST", "/v1/sync/pull")
    for _ in range(2):
        assert caller.ask("POST", "/v1/sync/pull", {"partitions": {}, "limit": 1}, headers).status_code == 200
    assert len(store.rows(standing, tables.spent)) == before


def test_two_keys_may_name_their_proofs_alike(standing: World) -> None:
    for _ in range(2):
        caller = Caller.of(standing, NOBODY)
        headers = {"DPoP": caller.dpop("POST", "/v1/sessions", jti="the same")}
        body = {"number": "PAT", "secret": SECRET}
        assert caller.ask("POST", "/v1/sessions", body, headers).status_code == 201


def test_a_stranger_s_proofs_are_not_kept(standing: World) -> None:
    stranger, before = Caller(standing), len(store.rows(standing, tables.spent))
    for path, body in (("", {"number": "PAT", "secret": SECRET}), ("/refresh", {"refresh_token": "x"})):
        assert told(stranger.ask("POST", f"/v1/sessions{path}", body)) == (401, "terminal.unknown")
    assert len(store.rows(standing, tables.spent)) == before


@pytest.mark.parametrize("jti", [None, "", 1, "x" * 129])
def test_a_proof_without_a_name_is_none(standing: World, jti: Any) -> None:
    caller = Caller.of(standing, NOBODY)
    body = {"number": "PAT", "secret": SECRET}
    headers = {"DPoP": caller.dpop("POST", "/v1/sessions", jti=jti)}
    assert told(caller.ask("POST", "/v1/sessions", body, headers)) == (401, "proof.invalid")


# What the answer says


def test_a_sign_in_says_how_the_device_may_be_unlocked_and_tells_no_more(standing: World) -> None:
    said = signed_in(Caller.of(standing, NOBODY), "PAT")
    assert said["unlock"] == {"hours": 12, "tries": 5, "idle_minutes": 5}
    assert said["must_change"] is False
    assert set(said) == {
        "session", "officer", "access_token", "expires_at", "refresh_token", "refresh_expires_at", "must_change",
        "unlock", "seal", "time",
    }  # fmt: skip
    assert said["refresh_token"] not in str(store.rows(standing, tables.sessions))
