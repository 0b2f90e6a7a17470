"""Founding another facility: by administrators of the home facility alone, and without any part in it afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from backend.identity import terminals
from backend.storage import tables
from mobile_api.services import EXTENSION
from tests.support import store
from tests.support.caller import Caller, is_problem
from tests.support.hand import Hand
from tests.support.world import FACILITY, World

OTHER = "SECOND-1"
WANTED = {"id": OTHER, "name": "第二看守所", "type": "KSS", "administrator": {"number": "900001", "name": "𠮷某"}}


def facilities_of(world: World) -> list[str]:
    return [row.facility for row in store.rows(world, tables.facilities)]


def test_a_facility_is_founded_with_its_first_administrator(both: World) -> None:
    admin = Caller.of(both, "ADM")
    response = admin.ask("POST", "/v1/facilities", WANTED)
    told = orjson.loads(response.data)
    assert response.status_code == 201
    assert told["facility"] == {"id": OTHER, "name": "第二看守所", "type": "KSS"}
    first = told["administrator"]
    assert (first["officer"]["number"], first["officer"]["posts"]) == ("900001", ["ADM"])
    code, _ = terminals.make_code(both.services.door, OTHER, "console")
    theirs = Hand(both, code=code)
    assert theirs.facility == OTHER
    answer = orjson.loads(Caller(both, theirs.key, terminal=theirs.terminal).sign_in("900001", first["secret"]).data)
    assert answer["must_change"] is True and answer["officer"]["id"] == first["officer"]["id"]
    by = f"{FACILITY}/{both.ids['ADM']}"
    made = [
        (leaf["act"], leaf["by"])
        for leaf in store.leaves(both, OTHER)
        if leaf["act"] in ("facility.founded", "officer.added")
    ]
    assert made == [("facility.founded", by), ("officer.added", by)]
    asked = [leaf for leaf in store.leaves(both) if leaf["act"] == "facility.asked"]
    assert [(leaf["facility"], leaf["by"]) for leaf in asked] == [(OTHER, both.ids["ADM"])]
    store.verified(both)
    store.verified(both, OTHER)


def test_an_administrator_of_another_facility_founds_none_and_is_not_told_which_there_are(both: World) -> None:
    first = orjson.loads(Caller.of(both, "ADM").ask("POST", "/v1/facilities", WANTED).data)["administrator"]
    code, _ = terminals.make_code(both.services.door, OTHER, "console")
    theirs = Hand(both, code=code)
    caller = Caller(both, theirs.key, terminal=theirs.terminal)
    caller.token = orjson.loads(caller.sign_in("900001", first["secret"]).data)["access_token"]
    chosen = {"old": first["secret"], "new": "a secret of my own"}
    assert caller.ask("PUT", "/v1/officers/current/secret", chosen).status_code == 204
    for name in (FACILITY, "THIRD-1"):
        response = caller.ask("POST", "/v1/facilities", WANTED | {"id": name})
        assert (response.status_code, is_problem(response)) == (403, "role.forbidden"), name
    assert facilities_of(both) == [OTHER, FACILITY]


def test_without_a_home_facility_the_console_alone_founds(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    homeless = replace(small.services, settings=replace(small.settings, home_facility=None))
    monkeypatch.setitem(small.app.extensions, EXTENSION, homeless)
    assert is_problem(Caller.of(small, "ADM").ask("POST", "/v1/facilities", WANTED)) == "role.forbidden"
    words = ["facility", "found", OTHER, "--name", "第二看守所", "--admin", "900001", "--secret", "a secret for tests"]
    done = small.app.test_cli_runner().invoke(args=words)
    assert done.exit_code == 0, done.output
    (officer,) = store.rows(small, tables.officers, facility=OTHER)
    assert (officer.number, officer.posts) == ("900001", "ADM")
    assert facilities_of(small) == [OTHER, FACILITY]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("--admin", "a b"), "field.invalid"),
        (("--admin", "9" * 33), "field.invalid"),
        (("--secret", "123456"), "secret.weak"),
        (("--name", ""), "a name"),
        (("--type", "HOTEL"), "HOTEL"),
    ],
)
def test_the_console_founds_nothing_by_halves(standing: World, changed: tuple[str, str], said: str) -> None:
    options = {"--name": "第二看守所", "--admin": "900001", "--secret": "a secret for tests"} | dict([changed])
    words = ["facility", "found", OTHER, *(word for pair in options.items() for word in pair)]
    done = standing.app.test_cli_runner().invoke(args=words)
    assert done.exit_code != 0 and said in done.output and "Traceback" not in done.output
    assert facilities_of(standing) == [FACILITY]


def test_a_facility_is_founded_once(both: World) -> None:
    admin = Caller.of(both, "ADM")
    assert admin.ask("POST", "/v1/facilities", WANTED).status_code == 201
    size = len(store.leaves(both))
    for name in (OTHER, FACILITY):
        response = admin.ask("POST", "/v1/facilities", WANTED | {"id": name})
        assert (response.status_code, is_problem(response)) == (409, "facility.exists")
    assert len(store.rows(both, tables.officers, facility=OTHER)) == 1 and len(store.leaves(both)) == size


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": "x"}, "id"),
        ({"id": "second"}, "id"),
        ({"id": "A" * 17}, "id"),
        ({"id": "A/../B"}, "id"),
        ({"id": "AB\n"}, "id"),
        ({"name": ""}, "name"),
        ({"name": "\x1b[2J"}, "name"),
        ({"type": "HOTEL"}, "type"),
        ({"administrator": {"number": "1"}}, "administrator.name"),
        ({"administrator": {"number": "1", "name": "x", "posts": ["DIR"]}}, "administrator.posts"),
        ({"administrator": {"number": "1 2", "name": "x"}}, "number"),
        ({"administrator": None}, "administrator"),
        ({"server": "x"}, "server"),
        ({"epoch": 7}, "epoch"),
    ],
)
def test_what_cannot_be_a_facility_is_refused(standing: World, changes: dict[str, Any], field: str) -> None:
    size = len(store.leaves(standing))
    response = Caller.of(standing, "ADM").ask("POST", "/v1/facilities", WANTED | changes)
    assert response.status_code == 422 and is_problem(response) in ("request.invalid", "field.invalid")
    assert orjson.loads(response.data)["field"] == field
    assert facilities_of(standing) == [FACILITY]
    asked = [leaf for leaf in store.leaves(standing)[size:] if leaf["act"] == "facility.asked"]
    assert asked == []
