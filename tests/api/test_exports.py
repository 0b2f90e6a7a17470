"""Evidence by the API: who may take it, what stands in the log, and what is wrong with a request."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from backend.audit.evidence.verify import verify
from backend.identity import facilities
from backend.kernel.problems import Problem
from headless.chain import uuid7
from tests.support import store
from tests.support.caller import Caller, is_problem
from tests.support.evidence import rows
from tests.support.hand import Hand
from tests.support.world import FACILITY, World

PATH = "/v1/audit/exports"
WHY = {"reason": "检察机关调取"}


def exported(world: World) -> list[dict[str, Any]]:
    return [leaf for leaf in store.leaves(world) if leaf["act"] == "evidence.exported"]


def taken(caller: Caller, folder: Path, **asked: Any) -> Path:
    """The bundle that a caller is given."""
    response = caller.ask("POST", PATH, WHY | asked)
    assert response.status_code == 200, response.data
    assert response.headers["Content-Type"] == "application/vnd.sqlite3"
    assert response.headers["Content-Disposition"].startswith("attachment; filename=")
    assert int(response.headers["Content-Length"]) == len(response.data)
    target = folder / "bundle"
    target.write_bytes(response.data)
    return target


@pytest.mark.parametrize("name", ["AUD", "PROC", "DIR"])
def test_who_may_is_given_a_bundle_that_holds(both: World, tmp_path: Path, name: str) -> None:
    h = Hand(both).signed_in("PAT")
    h.open()
    h.told()
    caller = Caller.of(both, name)
    for asked in ({"all": True}, {"terminal": h.terminal}, {"person": both.ids["p1"]}, {"since": "2026-11-22T00:00:00.000Z"},
                  {"since": "2026-11-22T00:00:00.000Z", "until": "2036-11-22T00:00:00.000Z"}):  # fmt: skip
        held = verify(path := taken(caller, tmp_path, **asked), both.services.keyring.head.thumbprint)
        leaf = exported(both)[-1]
        assert (leaf["export"], leaf["officer"], leaf["terminal"]) == (held.export, both.ids[name], caller.terminal)
        assert leaf["reason"] == WHY["reason"] and leaf["session"]
        assert rows(path, "SELECT value FROM about WHERE name = 'reason'") == [(WHY["reason"],)]
    assert len(exported(both)) == 5
    assert list((both.settings.data / "exports").iterdir()) == [], "nothing of it stays"
    store.verified(both)


WRONG: list[Any] = [
    {}, {"reason": "r"}, {"all": True}, {"all": False, **WHY}, {"all": True, "person": uuid7(), **WHY},
    {"since": "yesterday", **WHY}, {"since": "2026-02-30T00:00:00.000Z", **WHY}, {"until": 1, **WHY},
    {"since": "2026-11-22T00:00:00.000Z", "until": "2026-11-22T00:00:00.000Z", **WHY}, {"person": "nobody", **WHY},
    {"all": True, "reason": " "}, {"all": True, "reason": "x" * 501}, {"all": True, "reason": None},
    {"all": True, "officer": uuid7(), **WHY}, {"terminal": [uuid7()], **WHY},
]  # fmt: skip


@pytest.mark.parametrize("body", WRONG, ids=map(str, range(len(WRONG))))
def test_a_wrong_request_takes_nothing(shared: World, body: Any) -> None:
    before = len(exported(shared))
    response = Caller.of(shared, "AUD").ask("POST", PATH, body)
    assert (response.status_code, is_problem(response)) == (422, "request.invalid")
    assert len(exported(shared)) == before


def test_what_is_not_in_the_facility_is_not_there(both: World) -> None:
    services = both.services
    facilities.found(services.door, "OTHER", "另一所", "KSS", services.keyring.head)
    stranger = facilities.one(services.store, "OTHER").server
    caller = Caller.of(both, "AUD")
    for asked in (
        {"terminal": stranger},
        {"person": uuid7()},
        {"person": both.ids["C1"]},
        {"terminal": both.ids["p1"]},
    ):
        response = caller.ask("POST", PATH, WHY | asked)
        assert (response.status_code, is_problem(response)) == (404, "route.unknown"), asked
    assert exported(both) == []


def test_of_two_facilities_only_one_s_own_is_given(both: World, tmp_path: Path) -> None:
    services = both.services
    facilities.found(services.door, "OTHER", "另一所", "KSS", services.keyring.head)
    path = taken(Caller.of(both, "DIR"), tmp_path, all=True)
    assert verify(path).facility == FACILITY
    assert b"OTHER" not in path.read_bytes()


def test_what_a_killed_server_has_left_of_an_export_goes_with_the_next_one(small: World, tmp_path: Path) -> None:
    left, fresh = (small.settings.data / "exports" / name for name in ("left", "fresh"))
    for place in (left, fresh):
        place.mkdir(parents=True)
        (place / "bundle").write_bytes(b"x")
    os.utime(left, (0, 0))
    taken(Caller.of(small, "AUD"), tmp_path, all=True)
    assert not left.exists() and fresh.exists()


def test_a_proof_takes_evidence_once(small: World) -> None:
    caller = Caller.of(small, "AUD")
    headers = caller.headers("POST", PATH)
    first, second = (caller.ask("POST", PATH, WHY | {"all": True}, headers) for _ in range(2))
    assert (first.status_code, is_problem(second)) == (200, "proof.replayed")
    assert len(exported(small)) == 1


def test_where_the_log_cannot_be_written_nothing_is_given(small: World) -> None:
    """The server has signed more than the database has: it was turned back."""
    caller, key = Caller.of(small, "AUD"), small.services.keyring.head
    said = {"facility": FACILITY, "epoch": 1, "size": 10**9, "root": "A" * 43, "at": "2026-11-22T03:14:15.123Z"}
    with contextlib.suppress(Problem):
        small.services.highwater.shown(FACILITY, key.sign({"typ": "roundsman-head+jwt"}, said), "somebody")
    response = caller.ask("POST", PATH, WHY | {"all": True})
    assert (response.status_code, orjson.loads(response.data)["code"]) == (503, "server.behind")
    assert exported(small) == []
