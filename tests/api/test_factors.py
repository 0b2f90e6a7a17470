"""Second factors: added with the secret, never shown again, removed by their officer or an administrator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import orjson
import pyotp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from backend.identity.passkeys import Party
from backend.kernel.ids import b64, unb64
from backend.storage import tables
from headless.chain import uuid7
from mobile_api.factors import party
from mobile_api.services import EXTENSION
from tests.support import store
from tests.support.authenticator import PRESENT, Authenticator
from tests.support.caller import Caller, is_problem
from tests.support.confirming import add_key, by_caller, code_of
from tests.support.world import FACILITY, SECRET, World


@dataclass
class Him:
    """An officer who asks, at a terminal of his own."""

    world: World
    name: str = "INT"

    def __post_init__(self) -> None:
        self.caller = Caller.of(self.world, self.name)

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return by_caller(self.caller)(method, f"/v1/factors{path}", body)

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        response = self.caller.ask(method, f"/v1/factors{path}", body)
        return response.status_code, is_problem(response)

    def offered(self, sort: str) -> dict[str, Any]:
        return self.ask("POST", "/totp" if sort == "totp" else "/webauthn/options", {"secret": SECRET})

    def had(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", "")["factors"]
        return found


def acts(world: World, *wanted: str) -> list[tuple[str, str]]:
    return [(leaf["act"], leaf["officer"]) for leaf in store.leaves(world) if leaf["act"] in wanted]


def test_a_key_is_added_listed_and_removed(both: World) -> None:
    him, who = Him(both), both.ids["INT"]
    options = him.offered("webauthn")["options"]
    assert options["rp"]["id"] == "localhost" and unb64(options["user"]["id"]) == who.encode()
    add_key(by_caller(him.caller))
    (factor,) = him.had()
    assert (factor["sort"], factor["label"], factor["used_at"]) == ("webauthn", "钥匙", None)
    assert set(factor) == {"factor", "sort", "label", "added_at", "used_at"}
    again = him.offered("webauthn")["options"]
    kept = store.one(both, tables.factors, factor=factor["factor"])
    assert [each["id"] for each in again["excludeCredentials"]] == [kept.credential]
    assert him.caller.ask("DELETE", f"/v1/factors/{factor['factor']}").status_code == 204
    assert him.had() == []
    wanted = ("factor.begun", "factor.added", "factor.removed")
    assert acts(both, *wanted) == [(each, who) for each in (*wanted[:1] * 2, wanted[1], wanted[0], wanted[2])]
    store.verified(both)


def test_codes_are_added_by_a_right_code_and_the_secret_is_shown_once(both: World) -> None:
    him = Him(both)
    offered = him.offered("totp")
    parsed = pyotp.parse_uri(offered["uri"])
    assert isinstance(parsed, pyotp.TOTP) and parsed.secret == offered["secret"]
    assert (parsed.name, parsed.issuer) == ("INT", f"Roundsman {FACILITY}")
    assert offered["qr"].startswith("<svg") and "script" not in offered["qr"]
    answer = {"challenge": offered["challenge"], "label": "手机"}
    code = code_of(both, offered["secret"])
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    assert him.refused("POST", "/totp/activate", answer | {"code": wrong}) == (403, "factor.refused")
    assert him.ask("POST", "/totp/activate", answer | {"code": code})["sort"] == "totp"
    assert him.refused("POST", "/totp/activate", answer | {"code": code}) == (403, "factor.refused")
    assert len(acts(both, "factor.refused")) == 1, "the wrong code; the other came to no challenge"
    assert offered["secret"] not in orjson.dumps(him.had()).decode()
    kept = store.one(both, tables.factors, officer=both.ids["INT"])
    for secret in (offered["secret"].encode(), pyotp.TOTP(offered["secret"]).byte_secret()):
        assert secret not in kept.key and secret not in orjson.dumps(store.leaves(both))
    assert offered["secret"].encode() not in b"".join(row.body for row in store.rows(both, tables.challenges))


@pytest.mark.parametrize("path", ["/totp", "/webauthn/options"])
def test_the_secret_is_wanted_again_and_guessing_it_is_counted(small: World, path: str) -> None:
    him = Him(small)
    for _ in range(5):
        assert him.refused("POST", path, {"secret": "a wrong one"}) == (422, "secret.wrong")
    assert him.refused("POST", path, {"secret": SECRET}) == (429, "sign_in.locked")
    assert store.rows(small, tables.challenges) == []
    small.clock.advance(15 * 60_000)
    him.ask("POST", path, {"secret": SECRET})


def test_a_challenge_is_for_one_officer_terminal_purpose_and_time(small: World) -> None:
    him, other = Him(small), Him(small)
    offered, made = him.offered("webauthn"), Authenticator()
    body = {"challenge": offered["challenge"], "label": "x", "credential": made.create(offered["options"])}
    assert other.refused("POST", "/webauthn", body) == (403, "factor.refused")
    assert Him(small, "LEAD").refused("POST", "/webauthn", body) == (403, "factor.refused")
    assert him.refused("POST", "/webauthn", body | {"challenge": uuid7()}) == (403, "factor.refused")
    codes = him.offered("totp")["challenge"]
    assert him.refused("POST", "/webauthn", body | {"challenge": codes}) == (403, "factor.refused")
    small.clock.advance(10 * 60_000)
    assert him.refused("POST", "/webauthn", body) == (403, "factor.refused")
    assert him.had() == []


def test_an_answer_that_was_refused_is_not_tried_again(small: World) -> None:
    him, made = Him(small), Authenticator(origin="https://elsewhere.example")
    offered = him.offered("webauthn")
    body = {"challenge": offered["challenge"], "label": "x", "credential": made.create(offered["options"])}
    assert him.refused("POST", "/webauthn", body) == (403, "factor.refused")
    made.origin = "http://localhost"
    assert acts(small, "factor.refused") == [("factor.refused", small.ids["INT"])]
    right = body | {"credential": made.create(offered["options"])}
    assert him.refused("POST", "/webauthn", right) == (403, "factor.refused")


def without(credential: dict[str, Any], *path: str) -> dict[str, Any]:
    inner = credential if len(path) == 1 else credential["response"]
    inner.pop(path[-1])
    return credential


@pytest.mark.parametrize("spoil", [
    lambda made, options: {},
    lambda made, options: {"id": 1, "rawId": [], "type": None, "response": "x"},
    lambda made, options: without(made.create(options), "response"),
    lambda made, options: without(made.create(options), "response", "attestationObject"),
    lambda made, options: made.create(options) | {"type": "password"},
    lambda made, options: made.create(options) | {"id": "another"},
    lambda made, options: made.create(options | {"rp": {"id": "elsewhere.example"}}),
    lambda made, options: made.create(options | {"challenge": b64(bytes(32))}),
    lambda made, options: made.get({"rpId": "localhost", "challenge": options["challenge"]}),
    lambda made, options: Authenticator(flags=0).create(options),
    lambda made, options: made.create(options) | {"padding": "x" * 20_000},
    lambda made, options: made.create(options) | {"response": {
        "clientDataJSON": made.create(options)["response"]["clientDataJSON"],
        "attestationObject": b64(b"\x9f" * 500)}},
])  # fmt: skip
def test_what_is_no_key_is_refused_and_never_a_fault(standing: World, spoil: Any) -> None:
    him = Him(standing, "MED")
    offered, had = him.offered("webauthn"), len(him.had())
    answer = {"challenge": offered["challenge"], "label": "x", "credential": spoil(Authenticator(), offered["options"])}
    assert him.refused("POST", "/webauthn", answer) == (403, "factor.refused")
    assert len(him.had()) == had


def test_a_key_that_wants_no_more_than_a_touch_will_do(small: World) -> None:
    him = Him(small)
    add_key(by_caller(him.caller), Authenticator(flags=PRESENT, counts=False))
    assert len(him.had()) == 1


def test_one_key_is_one_officer_s(both: World) -> None:
    """A key that a colleague lends is no second factor of one's own."""
    key = ec.generate_private_key(ec.SECP256R1())
    first, second = Him(both), Him(both, "LEAD")
    add_key(by_caller(first.caller), Authenticator(key=key))
    offered = second.offered("webauthn")
    answer = {"challenge": offered["challenge"], "label": "x"}
    borrowed = answer | {"credential": Authenticator(key=key).create(offered["options"])}
    assert second.refused("POST", "/webauthn", borrowed) == (403, "factor.refused")
    assert second.had() == [] and len(first.had()) == 1


def test_there_are_eight_at_most(small: World) -> None:
    him = Him(small)
    for _ in range(8):
        add_key(by_caller(him.caller))
    for path in ("/totp", "/webauthn/options"):
        assert him.refused("POST", path, {"secret": SECRET}) == (409, "factor.full")


def test_a_lost_one_is_removed_by_an_administrator_and_by_nobody_else(both: World) -> None:
    him, other, admin = Him(both), Him(both, "LEAD"), Him(both, "ADM")
    add_key(by_caller(him.caller))
    (factor,) = him.had()
    path = f"/{factor['factor']}"
    assert other.refused("DELETE", path) == (404, "route.unknown")
    seen = admin.caller.ask("GET", "/v1/factors", query_string={"officer": both.ids["INT"]})
    assert orjson.loads(seen.data)["factors"] == [factor]
    refused = other.caller.ask("GET", "/v1/factors", query_string={"officer": both.ids["INT"]})
    assert (refused.status_code, is_problem(refused)) == (403, "role.forbidden")
    assert admin.caller.ask("DELETE", f"/v1/factors{path}").status_code == 204
    assert admin.refused("DELETE", path) == (404, "route.unknown")
    assert him.had() == []
    gone = [leaf for leaf in store.leaves(both) if leaf["act"] == "factor.removed"]
    assert [(leaf["officer"], leaf["by"]) for leaf in gone] == [(both.ids["INT"], both.ids["ADM"])]


def test_the_console_lists_them_and_takes_a_lost_one_away(both: World) -> None:
    him, runner = Him(both), both.app.test_cli_runner()

    def run(*words: str) -> list[str]:
        done = runner.invoke(args=["officers", *words])
        assert done.exit_code == 0, done.output
        return done.stdout.splitlines()

    assert run("factors", FACILITY, "INT") == []
    add_key(by_caller(him.caller))
    offered = him.offered("totp")
    said = {"challenge": offered["challenge"], "label": "手机\n\t\x1b[2J𠮷", "code": code_of(both, offered["secret"])}
    him.ask("POST", "/totp/activate", said)
    key, codes = him.had()
    assert run("factors", FACILITY, "INT") == [
        "\t".join([key["factor"], "webauthn", key["added_at"], "-", "钥匙"]),
        "\t".join([codes["factor"], "totp", codes["added_at"], "-", "手机\ufffd\ufffd\ufffd[2J𠮷"]),
    ]
    run("forget-factor", FACILITY, "INT", key["factor"])
    assert him.had() == [codes]
    assert [line.split("\t")[0] for line in run("factors", FACILITY, "INT")] == [codes["factor"]]
    gone = [leaf for leaf in store.leaves(both) if leaf["act"] == "factor.removed"]
    assert [(leaf["officer"], leaf["factor"], leaf["by"]) for leaf in gone] == [
        (both.ids["INT"], key["factor"], "console")
    ]
    store.verified(both)


def test_the_console_says_in_a_sentence_which_factor_there_is_not(both: World) -> None:
    him, runner = Him(both), both.app.test_cli_runner()
    add_key(by_caller(him.caller))
    (factor,) = him.had()
    mine = factor["factor"]
    for words, said in (
        (("factors", "NONE", "INT"), "there is no officer INT in NONE"),
        (("factors", FACILITY, "NOBODY"), f"there is no officer NOBODY in {FACILITY}"),
        (("forget-factor", "NONE", "INT", mine), "there is no officer INT in NONE"),
        (("forget-factor", FACILITY, "NOBODY", mine), f"there is no officer NOBODY in {FACILITY}"),
        (("forget-factor", FACILITY, "LEAD", mine), f"LEAD has no second factor {mine}"),
        (("forget-factor", FACILITY, "INT", uuid7()), "INT has no second factor"),
        (("forget-factor", FACILITY, "INT", "%"), "INT has no second factor %"),
    ):
        done = runner.invoke(args=["officers", *words])
        assert done.exit_code == 1 and done.stdout == "", words
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"Error: {said}"), words
    assert him.had() == [factor]
    assert not [leaf for leaf in store.leaves(both) if leaf["act"] == "factor.removed"]


@pytest.mark.parametrize("method, path, body", [
    ("POST", "/totp", {"secret": ""}),
    ("POST", "/totp", {"secret": SECRET, "officer": "x"}),
    ("POST", "/webauthn", {"challenge": "x", "label": "x", "credential": {}}),
    ("POST", "/webauthn", {"challenge": uuid7(), "label": "x" * 41, "credential": {}}),
    ("POST", "/webauthn", {"challenge": uuid7(), "label": "x", "credential": []}),
    ("POST", "/totp/activate", {"challenge": uuid7(), "label": "x", "code": 123456}),
    ("POST", "/totp/activate", {"challenge": uuid7(), "label": "x", "code": "1234567"}),
])  # fmt: skip
def test_wrong_bodies_are_refused(standing: World, method: str, path: str, body: Any) -> None:
    assert Him(standing).refused(method, path, body) == (422, "request.invalid")


def test_a_code_of_other_signs_is_refused_and_never_a_fault(small: World) -> None:
    him = Him(small)
    answer = {"challenge": him.offered("totp")["challenge"], "label": "x"}
    for code in ("١٢٣٤٥٦", "12345𠮷", "      "):
        assert him.refused("POST", "/totp/activate", answer | {"code": code}) == (403, "factor.refused")


def test_keys_answer_the_name_by_which_the_server_is_called(small: World) -> None:
    """The origin that was configured, whatever host a request names; else that host, without its port."""
    with small.app.test_request_context("/v1/factors", base_url="https://jail.example:8443"):
        assert party() == Party("https://jail.example:8443", "jail.example")
    here = replace(small.services, settings=replace(small.settings, public_origin="https://public.example:444"))
    small.app.extensions[EXTENSION] = here
    with small.app.test_request_context("/v1/factors", base_url="https://jail.example:8443"):
        assert party() == Party("https://public.example:444", "public.example")
