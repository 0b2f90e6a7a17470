"""The secrets of officers: their own, temporary ones, weak ones, and how they are kept."""

from __future__ import annotations

import orjson
import pytest
from argon2 import PasswordHasher

from backend.identity import assignments, credentials, officers
from backend.storage import tables
from tests.support import store
from tests.support.caller import NOBODY, Caller
from tests.support.sessions import NEW, changed, pull, refreshed, signed_in, told
from tests.support.world import FACILITY, SECRET, World


def test_an_officer_changes_his_secret_and_his_other_sessions_end(both: World) -> None:
    here, there = Caller.of(both, "PAT"), Caller.of(both, "PAT")
    other = Caller.of(both, "DISC")
    assert changed(here, SECRET, NEW) == (204, None)
    assert pull(here) == (200, None)
    assert pull(there) == (401, "session.expired")
    assert pull(other) == (200, None), "nobody else's do"
    assert told(there.sign_in("PAT")) == (401, "session.refused")
    there.token = None
    assert told(there.sign_in("PAT", NEW)) == (201, None)
    (leaf,) = [leaf for leaf in store.leaves(both) if leaf["act"] == "secret.changed"]
    assert leaf["officer"] == both.ids["PAT"]
    assert NEW not in str(store.leaves(both)) + str(store.rows(both, tables.officers))
    store.verified(both)


@pytest.mark.parametrize("new", [
    "short", "1234567", "7654321", "901234", "000000", "121212", "123123", "abcabcab", "aaaaaaaa", "13579", SECRET,
])  # fmt: skip
def test_a_weak_secret_is_refused(standing: World, new: str) -> None:
    assert changed(Caller.of(standing, "PAT"), SECRET, new) == (422, "secret.weak")


@pytest.mark.parametrize("new, number, weak", [
    ("100007", "100007", True), ("700001", "100007", True), ("Pat-00007", "pat-00007", True),
    ("258014", "100007", False), ("1000070", "100007", False), ("密码长度有八个字", "100007", False),
])  # fmt: skip
def test_a_secret_is_not_the_officer_s_number(new: str, number: str, weak: bool) -> None:
    try:
        credentials.check_strength(new, number)
    except Exception as problem:  # noqa: BLE001 - told apart below
        assert weak and getattr(problem, "code", None) == "secret.weak"
    else:
        assert not weak


def test_who_is_signed_in_cannot_guess_the_old_secret_either(small: World) -> None:
    caller = Caller.of(small, "PAT")
    for _ in range(5):
        assert changed(caller, "wrong", NEW) == (422, "secret.wrong")
    assert changed(caller, SECRET, NEW) == (429, "sign_in.locked")
    assert told(Caller.of(small, NOBODY).sign_in("PAT")) == (429, "sign_in.locked")


def test_a_temporary_secret_lets_its_officer_change_it_and_nothing_else(both: World) -> None:
    working = Caller.of(both, "PAT")
    secret = officers.reset_secret(both.services.door, FACILITY, both.ids["PAT"], both.ids["ADM"])
    assert pull(working) == (401, "session.expired")
    caller = Caller.of(both, NOBODY)
    assert told(caller.sign_in("PAT")) == (401, "session.refused")
    said = signed_in(caller, "PAT", secret)
    assert said["must_change"] is True
    for method, path, body in (
        ("POST", "/v1/sync/pull", {"partitions": {}, "limit": 1}),
        ("GET", "/v1/sync/stream", None),
        ("GET", "/v1/audit/head", None),
        ("POST", "/v1/terminals/codes", None),
    ):
        assert told(caller.ask(method, path, body)) == (403, "secret.temporary"), path
    again = orjson.loads(refreshed(caller, said["refresh_token"]).data)
    assert again["must_change"] is True
    assert changed(caller, secret, NEW) == (204, None)
    assert pull(caller) == (200, None)
    assert orjson.loads(refreshed(caller, again["refresh_token"]).data)["must_change"] is False
    (leaf,) = [leaf for leaf in store.leaves(both) if leaf["act"] == "secret.reset"]
    assert (leaf["officer"], leaf["by"]) == (both.ids["PAT"], both.ids["ADM"])
    assert secret not in str(store.leaves(both))


def test_who_must_change_may_sign_out(small: World) -> None:
    secret = officers.reset_secret(small.services.door, FACILITY, small.ids["PAT"], "console")
    caller = Caller.of(small, NOBODY)
    signed_in(caller, "PAT", secret)
    assert caller.ask("DELETE", "/v1/sessions/current").status_code == 204


def test_a_reset_secret_opens_a_locked_number_and_of_one_who_is_revoked_there_is_none(small: World) -> None:
    caller = Caller.of(small, NOBODY)
    for _ in range(5):
        caller.sign_in("PAT", "wrong")
    secret = officers.reset_secret(small.services.door, FACILITY, small.ids["PAT"], "console")
    assert told(caller.sign_in("PAT", secret)) == (201, None)
    assignments.revoke(small.services.door, FACILITY, small.ids["PAT"], "console")
    for nobody in (small.ids["PAT"], small.ids["p1"]):
        with pytest.raises(officers.UnknownOfficer):
            officers.reset_secret(small.services.door, FACILITY, nobody, "console")


def test_a_secret_is_hashed_anew_when_the_parameters_have_moved_on(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = store.one(small, tables.officers, number="PAT").secret
    monkeypatch.setattr(credentials, "HASHER", PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    caller = Caller.of(small, NOBODY)
    assert told(caller.sign_in("PAT", "wrong")) == (401, "session.refused")
    assert store.one(small, tables.officers, number="PAT").secret == before
    assert told(caller.sign_in("PAT")) == (201, None)
    after = store.one(small, tables.officers, number="PAT").secret
    assert "m=16,t=2" in after and "m=8,t=1" in before
    assert told(caller.sign_in("PAT")) == (201, None)
    assert store.one(small, tables.officers, number="PAT").secret == after
