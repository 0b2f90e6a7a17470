"""Bodies that are wrong in every way: always a problem of the closed set in both languages, never a fault."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from backend.kernel.framing import MAX_BODY, MAX_OPERATIONS
from headless.chain import b64u, frames
from headless.proof import Key, new_key
from tests.support import store
from tests.support.caller import NOBODY, Caller, is_problem, push_of
from tests.support.hand import FRAMES, Hand
from tests.support.world import SECRET, World

JWK = Key(new_key()).jwk
ROUTES: dict[str, tuple[str, dict[str, Any]]] = {
    "/v1/terminals": (NOBODY, {"code": "7Q2M-K8ZD-41XT", "label": "PDA-07", "jwk": JWK}),
    "/v1/terminals/incarnations": (NOBODY, {"jwk": JWK, "proof": "x", "reason": "fork"}),
    "/v1/sync/outcomes": (NOBODY, {"incarnation": 1, "numbers": [1]}),
    "/v1/sessions": (NOBODY, {"number": "PAT", "secret": SECRET}),
    "/v1/sync/pull": ("PAT", {"partitions": {}, "limit": 1}),
}
PARTITION = "place/019aa1f0-7c00-7000-8000-000000000001/base"


def told(response: Any) -> tuple[int, str]:
    return response.status_code, is_problem(response)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("body", [
    b"", b"{", b"not JSON", b"\xff\xfe", b"[]", b"null", b'"text"', b"17", b'{"a":' + b"[" * 50_000, b'{"a":NaN}', b'{"a":1.5}',
    b'{"number":"PAT","number":"PAT2","secret":"x"}', b'{"a":"\\u0000"}', b'{"a":"\\ud800"}', b'\xef\xbb\xbf{"a":1}',
], ids=lambda value: str(value)[:24])  # fmt: skip
def test_a_body_that_nobody_can_read_alike_is_malformed(standing: World, path: str, body: bytes) -> None:
    caller = Caller.of(standing, ROUTES[path][0])
    assert told(caller.ask("POST", path, body)) == (400, "request.malformed")
    assert told(caller.ask("POST", path, b"{}")) == (422, "request.invalid")


WRONG: list[Any] = [
    None,
    True,
    1,
    1.5,
    -1,
    2**70,
    "",
    [],
    {},
    [[]],
    {"a": 1},
    "x" * 200,
    "a\0b",
    "a\ud800b",
    "\x7f",
    "𠮷",
]


@pytest.mark.parametrize("path", ROUTES)
def test_a_value_of_the_wrong_type_is_a_problem_of_its_field(shared: World, path: str) -> None:
    """Not one of these is stored, and none upsets either database. Texts that may be are answered otherwise."""
    name, right = ROUTES[path]
    caller = Caller.of(shared, name)
    for field in right:
        for value in WRONG:
            raw = json.dumps(right | {field: value}).encode()
            response = caller.ask("POST", path, raw)
            if response.status_code < 300:
                assert (field, value) in ACCEPTED, (field, value)
                continue
            code = is_problem(response)
            said = orjson.loads(response.data)
            if code == "request.invalid":
                assert {error["field"].split(".")[0] for error in said["errors"]} == {field}, (field, value)
            else:
                assert code in ("request.malformed", "session.refused", "code.invalid", "proof.invalid"), (field, value)
        missing = caller.ask("POST", path, {key: value for key, value in right.items() if key != field})
        assert told(missing) == (422, "request.invalid")
        assert orjson.loads(missing.data)["errors"][0]["code"] == "field.missing"


ACCEPTED: list[tuple[str, Any]] = [("partitions", {}), ("limit", 1), ("incarnation", 1), ("numbers", [])]


@pytest.mark.parametrize("path", ROUTES)
def test_an_unknown_field_is_named_and_changes_nothing(standing: World, path: str) -> None:
    name, right = ROUTES[path]
    response = Caller.of(standing, name).ask("POST", path, right | {"admin": True, "管": 1})
    assert told(response) == (422, "request.invalid")
    said = orjson.loads(response.data)
    assert {(error["field"], error["code"]) for error in said["errors"]} == {
        ("admin", "field.unknown"), ("管", "field.unknown"),
    }  # fmt: skip


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "", FRAMES])
def test_another_content_type_is_refused(standing: World, path: str, kind: str) -> None:
    name, right = ROUTES[path]
    response = Caller.of(standing, name).ask("POST", path, right, content_type=kind)
    assert told(response) == (415, "type.unsupported")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON"])
def test_json_may_be_spelled_as_clients_do(standing: World, kind: str) -> None:
    assert (
        Caller.of(standing, NOBODY)
        .ask("POST", "/v1/sessions", ROUTES["/v1/sessions"][1], content_type=kind)
        .status_code
        == 201
    )


@pytest.mark.parametrize("path", [*ROUTES, "/v1/sync/push", "/v1/sync/evacuate"])
def test_a_huge_body_is_refused_unread(standing: World, path: str) -> None:
    name = "PAT" if path.endswith("pull") else NOBODY
    caller = Caller.of(standing, name)
    kind = FRAMES if path.endswith(("push", "evacuate")) else "application/json"
    response = caller.ask("POST", path, b" " * (MAX_BODY + 1), content_type=kind)
    assert told(response) == (413, "batch.too_large" if kind == FRAMES else "body.too_large")


@pytest.mark.parametrize("field", ["partitions"])
@pytest.mark.parametrize("cursors", [
    {"": 1}, {"x": 1}, {PARTITION + "/": 1}, {PARTITION.upper(): 1}, {PARTITION + "\n": 1}, {"ward" + PARTITION[5:]: 1},
    {PARTITION: -1}, {PARTITION: 1.0}, {PARTITION: "1"}, {PARTITION: True}, {PARTITION: None}, {PARTITION: 2**53},
    {PARTITION + "\0": 1}, {f"place/{'-' * 36}/{'b' * 17}": 1}, [PARTITION], {"../../etc": 0},
], ids=lambda value: str(value)[:40])  # fmt: skip
def test_cursors_that_cannot_be_are_refused(standing: World, field: str, cursors: Any) -> None:
    response = Caller.of(standing, "PAT").ask("POST", "/v1/sync/pull", {field: cursors, "limit": 1})
    assert told(response)[0] in (400, 422)


@pytest.mark.parametrize("limit", [0, -1, 2001, "1", 1.0, None])
def test_a_page_has_between_one_and_two_thousand_rows(standing: World, limit: Any) -> None:
    caller = Caller.of(standing, "PAT")
    assert told(caller.ask("POST", "/v1/sync/pull", {"partitions": {}, "limit": limit})) in [
        (422, "request.invalid"), (400, "request.malformed"),
    ]  # fmt: skip
    for allowed in (1, 2000):
        assert caller.ask("POST", "/v1/sync/pull", {"partitions": {}, "limit": allowed}).status_code == 200


@pytest.mark.parametrize("method, path, expected", [
    ("GET", "/", (404, "route.unknown")),
    ("GET", "/v1", (404, "route.unknown")),
    ("GET", "/v1/nothing", (404, "route.unknown")),
    ("GET", "/v1/kinds/", (404, "route.unknown")),
    ("GET", "/../etc/passwd", (404, "route.unknown")),
    ("GET", "/%00", (404, "route.unknown")),
    ("GET", "/%ff%fe", (404, "route.unknown")),
    ("GET", "/" + "a" * 5000, (404, "route.unknown")),
    ("GET", "/v1/sync/push", (405, "method.not_allowed")),
    ("PUT", "/v1/sessions", (405, "method.not_allowed")),
    ("POST", "/healthz", (405, "method.not_allowed")),
    ("DELETE", "/v1/kinds", (405, "method.not_allowed")),
    ("PATCH", "/v1/terminals", (405, "method.not_allowed")),
    ("BREW", "/v1/kinds", (405, "method.not_allowed")),
    ("BREW", "/coffee", (404, "route.unknown")),
])  # fmt: skip
def test_an_unknown_address_or_method_is_a_problem(
    standing: World, method: str, path: str, expected: tuple[int, str]
) -> None:
    response = Caller(standing).ask(method, path, headers={})
    assert told(response) == expected
    assert (response.status_code == 405) == ("Allow" in response.headers)


@pytest.mark.parametrize("kind", ["application/json", "application/octet-stream", "text/plain", ""])
def test_a_push_of_another_content_type_is_refused(standing: World, kind: str) -> None:
    body, headers = push_of(standing)
    response = Caller(standing).ask("POST", "/v1/sync/push", body, headers | {"Content-Type": kind}, content_type=kind)
    assert told(response) == (415, "type.unsupported")


def test_a_push_body_that_is_no_row_of_frames_is_malformed(standing: World) -> None:
    body, headers = push_of(standing)
    for wrong, at in ((b"", 0), (b"x", 0), (body[:-1], 0), (body + b"\n", len(body)), (body + body, len(body))):
        response = Caller(standing).ask("POST", "/v1/sync/push", wrong, headers, content_type=FRAMES)
        assert told(response) == (400, "frame.malformed")
        assert orjson.loads(response.data)["detail"] == {"at": at}


@pytest.mark.parametrize("claims", [
    {"count": 2}, {"first": 2}, {"last": b64u(bytes(32))}, {"prior": b64u(bytes(32))}, {"captured": 0},
    {"facility": "OTHER"}, {"facility": 7}, {"incarnation": "1"}, {"prior": "AA"},
], ids=str)  # fmt: skip
def test_a_push_proof_that_does_not_describe_its_body_is_not_valid(shared: World, claims: dict[str, Any]) -> None:
    hand = Hand(shared).signed_in("PAT")
    hand.open()
    response = hand.push(**claims)
    assert (response.status_code, response.json()["code"]) == (401, "proof.invalid")
    assert store.rows(shared, store.tables.operations, terminal=hand.terminal) == []
    assert hand.told()[0]["status"] == "applied"


def test_a_push_proof_of_another_key_or_none_is_not_valid(shared: World) -> None:
    hand = Hand(shared).signed_in("PAT")
    hand.open()
    right = hand.key.push(hand.claims())
    stranger = Key(new_key())
    caller, body = Caller(shared), frames(hand.frames)
    kid = {"typ": "roundsman-push+jwt", "kid": hand.terminal}
    proofs: list[tuple[str | None, str]] = [
        (None, "proof.missing"),
        ("", "proof.missing"),
        ("x", "proof.invalid"),
        (right[:-1], "proof.invalid"),
        ("a" * 9000, "proof.invalid"),
        (stranger.push(hand.claims()), "proof.invalid"),
        (hand.key._sign(hand.claims(), kid | {"typ": "dpop+jwt"}), "proof.invalid"),
        (hand.key._sign(hand.claims(), kid | {"crit": ["x"]}), "proof.invalid"),
        (hand.key._sign(hand.claims(), kid | {"kid": "019aa1f0-7c00-7000-8000-000000000001"}), "terminal.unknown"),
        (hand.key._sign(hand.claims() | {"terminal": "019aa1f0-7c00-7000-8000-000000000001"}, kid), "proof.invalid"),
        (hand.key._sign(hand.claims(), kid | {"kid": "a\0b"}), "proof.invalid"),
        (hand.key._sign(hand.claims(), kid | {"kid": "x" * 3000}), "proof.invalid"),
        (hand.key._sign(hand.claims(), {"typ": "roundsman-push+jwt"}), "proof.invalid"),
    ]
    for proof, code in proofs:
        headers = {} if proof is None else {"Roundsman-Proof": proof}
        response = caller.ask("POST", "/v1/sync/push", body, headers, content_type=FRAMES)
        assert told(response) == (401, code), proof
    assert store.rows(shared, store.tables.operations, terminal=hand.terminal) == []


def test_more_operations_than_a_push_may_have_are_refused_whole(standing: World) -> None:
    hand = Hand(standing).signed_in("PAT")
    for _ in range(MAX_OPERATIONS + 1):
        hand.put(b"{}")
    refused = hand.push()
    assert (refused.status_code, refused.json()["code"]) == (413, "batch.too_large")
    assert refused.json()["detail"] == {"limit": MAX_OPERATIONS}
    assert len(hand.told(1, MAX_OPERATIONS)) == MAX_OPERATIONS


def test_a_body_that_ends_early_applies_nothing(standing: World) -> None:
    hand = Hand(standing).signed_in("PAT")
    hand.open()
    hand.open()
    whole = frames(hand.frames)
    headers = {"Roundsman-Proof": hand.key.push(hand.claims())}
    for cut in (1, len(frames(hand.frames[:1])), len(whole) - 1):
        with standing.app.test_client() as client:
            response = client.post(
                "/v1/sync/push", data=whole[:cut], headers=headers, content_type=FRAMES,
                environ_overrides={"CONTENT_LENGTH": str(len(whole))},
            )  # fmt: skip
        assert told(response) in [(400, "request.malformed"), (400, "frame.malformed"), (401, "proof.invalid")]
    assert store.rows(standing, store.tables.operations, terminal=hand.terminal) == []
    assert len(hand.told()) == 2
