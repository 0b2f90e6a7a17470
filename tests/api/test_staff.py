"""Officers by their administrator: who is there, who is added, what is corrected; and never in another facility."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.domain.posts import Post
from backend.identity import facilities, officers
from backend.identity.officers import NewOfficer
from backend.kernel.ids import uuid7
from backend.storage import tables
from tests.support import store
from tests.support.caller import Caller, is_problem
from tests.support.hand import Hand
from tests.support.reader import Copy
from tests.support.world import CHEAP, FACILITY, SECRET, World

OTHER = "OTHER-2"
NEW = {"number": "200001", "name": "𠮷·新", "posts": ["PAT", "DISC"]}


def added(world: World, **changes: Any) -> dict[str, Any]:
    response = Caller.of(world, "ADM").ask("POST", "/v1/officers", NEW | changes)
    assert response.status_code == 201, response.data
    told: dict[str, Any] = orjson.loads(response.data)
    return told


def acts(world: World, *wanted: str) -> list[dict[str, Any]]:
    return [leaf for leaf in store.leaves(world) if leaf["act"] in wanted]


def test_who_is_added_gets_a_secret_once_and_must_change_it(both: World) -> None:
    told = added(both, places=[both.ids["V"], both.ids["V"]])
    officer = told["officer"]
    assert officer | {"id": ""} == {"id": "", "number": "200001", "name": "𠮷·新", "posts": ["PAT", "DISC"]}
    caller = Caller.of(both, "nobody")
    answer = orjson.loads(caller.sign_in("200001", told["secret"]).data)
    assert answer["must_change"] is True and answer["officer"] == officer
    row = store.one(both, tables.officers, number="200001")
    assert told["secret"] not in row.secret and row.temporary
    leaf = acts(both, "officer.added")[-1]
    assert (leaf["officer"], leaf["by"]) == (officer["id"], both.ids["ADM"])
    assert (leaf["posts"], leaf["places"]) == (["PAT", "DISC"], [both.ids["V"]])
    assert told["secret"] not in repr(store.leaves(both)) and "新" not in repr(store.leaves(both))
    store.verified(both)


def test_a_number_is_given_once(both: World) -> None:
    added(both)
    response = Caller.of(both, "ADM").ask("POST", "/v1/officers", NEW | {"name": "another"})
    assert (response.status_code, is_problem(response)) == (409, "officer.exists")
    assert len(acts(both, "officer.added")) == len(store.rows(both, tables.officers))


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"number": ""}, "request.invalid", "number"),
        ({"number": "1" * 33}, "request.invalid", "number"),
        ({"number": "20 01"}, "field.invalid", "number"),
        ({"number": "2001\n"}, "field.invalid", "number"),
        ({"number": 200001}, "request.invalid", "number"),
        ({"name": " x"}, "field.invalid", "name"),
        ({"name": "\x1b[2J"}, "field.invalid", "name"),
        ({"name": "x" * 81}, "request.invalid", "name"),
        ({"posts": []}, "request.invalid", "posts"),
        ({"posts": ["CASE"]}, "request.invalid", "posts.0"),
        ({"posts": ["KING"]}, "request.invalid", "posts.0"),
        ({"posts": ["PAT", "PAT"]}, "field.invalid", "posts"),
        ({"posts": "PAT"}, "request.invalid", "posts"),
        ({"places": ["W"]}, "request.invalid", "places.0"),
        ({"secret": "of my choice"}, "request.invalid", "secret"),
        ({"facility": OTHER}, "request.invalid", "facility"),
        ({"id": "01a2013f-4bd3-73ec-9309-6aaab7e48f67"}, "request.invalid", "id"),
        ({"temporary": False}, "request.invalid", "temporary"),
        ({"active": True}, "request.invalid", "active"),
    ],
)
def test_what_cannot_be_an_officer_is_refused(standing: World, changes: Any, code: str, field: str) -> None:
    before = len(store.rows(standing, tables.officers))
    response = Caller.of(standing, "ADM").ask("POST", "/v1/officers", NEW | changes)
    assert (response.status_code, is_problem(response)) == (422, code)
    assert orjson.loads(response.data)["field"] == field
    assert len(store.rows(standing, tables.officers)) == before


def test_only_places_that_there_are_can_be_given(standing: World) -> None:
    for place in (standing.ids["p1"], uuid7(standing.clock.now())):
        response = Caller.of(standing, "ADM").ask("POST", "/v1/officers", NEW | {"places": [place]})
        assert (response.status_code, is_problem(response)) == (422, "reference.unknown")
    assert store.rows(standing, tables.officers, number=NEW["number"]) == []


def test_the_list_shows_everyone_of_the_facility_by_pages(both: World) -> None:
    admin = Caller.of(both, "ADM")
    admin.ask("POST", f"/v1/officers/{both.ids['PAT']}/revoke")
    added(both)
    seen: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = orjson.loads(admin.ask("GET", "/v1/officers", query_string=query).data)
        seen += page["officers"]
        if page["after"] is None:
            break
        query["after"] = page["after"]
    rows = store.rows(both, tables.officers)
    assert [each["number"] for each in seen] == sorted(row.number for row in rows)
    told = {each["number"]: each for each in seen}
    assert told["PAT"]["revoked_at"] == "2026-11-22T03:14:15.123Z" and told["LEAD"]["revoked_at"] is None
    assert (told["200001"]["temporary"], told["LEAD"]["temporary"]) == (True, False)
    assert not any("secret" in each for each in seen)


def test_other_posts_count_from_the_next_request_on(both: World) -> None:
    caller, admin = Caller.of(both, "PAT"), Caller.of(both, "ADM")
    assert is_problem(caller.ask("GET", "/v1/audit/terminals")) == "role.forbidden"
    for _ in range(2):
        assert admin.ask("PATCH", f"/v1/officers/{both.ids['PAT']}", {"posts": ["LEAD"]}).status_code == 204
    assert caller.ask("GET", "/v1/audit/terminals").status_code == 200
    assert both.ids["p4"] in Copy.of(both, "PAT").pull().rows
    (leaf,) = acts(both, "officer.posted")
    assert (leaf["officer"], leaf["posts"], leaf["by"]) == (both.ids["PAT"], ["LEAD"], both.ids["ADM"])
    store.verified(both)


def test_a_name_is_corrected_and_stands_in_what_he_writes_from_then_on(both: World) -> None:
    admin, pat = Caller.of(both, "ADM"), both.ids["PAT"]
    for _ in range(2):
        assert admin.ask("PATCH", f"/v1/officers/{pat}", {"name": "𠮷某"}).status_code == 204
    h = Hand(both).signed_in("PAT")
    round_, _ = h.open()
    h.told()
    assert Copy.of(both, "PAT").pull().rows[round_]["author"]["name"] == "𠮷某"
    assert [(leaf["officer"], leaf["by"]) for leaf in acts(both, "officer.renamed")] == [(pat, both.ids["ADM"])]


@pytest.mark.parametrize(
    "body", [{"number": "1"}, {"secret": "a new secret"}, {"posts": ["CASE"]}, {"name": ""}, {"officer": "x"}]
)
def test_nothing_else_of_an_officer_is_changed(standing: World, body: Any) -> None:
    before = store.one(standing, tables.officers, number="DISC")
    response = Caller.of(standing, "ADM").ask("PATCH", f"/v1/officers/{standing.ids['DISC']}", body)
    assert (response.status_code, is_problem(response)) == (422, "request.invalid")
    assert store.one(standing, tables.officers, number="DISC") == before


def test_a_reset_ends_sessions_and_the_old_secret(both: World) -> None:
    caller, admin = Caller.of(both, "PAT"), Caller.of(both, "ADM")
    both.clock.advance(1000)
    answer = admin.ask("POST", f"/v1/officers/{both.ids['PAT']}/secret")
    secret = orjson.loads(answer.data)["secret"]
    assert answer.status_code == 200
    assert is_problem(caller.ask("POST", "/v1/sync/pull", {"partitions": {}, "limit": 1})) == "session.expired"
    assert is_problem(caller.sign_in("PAT", SECRET)) == "session.refused"
    assert orjson.loads(caller.sign_in("PAT", secret).data)["must_change"] is True
    assert [leaf["by"] for leaf in acts(both, "secret.reset")] == [both.ids["ADM"]]


def test_who_is_revoked_stays_so(both: World) -> None:
    admin, path = Caller.of(both, "ADM"), f"/v1/officers/{both.ids['PAT']}"
    admin.ask("POST", f"{path}/revoke")
    for method, end, body in (
        ("PATCH", "", {"posts": ["ADM"]}),
        ("PATCH", "", {"name": "another"}),
        ("POST", "/assignments", {"place": both.ids["V"]}),
    ):
        response = admin.ask(method, path + end, body)
        assert (response.status_code, is_problem(response)) == (422, "record.state"), end
    assert is_problem(admin.ask("POST", f"{path}/secret")) == "route.unknown"
    row = store.one(both, tables.officers, number="PAT")
    assert (row.active, row.posts, row.name) == (False, "PAT", "officer PAT")


def test_an_administrator_has_no_part_in_another_facility(both: World) -> None:
    door, theirs = both.services.door, uuid7(both.clock.now())
    facilities.found(door, OTHER, "另一看守所", "JLS", both.services.keyring.head)
    officers.add(door, OTHER, [NewOfficer(theirs, "9", "theirs", (Post.PAT,), SECRET)], CHEAP)
    size = store.one(both, tables.facilities, facility=OTHER).size
    admin = Caller.of(both, "ADM")
    for method, end, body in (
        ("PATCH", "", {"name": "mine"}),
        ("POST", "/secret", None),
        ("POST", "/revoke", None),
        ("GET", "/assignments", None),
        ("POST", "/assignments", {"place": both.ids["V"]}),
        ("DELETE", f"/assignments/{both.ids['V']}", None),
    ):
        response = admin.ask(method, f"/v1/officers/{theirs}{end}", body)
        assert (response.status_code, is_problem(response)) == (404, "route.unknown"), end
    server = store.one(both, tables.facilities, facility=OTHER).server
    for word in ("approve", "refuse", "revoke"):
        assert is_problem(admin.ask("POST", f"/v1/terminals/{server}/{word}")) == "route.unknown"
    assert theirs not in admin.ask("GET", "/v1/officers").text and server not in admin.ask("GET", "/v1/terminals").text
    assert store.one(both, tables.facilities, facility=OTHER).size == size, "not a leaf in their log"


def test_a_proof_for_an_act_of_an_administrator_is_good_once(both: World) -> None:
    admin = Caller.of(both, "ADM")
    path = f"/v1/officers/{both.ids['PAT']}/secret"
    headers = admin.headers("POST", path)
    assert admin.ask("POST", path, headers=headers).status_code == 200
    again = admin.ask("POST", path, headers=headers)
    assert (again.status_code, is_problem(again)) == (401, "proof.replayed")


# The console


def test_the_console_adds_corrects_and_resets(both: World) -> None:
    runner = both.app.test_cli_runner()

    def run(*words: str) -> str:
        done = runner.invoke(args=["officers", *words])
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    first = run("add", FACILITY, "200001", "--name", "新", "--post", "PAT", "--post", "AUX", "--place", both.ids["V"])
    assert orjson.loads(Caller.of(both, "nobody").sign_in("200001", first).data)["must_change"]
    run("change", FACILITY, "200001", "--name", "改", "--post", "DISC")
    row = store.one(both, tables.officers, number="200001")
    assert (row.name, row.posts) == ("改", "DISC")
    second = run("reset", FACILITY, "200001")
    caller = Caller.of(both, "nobody")
    assert is_problem(caller.sign_in("200001", first)) == "session.refused"
    assert caller.sign_in("200001", second).status_code == 201
    done = acts(both, "officer.added", "officer.renamed", "officer.posted", "secret.reset")
    assert [leaf["act"] for leaf in done if leaf["officer"] == row.officer] == [
        "officer.added", "officer.renamed", "officer.posted", "secret.reset",
    ]  # fmt: skip
    assert {leaf["by"] for leaf in done} == {"console"}


def test_the_console_says_what_is_wrong_with_an_officer_in_a_sentence(both: World) -> None:
    runner = both.app.test_cli_runner()
    for words, said, code in (
        (("add", "NONE", "1", "--name", "x", "--post", "PAT"), "there is no facility NONE", 1),
        (("add", FACILITY, "PAT", "--name", "x", "--post", "PAT"), "officer.exists", 1),
        (("add", FACILITY, "a b", "--name", "x", "--post", "PAT"), "field.invalid", 1),
        (("add", FACILITY, "1", "--name", "x", "--post", "CASE"), "CASE", 2),
        (("add", FACILITY, "1", "--name", "x", "--post", "PAT", "--place", "W"), "reference.unknown", 1),
        (("change", FACILITY, "NOBODY", "--name", "x"), "there is no officer NOBODY", 1),
        (("reset", FACILITY, "NOBODY"), "there is no officer NOBODY", 1),
        (("assign", FACILITY, "PAT", both.ids["V"], "--until", "tomorrow"), "a time is written like", 2),
    ):
        done = runner.invoke(args=["officers", *words])
        assert done.exit_code == code and said in done.output and "Traceback" not in done.output, words
