"""A terminal that was shown heads which do not agree says so: a leaf, a sign of ill health, until somebody settles it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.audit import epochs
from backend.audit.verify import Broken
from backend.kernel.ids import b64
from backend.kernel.keys import SigningKey
from backend.storage import tables
from tests.support import store
from tests.support.caller import NOBODY, Caller, is_problem
from tests.support.world import FACILITY, World


def head(world: World, at: int = 2, **other: Any) -> str:
    """A head that the server has signed before, true but for the values given."""
    key, row = world.services.keyring.head, store.rows(world, tables.tree_heads)[at]
    said = {"facility": FACILITY, "epoch": 1, "size": row.size, "root": b64(row.root), "at": "2026-11-22T03:14:15.123Z"}
    return key.sign({"typ": "roundsman-head+jwt", "kid": key.thumbprint}, said | other)


def alarm(world: World, **other: Any) -> dict[str, Any]:
    return {"held": store.one(world, tables.facilities).head, "shown": head(world), "why": "proof"} | other


def health(world: World) -> dict[str, Any]:
    with world.app.test_client() as client:
        found: dict[str, Any] = client.get("/healthz").json
        return found


def told(world: World) -> list[dict[str, Any]]:
    return [leaf for leaf in store.leaves(world) if leaf["act"].startswith("head.alarm")]


def test_it_is_kept_with_a_leaf_and_health_tells(both: World) -> None:
    caller, body = Caller.of(both, NOBODY), alarm(both)
    assert (health(both)["status"], health(both)["alarms"]) == ("ok", 0)
    for _ in range(2):  # an answer may be lost
        assert caller.ask("POST", "/v1/audit/alarms", body).status_code == 204
    (leaf,) = told(both)
    assert (leaf["terminal"], leaf["why"]) == (caller.terminal, "proof")
    shown = store.rows(both, tables.tree_heads)[2]
    of = {"facility": FACILITY, "epoch": 1, "size": shown.size, "root": b64(shown.root)}
    assert leaf["shown"] == of | {"signed": True}
    assert leaf["held"]["signed"] and leaf["held"]["size"] > shown.size
    found = health(both)
    assert (found["status"], found["alarms"]) == ("alarmed", 1) and "flask alarm list" in found["advice"]
    store.verified(both)


def test_a_head_of_another_log_stops_all_writing_and_is_on_record(both: World) -> None:
    """The server has signed it and does not have it: its log was turned back, or written anew."""
    caller, body = Caller.of(both, NOBODY), alarm(both, shown=head(both, root="A" * 43))
    for _ in range(2):
        response = caller.ask("POST", "/v1/audit/alarms", body)
        assert (response.status_code, orjson.loads(response.data)["code"]) == (503, "server.behind")
    assert [leaf["terminal"] for leaf in told(both)] == [caller.terminal]
    assert (health(both)["status"], health(both)["alarms"]) == ("behind", 1)
    epochs.open_epoch(both.services.door, both.services.highwater, FACILITY, "looked into", "test")
    assert caller.ask("POST", "/v1/audit/alarms", body).status_code == 204
    assert health(both)["status"] == "alarmed"
    store.verified(both)


def test_a_head_that_this_server_has_not_signed_is_told_as_such(small: World) -> None:
    caller, stranger = Caller.of(small, NOBODY), SigningKey.generate()
    said = {"facility": "ELSEWHERE", "epoch": 1, "size": 9, "root": "A" * 43}
    foreign = stranger.sign({"typ": "roundsman-head+jwt", "kid": stranger.thumbprint}, said)
    assert caller.ask("POST", "/v1/audit/alarms", alarm(small, shown=foreign)).status_code == 204
    assert told(small)[0]["shown"]["signed"] is False


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"why": "because"}, "field.invalid"),
        ({"shown": ""}, "field.invalid"),
        ({"shown": "x" * 3000}, "field.invalid"),
        ({"shown": "a.b.c"}, "field.invalid"),
        ({"shown": "é"}, "field.invalid"),
        ({"shown": 7}, "field.invalid"),
        ({"more": 1}, "field.unknown"),
    ],
)
def test_what_is_no_head_is_refused(small: World, other: dict[str, Any], code: str) -> None:
    response = Caller.of(small, NOBODY).ask("POST", "/v1/audit/alarms", alarm(small, **other))
    assert response.status_code == 422
    body = orjson.loads(response.data)
    assert code in {is_problem(response), *(each["code"] for each in body.get("errors", []))}
    assert told(small) == []


@pytest.mark.parametrize(
    "said",
    [{"epoch": "1"}, {"size": -1}, {"size": 2**60}, {"size": True}, {"root": 7}, {"root": "A" * 100}, {"facility": []}],
)
def test_a_head_with_foreign_values_is_refused(small: World, said: dict[str, Any]) -> None:
    response = Caller.of(small, NOBODY).ask("POST", "/v1/audit/alarms", alarm(small, shown=head(small, **said)))
    assert (response.status_code, is_problem(response)) == (422, "field.invalid")


def test_a_terminal_does_not_fill_the_log_with_alarms(small: World) -> None:
    caller = Caller.of(small, NOBODY)
    assert caller.ask("POST", "/v1/audit/alarms", alarm(small)).status_code == 204
    response = caller.ask("POST", "/v1/audit/alarms", alarm(small, shown=head(small, 3)))
    assert (response.status_code, is_problem(response)) == (429, "terminal.busy")
    small.clock.advance(10_000)
    assert caller.ask("POST", "/v1/audit/alarms", alarm(small, shown=head(small, 3))).status_code == 204
    assert (len(told(small)), health(small)["alarms"]) == (2, 1)


def run(world: World, *words: str) -> Any:
    return world.app.test_cli_runner().invoke(args=["alarm", *words])


def test_the_console_lists_and_settles(both: World) -> None:
    caller = Caller.of(both, NOBODY)
    assert run(both, "list").output == "no alarms\n"
    caller.ask("POST", "/v1/audit/alarms", alarm(both))
    listed = run(both, "list").output
    size = store.rows(both, tables.tree_heads)[2].size
    assert f"{FACILITY}  terminal {caller.terminal}" in listed and f"{size} leaves" in listed
    assert "signed by this server" in listed and "NOT" not in listed
    of = ("settle", "--facility", FACILITY, "--terminal", caller.terminal, "--operator", "the operator", "--reason")
    empty = run(both, *of, " ")
    assert empty.exit_code == 1 and "with a reason" in empty.output
    assert run(both, *of, "looked into").exit_code == 0
    assert (health(both)["status"], run(both, "list").output) == ("ok", "no alarms\n")
    assert [leaf["act"] for leaf in told(both)] == ["head.alarm", "head.alarm.settled"]
    again = run(both, *of, "looked into")
    assert again.exit_code == 1 and "there is no alarm" in again.output
    nowhere = run(both, *of[:2], "NOWHERE", *of[3:], "looked into")
    assert nowhere.exit_code == 1 and "there is no facility" in nowhere.output
    store.verified(both)


def test_an_alarm_that_somebody_edits_is_named(both: World) -> None:
    caller = Caller.of(both, NOBODY)
    caller.ask("POST", "/v1/audit/alarms", alarm(both))
    store.alter(both, tables.alarms, {"terminal": caller.terminal}, at=1)
    with pytest.raises(Broken, match="the alarm of terminal"):
        store.verified(both)
