"""Terminals that wait for an administrator: what they may meanwhile, and what his word does."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.audit.verify import Broken
from backend.identity import terminals
from backend.storage import tables
from headless import proof
from headless.errors import Problem
from tests.support import store
from tests.support.caller import HOST, Caller, is_problem
from tests.support.hand import Hand
from tests.support.world import FACILITY, SECRET, World


def waiting(world: World, asset: str | None = None, **more: Any) -> Hand:
    """A terminal that has enrolled and waits."""
    return Hand(world, code=world.code(approved=False), asset=asset, **more)


def enrol_again(h: Hand, code: str) -> dict[str, Any]:
    return h.wire.ask(h.key, "POST", "/v1/terminals", {"code": code, "label": "by hand", "jwk": h.key.jwk})


def refused(h: Hand, method: str, path: str, body: Any = None) -> str:
    with pytest.raises(Problem) as problem:
        h.wire.ask(h.key, method, path, body)
    return problem.value.code


def state(world: World, h: Hand) -> str:
    found: str = store.one(world, tables.terminals, terminal=h.terminal).state
    return found


def acts(world: World, h: Hand) -> list[str]:
    return [leaf["act"] for leaf in store.leaves(world) if leaf.get("terminal") == h.terminal]


def test_who_waits_is_told_so_everywhere_but_at_enrolment(both: World) -> None:
    code = both.code(approved=False)
    h = Hand(both, code=code)
    told = enrol_again(h, code)
    assert (told["state"], told["terminal"]) == ("pending", h.terminal)
    h.device.boot = told["terminal"]
    caller = Caller(both, h.key, terminal=h.terminal)
    incarnation = caller.next_incarnation()
    for method, path, body in (
        ("POST", "/v1/sessions", {"number": "PAT", "secret": SECRET}),
        ("POST", "/v1/sync/outcomes", {"incarnation": 1, "numbers": [1]}),
        ("POST", "/v1/terminals/incarnations", incarnation),
        ("POST", "/v1/terminals/wiped", None),
    ):
        response = caller.ask(method, path, body)
        assert (response.status_code, is_problem(response)) == (403, "terminal.pending"), path
    h.officer = h.session = both.ids["PAT"]
    h.open()
    for response in (h.push(), h.evacuate()):
        assert (response.status_code, response.json()["code"]) == (403, "terminal.pending")
    assert state(both, h) == "pending" and store.rows(both, tables.operations, terminal=h.terminal) == []
    store.verified(both)


def test_approval_lets_it_in_and_the_same_request_tells_of_it(both: World) -> None:
    code = both.code(approved=False)
    h, admin = Hand(both, code=code), Caller.of(both, "ADM")
    for _ in range(2):
        assert admin.ask("POST", f"/v1/terminals/{h.terminal}/approve").status_code == 204
    told = enrol_again(h, code)
    assert (told["state"], told["terminal"], told["genesis"]) == ("active", h.terminal, h.genesis)
    h.signed_in("PAT").open()
    assert h.told()[0]["status"] == "applied"
    leaf = next(leaf for leaf in store.leaves(both) if leaf["act"] == "terminal.approved")
    assert (leaf["by"], leaf["key"]) == (both.ids["ADM"], proof.thumbprint(h.key.jwk))
    assert acts(both, h)[:2] == ["terminal.enrolled", "terminal.approved"]
    store.verified(both)


def test_refusal_is_for_good(both: World) -> None:
    code = both.code(approved=False)
    h, admin = Hand(both, code=code), Caller.of(both, "ADM")
    for _ in range(2):
        assert admin.ask("POST", f"/v1/terminals/{h.terminal}/refuse").status_code == 204
    assert refused(h, "POST", "/v1/sessions", {"number": "PAT", "secret": SECRET}) == "terminal.refused"
    body = {"code": code, "label": "by hand", "jwk": h.key.jwk}
    assert refused(h, "POST", "/v1/terminals", body) == "terminal.refused"
    assert refused(h, "POST", "/v1/terminals", body | {"code": both.code()}) == "code.invalid"
    response = admin.ask("POST", f"/v1/terminals/{h.terminal}/approve")
    assert (response.status_code, is_problem(response)) == (409, "terminal.not_pending")
    assert orjson.loads(response.data)["detail"] == {"state": "refused"}
    assert acts(both, h) == ["terminal.enrolled", "terminal.refused"]
    store.verified(both)


def test_the_administrator_sees_who_waits_by_the_fingerprint_that_the_device_shows(both: World) -> None:
    h, other = waiting(both, "资产-1"), Hand(both)
    admin = Caller.of(both, "ADM")
    told = orjson.loads(admin.ask("GET", "/v1/terminals?state=pending").data)
    thumbprint = proof.thumbprint(h.key.jwk)
    (entry,) = told["terminals"]
    assert told["after"] is None
    assert entry == {
        "id": h.terminal, "label": "by hand", "asset": "资产-1", "state": "pending", "incarnation": 1,
        "fingerprint": " ".join((thumbprint[:4], thumbprint[4:8], thumbprint[8:12], thumbprint[12:16])),
        "enrolled_at": "2026-11-22T03:14:15.123Z",
    }  # fmt: skip
    everyone = orjson.loads(admin.ask("GET", "/v1/terminals").data)["terminals"]
    assert {entry["id"] for entry in everyone} == {h.terminal, other.terminal, admin.terminal}, "not the server's own"


def test_pages_of_terminals_follow_each_other(standing: World) -> None:
    admin = Caller.of(standing, "ADM")
    made = [Hand(standing).terminal for _ in range(3)]
    seen, after = [], None
    for _ in range(20):
        query = {"limit": 1} | ({} if after is None else {"after": after})
        page = orjson.loads(admin.ask("GET", "/v1/terminals", query_string=query).data)
        seen += [entry["id"] for entry in page["terminals"]]
        after = page["after"]
        if after is None:
            break
    assert seen[-3:] == made and len(seen) == len(set(seen))
    for query, field in (({"after": "x"}, "after"), ({"limit": 0}, "limit"), ({"state": "mine"}, "state")):
        response = admin.ask("GET", "/v1/terminals", query_string=query)
        assert (response.status_code, orjson.loads(response.data)["field"]) == (422, field)


def test_an_asset_changes_hands_when_its_new_terminal_is_approved_and_not_before(both: World) -> None:
    old = Hand(both, asset="资产-7")
    new = waiting(both, "资产-7")
    assert (state(both, old), state(both, new)) == ("active", "pending")
    terminals.approve(both.services.door, FACILITY, new.terminal, "console")
    assert (state(both, old), state(both, new)) == ("closed", "active")
    third = waiting(both, "资产-7")
    terminals.refuse(both.services.door, FACILITY, third.terminal, "console")
    assert state(both, new) == "active"
    store.verified(both)


def test_one_that_waits_is_revoked_by_refusal_and_one_in_use_is_not_refused(standing: World) -> None:
    admin, h, used = Caller.of(standing, "ADM"), waiting(standing), Hand(standing)
    assert admin.ask("POST", f"/v1/terminals/{h.terminal}/revoke").status_code == 204
    assert state(standing, h) == "refused"
    response = admin.ask("POST", f"/v1/terminals/{used.terminal}/refuse")
    assert (response.status_code, is_problem(response)) == (409, "terminal.not_pending")
    assert state(standing, used) == "active"


def test_what_is_not_a_terminal_of_the_facility_is_not_there(both: World) -> None:
    admin = Caller.of(both, "ADM")
    server = store.one(both, tables.facilities).server
    for terminal in (server, both.ids["PAT"], "nobody"):
        for word in ("approve", "refuse"):
            response = admin.ask("POST", f"/v1/terminals/{terminal}/{word}")
            assert (response.status_code, is_problem(response)) == (404, "route.unknown")


def test_a_headless_terminal_shows_the_fingerprint_and_works_once_it_is_approved(both: World) -> None:
    admin = Caller.of(both, "ADM")
    pda = both.terminal(code=both.code(approved=False))
    (entry,) = orjson.loads(admin.ask("GET", "/v1/terminals?state=pending").data)["terminals"]
    assert entry["fingerprint"] == pda.fingerprint()
    with pytest.raises(Problem, match="terminal.pending"):
        pda.sign_in("PAT", SECRET)
    assert admin.ask("POST", f"/v1/terminals/{entry['id']}/approve").status_code == 204
    pda.sign_in("PAT", SECRET)
    pda.sync()
    assert both.ids["p1"] in {row["id"] for row in pda.rows("person")}


# The code


def test_the_administrator_s_code_waits_for_approval_unless_he_says_otherwise(both: World) -> None:
    admin = Caller.of(both, "ADM")
    for body, expected in (
        (None, "pending"),
        ({}, "pending"),
        ({"approved": False}, "pending"),
        ({"approved": True}, "active"),
    ):
        response = admin.ask("POST", "/v1/terminals/codes", body)
        told = orjson.loads(response.data)
        assert (response.status_code, told["approved"]) == (201, expected == "active")
        h = Hand(both, code=told["code"])
        assert state(both, h) == expected, body
    made = [
        leaf["approved"] for leaf in store.leaves(both) if leaf["act"] == "code.made" and leaf["by"] == both.ids["ADM"]
    ]
    assert made == [False, False, False, True]


@pytest.mark.parametrize(
    "body", [{"approved": "yes"}, {"approved": "true"}, {"approved": None}, {"approved": True, "by": "me"}, []]
)
def test_only_true_and_false_say_whether_a_code_waits(standing: World, body: Any) -> None:
    admin = Caller.of(standing, "ADM")
    before = len(store.rows(standing, tables.enrolment_codes))
    assert is_problem(admin.ask("POST", "/v1/terminals/codes", body)) in ("request.invalid", "request.malformed")
    assert len(store.rows(standing, tables.enrolment_codes)) == before


def test_a_body_of_another_type_is_refused_where_none_is_needed(standing: World) -> None:
    admin = Caller.of(standing, "ADM")
    for content_type in ("text/plain", None):
        response = admin.ask("POST", "/v1/terminals/codes", b'{"approved": true}', content_type=content_type)
        assert (response.status_code, is_problem(response)) == (415, "type.unsupported")


def test_a_code_comes_with_its_picture_and_a_link_into_the_app(standing: World) -> None:
    told = orjson.loads(Caller.of(standing, "ADM").ask("POST", "/v1/terminals/codes").data)
    assert told["uri"] == f"roundsman:enrol?server=http%3A%2F%2Flocalhost&code={told['code']}"
    assert told["link"] == f"{HOST}/app/enrol?code={told['code']}"
    assert told["qr"].startswith("<svg ") and "<script" not in told["qr"]


def test_a_host_that_no_picture_could_hold_makes_no_code(standing: World) -> None:
    admin, host = Caller.of(standing, "ADM"), "a" * 400
    before = len(store.rows(standing, tables.enrolment_codes))
    headers = admin.headers("POST", "/v1/terminals/codes") | {
        "DPoP": admin.dpop("POST", "/v1/terminals/codes", htu=f"http://{host}/v1/terminals/codes"),
        "Host": host,
    }
    response = admin.ask("POST", "/v1/terminals/codes", headers=headers)
    assert (response.status_code, is_problem(response)) == (400, "request.malformed")
    assert len(store.rows(standing, tables.enrolment_codes)) == before


# The console


def test_the_console_approves_and_refuses(both: World) -> None:
    runner = both.app.test_cli_runner()
    made = runner.invoke(args=["terminals", "code", FACILITY, "--approval"])
    assert made.exit_code == 0 and "waits for approval" in made.stderr
    first, second = Hand(both, code=made.stdout.strip()), waiting(both)
    listed = runner.invoke(args=["terminals", "list", FACILITY, "--state", "pending"]).output.splitlines()
    assert [line.split("\t")[:3] for line in listed] == [
        [h.terminal, "pending", terminals.fingerprint(proof.thumbprint(h.key.jwk))] for h in (first, second)
    ]
    for word, h in (("approve", first), ("refuse", second)):
        assert runner.invoke(args=["terminals", word, FACILITY, h.terminal]).exit_code == 0
    assert [state(both, h) for h in (first, second)] == ["active", "refused"]
    by = [leaf["by"] for leaf in store.leaves(both) if leaf["act"] in ("terminal.approved", "terminal.refused")]
    assert by == ["console", "console"]


def test_the_console_says_what_is_wrong_with_a_terminal_in_a_sentence(both: World) -> None:
    runner, used = both.app.test_cli_runner(), Hand(both)
    for words, said in (
        (("approve", "NONE", used.terminal), "there is no facility NONE"),
        (("approve", FACILITY, both.ids["PAT"]), "there is no such terminal"),
        (("refuse", FACILITY, used.terminal), "terminal.not_pending"),
        (("list", "NONE"), "there is no facility NONE"),
        (("code", FACILITY, "--qr"), "--server"),
        (("code", FACILITY, "--qr", "--server", "https://" + "a" * 400), "--server"),
    ):
        done = runner.invoke(args=["terminals", *words])
        assert done.exit_code == 1 and said in done.output and "Traceback" not in done.output, words


def test_a_device_cannot_write_on_the_administrator_s_screen(standing: World) -> None:
    h = Hand(standing, code=standing.code(approved=False), label="\x1b[2J\r\nPDA\u202e")
    line = next(
        line
        for line in standing.app.test_cli_runner().invoke(args=["terminals", "list", FACILITY]).output.split("\n")
        if line.startswith(h.terminal)
    )
    assert line.endswith("\t�[2J��PDA�")


def test_the_console_draws_the_code(standing: World) -> None:
    runner = standing.app.test_cli_runner()
    done = runner.invoke(args=["terminals", "code", FACILITY, "--qr", "--server", "https://roundsman.local:8000"])
    assert done.exit_code == 0 and "█" in done.stderr
    assert Hand(standing, code=done.stdout.strip()).terminal


def test_an_answer_to_a_terminal_that_waits_holds_what_it_needs_later(standing: World) -> None:
    key, code = proof.Key(proof.new_key()), standing.code(approved=False)
    caller = Caller(standing, key)
    response = caller.ask("POST", "/v1/terminals", {"code": code, "label": "PDA", "jwk": key.jwk})
    told = orjson.loads(response.data)
    assert (response.status_code, told["state"]) == (201, "pending")
    assert told["fingerprint"] == terminals.fingerprint(proof.thumbprint(key.jwk))
    assert proof.verify_head(told["head"], told["server_key"], FACILITY)


def test_whoever_lets_a_terminal_in_past_the_door_is_found_out(both: World) -> None:
    h = waiting(both)
    store.alter(both, tables.terminals, {"terminal": h.terminal}, state="active")
    with pytest.raises(Broken, match=r"said to be active, the log says pending"):
        store.verified(both)
