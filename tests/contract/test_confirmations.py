"""A decision of consequence takes effect only with its officer's confirmation by a second factor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from backend.audit import epochs
from backend.identity import terminals
from backend.kernel.decision import digest_of
from backend.kernel.ids import b64, derived, sha256, unb64
from backend.kernel.kind import Policy
from backend.records.registry import kinds
from backend.storage import tables
from headless import Problem
from headless.chain import uuid7
from headless.patrol import BY_SESSION
from tests.contract.test_audit import everything, put_back
from tests.support import store
from tests.support.authenticator import Authenticator
from tests.support.confirming import add_key, by_hand, code_of, confirm, signed_by
from tests.support.hand import Hand
from tests.support.world import FACILITY, SECRET, World

MINUTE = 60_000
RELEASE = {
    "ground": "term_served", "document": "释字〔2026〕9号", "released_at": "2026-11-22T03:14:15.123Z", "note": "𠮷",
}  # fmt: skip
MISSING, INVALID, EXPIRED, LOST = (f"confirmation.{each}" for each in ("missing", "invalid", "expired", "lost"))


@pytest.fixture
def desk(both: World) -> Hand:
    return Hand(both).signed_in("INT")


def decision(world: World, **other: Any) -> dict[str, Any]:
    """The release of p1."""
    return {"kind": "person", "verb": "release", "record": world.ids["p1"], "base": 1, "fields": RELEASE} | other


def release(h: Hand, confirmation: str | None, **other: Any) -> dict[str, Any]:
    """Sends the release of p1; its outcome."""
    signoff = BY_SESSION | ({} if confirmation is None else {"confirmation": confirmation})
    seen = {"state": "held", "cell": h.world.ids["C1"]}
    said = {"base": 1, "seen": seen, "signoff": signoff} | other
    h.write("person", "release", said.pop("record", h.world.ids["p1"]), said.pop("fields", RELEASE), **said)
    found: dict[str, Any] = h.told(h.n, h.n)[0]
    return found


def confirmed(h: Hand, **other: Any) -> str:
    """A confirmation of the release of p1, by the key of whoever is signed in."""
    said: str = signed_by(h, **decision(h.world, **other))["confirmation"]
    return said


def told(outcome: dict[str, Any]) -> tuple[str, str | None]:
    return outcome["status"], outcome.get("problem", {}).get("code")


def state(world: World, name: str = "p1") -> str:
    found: str = store.one(world, tables.records, id=world.ids[name]).state
    return found


def acts(world: World, *wanted: str) -> list[dict[str, Any]]:
    return [leaf for leaf in store.leaves(world) if leaf["act"] in wanted]


def test_only_a_release_asks_for_one() -> None:
    asked = {(kind.name, name) for kind in kinds().values() for name, verb in kind.verbs.items() if verb.confirm}
    assert asked == {("person", "release")}
    of = kinds()["person"]
    unsigned = {**of.verbs, "release": replace(of.verbs["release"], signoff=False)}
    with pytest.raises(ValueError, match="confirmation"):
        replace(of, verbs=unsigned, policy=Policy.SHARED)


def test_a_confirmed_release_takes_effect_once_and_leaves_its_traces(desk: Hand) -> None:
    world, named = desk.world, confirmed(desk)
    assert told(release(desk, named)) == ("applied", None)
    row = orjson.loads(store.one(world, tables.records, id=world.ids["p1"]).body)
    assert (row["state"], row["signoff"]["confirmation"]) == ("released", named)
    kept = store.one(world, tables.confirmations, confirmation=named)
    assert (kept.op, kept.officer, kept.terminal) == (row["op"], desk.officer, desk.terminal)
    (leaf,) = acts(world, "confirmation.given")
    assert leaf == leaf | {
        "confirmation": named, "officer": desk.officer, "session": desk.session, "terminal": desk.terminal,
        "factor": kept.factor, "digest": b64(kept.digest), "proof": b64(sha256(kept.proof)),
    }  # fmt: skip
    assert world.ids["p1"] not in orjson.dumps(leaf).decode(), "what was decided is told by its digest alone"
    store.verified(world)


def test_the_digest_is_of_canonical_json(desk: Hand) -> None:
    said = decision(desk.world)
    fields = ",".join(f'"{name}":"{RELEASE[name]}"' for name in sorted(RELEASE))
    plain = f'{{"base":1,"fields":{{{fields}}},"kind":"person","record":"{said["record"]}","verb":"release"}}'
    assert digest_of(**said) == sha256(plain.encode())
    backwards = {name: RELEASE[name] for name in reversed(RELEASE)}
    answer = confirm(by_hand(desk), add_key(by_hand(desk)), said | {"fields": backwards})
    assert unb64(answer["digest"]) == sha256(plain.encode())
    assert told(release(desk, answer["confirmation"])) == ("applied", None)


def test_without_one_nobody_leaves_and_the_bytes_are_kept(desk: Hand) -> None:
    for signoff, expected in (
        (BY_SESSION, MISSING),
        (BY_SESSION | {"confirmation": uuid7()}, MISSING),
        (None, "signoff.missing"),
    ):
        assert told(release(desk, None, signoff=signoff)) == ("rejected", expected)
        assert store.one(desk.world, tables.operations, terminal=desk.terminal, n=desk.n).raw == desk.frames[-1][2]
    assert state(desk.world) == "held"


def test_it_is_of_no_use_for_anything_else(desk: Hand) -> None:
    """Other fields, another person, version, officer or terminal, and a verb that wants none."""
    world, named = desk.world, confirmed(desk)
    there = {"state": "held", "cell": world.ids["D1"]}
    for other in (
        {"fields": RELEASE | {"ground": "bail"}},
        {"fields": RELEASE | {"note": None}},
        {"base": 2},
        {"record": world.ids["p4"], "seen": there},
    ):
        assert told(release(desk, named, **other)) == ("rejected", INVALID), other
    assert told(release(Hand(world).signed_in("INT"), named)) == ("rejected", INVALID)
    assert told(release(desk.signed_in("LEAD"), named)) == ("rejected", INVALID)
    round_, opened = desk.open()
    desk.close_round(round_, after=[opened], signoff=BY_SESSION | {"confirmation": named})
    outcome = desk.told(desk.n, desk.n)[0]
    assert told(outcome) == ("rejected", "signoff.invalid")
    assert (state(world), state(world, "p4")) == ("held", "held")
    assert told(release(desk.signed_in("INT"), named)) == ("applied", None), "and it was not used up by any of these"


def test_it_is_used_once(desk: Hand) -> None:
    named = confirmed(desk)
    wrong = release(desk, named, seen={"state": "held", "cell": None})
    assert told(wrong) == ("conflict", "record.conflict")
    assert told(release(desk, named)) == ("rejected", INVALID)
    assert [each["status"] for each in desk.told(1)] == ["conflict", "rejected"], "a resend is told the same"


def test_of_two_in_one_push_the_first_uses_it(desk: Hand) -> None:
    named = confirmed(desk)
    seen = {"state": "held", "cell": desk.world.ids["C1"]}
    for _ in range(2):
        signoff = BY_SESSION | {"confirmation": named}
        desk.write("person", "release", desk.world.ids["p1"], RELEASE, base=1, seen=seen, signoff=signoff)
    assert [told(each) for each in desk.told()] == [("applied", None), ("rejected", INVALID)]


def test_it_is_good_for_a_quarter_of_an_hour_by_the_server_s_clock(desk: Hand) -> None:
    world, named = desk.world, confirmed(desk)
    world.clock.advance(15 * MINUTE)
    earlier = "2026-11-22T03:14:15.123Z"
    assert told(release(desk, named, observed_at=earlier)) == ("rejected", EXPIRED)
    named = confirmed(desk, base=1)
    world.clock.advance(15 * MINUTE - 1000)
    assert told(release(desk, named)) == ("applied", None)


def test_what_waits_in_custody_came_in_time(desk: Hand) -> None:
    """The confirmation is used when the operation comes, not when it is judged."""
    world, needed, named = desk.world, uuid7(), confirmed(desk)
    assert told(release(desk, named, after=[needed])) == ("held", "operation.held")
    world.clock.advance(60 * MINUTE)
    assert told(release(desk, named)) == ("rejected", INVALID)
    desk.write("patrol.round", "open", uuid7(), {"area": world.ids["W"], "companions": []}, op=needed)
    desk.signed_in("PAT")
    other = Hand(world).signed_in("PAT")
    other.open(op=needed)
    other.told()
    assert state(world) == "released"
    assert desk.fetch(1)["outcomes"][0]["status"] == "applied"


def test_an_escrowed_release_is_not_released_by_a_leader_without_its_confirmation(both: World) -> None:
    """A handheld in hostile hands hands in a release that nobody confirmed; a leader's word does not stand for that."""
    stolen = Hand(both).signed_in("INT")
    named = confirmed(stolen)
    terminals.revoke(both.services.door, FACILITY, stolen.terminal, "test")
    seen = {"state": "held", "cell": both.ids["C1"]}
    ops = [
        stolen.write("person", "release", both.ids["p1"], RELEASE, base=1, seen=seen, signoff=BY_SESSION | more)
        for more in ({}, {"confirmation": uuid7()}, {"confirmation": named})
    ]
    assert {each["status"] for each in stolen.evacuate().json()["outcomes"]} == {"escrowed"}
    both.clock.advance(60 * MINUTE)
    leader = Hand(both).signed_in("LEAD")
    for op, expected in zip(ops, (("rejected", MISSING), ("rejected", MISSING), ("applied", None)), strict=True):
        leader.write("escrow", "release", derived(op, "escrow"), {"op": op, "reason": "已核实"})
        assert told(leader.told(leader.n, leader.n)[0]) == expected
    assert state(both) == "released", "the one that was confirmed in time, though it came late"
    store.verified(both)


# After a restore


def opens(world: World) -> None:
    epochs.open_epoch(world.services.door, world.services.highwater, FACILITY, "restored", "the operator")


def by_a_leader(world: World, op: str) -> tuple[str, str | None]:
    leader = Hand(world).signed_in("LEAD")
    leader.write("escrow", "release", derived(op, "escrow"), {"op": op, "reason": "已核实"})
    return told(leader.told()[0])


@pytest.mark.parametrize("given", ["after the copy", "before it"])
def test_what_was_confirmed_before_a_restore_waits_for_a_leader(desk: Hand, given: str) -> None:
    """The server has lost the confirmation, or that it was used in time; the terminal offers the release again."""
    world, op = desk.world, uuid7()
    copy, named = everything(world), confirmed(desk)
    copy = everything(world) if given == "before it" else copy
    assert told(release(desk, named, op=op)) == ("applied", None)
    world.clock.advance(60 * MINUTE)
    put_back(world, copy)
    opens(world)
    assert [told(each) for each in desk.told()] == [("escrowed", LOST)]
    assert state(world) == "held"
    assert by_a_leader(world, op) == ("applied", None)
    assert state(world) == "released"
    store.verified(world)


def test_a_restore_excuses_nothing_that_came_after_it(desk: Hand) -> None:
    world, named = desk.world, confirmed(desk)
    opens(world)
    desk.hear(desk.pull()["head"])
    world.clock.advance(15 * MINUTE)
    assert told(release(desk, named)) == ("rejected", EXPIRED)
    since = f"{world.clock.now() + 365 * 24 * 60 * MINUTE:012x}"
    assert told(release(desk, f"{since[:8]}-{since[8:]}-7000-8000-000000000000")) == ("rejected", MISSING)


# How it is given


def codes(h: Hand) -> tuple[str, str]:
    """Adds one-time codes for whoever is signed in; the factor and its secret."""
    offered = by_hand(h)("POST", "/v1/factors/totp", {"secret": SECRET})
    answer = {"challenge": offered["challenge"], "label": "手机", "code": code_of(h.world, offered["secret"])}
    return by_hand(h)("POST", "/v1/factors/totp/activate", answer)["factor"], offered["secret"]


def refused(h: Hand, body: Any, path: str = "/v1/confirmations") -> tuple[int, str]:
    with pytest.raises(Problem) as problem:
        by_hand(h)("POST", path, body)
    return problem.value.status, problem.value.code


def test_a_code_confirms_as_well_and_only_once(desk: Hand) -> None:
    world, (factor, secret) = desk.world, codes(desk)
    said = decision(world) | {"factor": factor}
    assert refused(desk, said | {"code": code_of(world, secret)}) == (403, "factor.refused"), "it was used to add it"
    world.clock.advance(30_000)
    offered = by_hand(desk)("POST", "/v1/confirmations/options", decision(world))
    assert (offered["webauthn"], offered["totp"]) == (None, [factor])
    answer = by_hand(desk)("POST", "/v1/confirmations", said | {"code": code_of(world, secret)})
    assert refused(desk, said | {"code": code_of(world, secret)}) == (403, "factor.refused")
    assert refused(desk, said | {"code": code_of(world, secret, -1)}) == (403, "factor.refused")
    assert refused(desk, said | {"code": code_of(world, secret, 2)}) == (403, "factor.refused")
    by_hand(desk)("POST", "/v1/confirmations", said | {"code": code_of(world, secret, 1)})
    assert told(release(desk, answer["confirmation"])) == ("applied", None)


def test_five_wrong_answers_lock_it_for_a_quarter_of_an_hour_and_each_is_a_leaf(desk: Hand) -> None:
    world, (factor, secret) = desk.world, codes(desk)
    world.clock.advance(30_000)
    said = decision(world) | {"factor": factor}
    wrong = f"{(int(code_of(world, secret)) + 1) % 1_000_000:06}"
    for _ in range(5):
        assert refused(desk, said | {"code": wrong}) == (403, "factor.refused")
    right = {"code": code_of(world, secret)}
    assert refused(desk, said | right) == (429, "factor.locked")
    assert refused(Hand(world).signed_in("INT"), said | right) == (429, "factor.locked"), "at every terminal"
    assert [leaf["officer"] for leaf in acts(world, "confirmation.refused")] == [desk.officer] * 5
    world.clock.advance(15 * MINUTE)
    by_hand(desk)("POST", "/v1/confirmations", said | {"code": code_of(world, secret)})
    assert store.rows(world, tables.confirmations)


def test_a_right_answer_forgives_wrong_ones(desk: Hand) -> None:
    world, (factor, secret) = desk.world, codes(desk)
    said = decision(world) | {"factor": factor}
    for _ in range(3):
        world.clock.advance(30_000)
        for _ in range(4):
            assert refused(desk, said | {"code": code_of(world, secret, 5)}) == (403, "factor.refused")
        by_hand(desk)("POST", "/v1/confirmations", said | {"code": code_of(world, secret)})


def answered(h: Hand, key: Authenticator, said: dict[str, Any]) -> dict[str, Any]:
    offered = by_hand(h)("POST", "/v1/confirmations/options", said)
    return {"challenge": offered["challenge"], "credential": key.get(offered["webauthn"])}


def test_a_key_signs_one_decision_and_no_other(desk: Hand) -> None:
    """What it signs is made of the decision: a terminal that shows one and sends another is refused."""
    key, other = add_key(by_hand(desk)), decision(desk.world, record=desk.world.ids["p2"])
    answer = answered(desk, key, decision(desk.world))
    assert refused(desk, other | answer) == (403, "factor.refused")
    assert by_hand(desk)("POST", "/v1/confirmations", decision(desk.world) | answer)
    assert refused(desk, decision(desk.world) | answer) == (403, "factor.refused"), "and once"


@pytest.mark.parametrize("spoil", [
    lambda key, options: Authenticator().get(options),
    lambda key, options: Authenticator(id=key.id).get(options),
    lambda key, options: replace(key, origin="https://elsewhere.example").get(options),
    lambda key, options: replace(key, flags=0).get(options),
    lambda key, options: replace(key, counter=0).get(options),
    lambda key, options: key.get(options | {"rpId": "elsewhere.example"}),
    lambda key, options: key.get(options | {"challenge": b64(bytes(32))}),
    lambda key, options: key.create({"rp": {"id": "localhost"}, "challenge": options["challenge"]}),
    lambda key, options: {},
    lambda key, options: {"id": b64(key.id), "rawId": b64(key.id), "type": "public-key", "response": {}},
    lambda key, options: {"id": b64(key.id), "response": None},
])  # fmt: skip
def test_what_is_no_signature_of_the_officer_s_key_is_refused(standing: World, spoil: Any) -> None:
    h = Hand(standing).signed_in("INT")
    if h.officer not in standing.keys:
        standing.keys[h.officer] = add_key(by_hand(h))
    said = decision(standing)
    confirm(by_hand(h), standing.keys[h.officer], said)
    offered = by_hand(h)("POST", "/v1/confirmations/options", said)
    answer = {"challenge": offered["challenge"], "credential": spoil(standing.keys[h.officer], offered["webauthn"])}
    assert refused(h, said | answer) == (403, "factor.refused")
    confirm(by_hand(h), standing.keys[h.officer], said)


def test_a_key_that_does_not_count_is_taken(small: World) -> None:
    h = Hand(small).signed_in("INT")
    key = add_key(by_hand(h), Authenticator(counts=False))
    for _ in range(2):
        assert confirm(by_hand(h), key, decision(small))["confirmation"]


def test_the_factor_of_a_colleague_is_none_of_one_s_own(small: World) -> None:
    desk_, leader = Hand(small).signed_in("INT"), Hand(small).signed_in("LEAD")
    factor, secret = codes(leader)
    key = add_key(by_hand(desk_))
    small.clock.advance(30_000)
    said = decision(small)
    assert refused(desk_, said | {"factor": factor, "code": code_of(small, secret)}) == (403, "factor.refused")
    add_key(by_hand(leader))
    assert refused(leader, said | answered(desk_, key, said)) == (403, "factor.refused")


def test_a_factor_that_was_removed_confirms_nothing(small: World) -> None:
    h = Hand(small).signed_in("INT")
    key, said = add_key(by_hand(h)), decision(small)
    answer = answered(h, key, said)
    (factor,) = by_hand(h)("GET", "/v1/factors", None)["factors"]
    by_hand(h)("DELETE", f"/v1/factors/{factor['factor']}", None)
    assert refused(h, said | answer) == (403, "factor.refused")
    assert refused(h, said, "/v1/confirmations/options") == (409, "factor.none")


@pytest.mark.parametrize("other, expected", [
    ({"verb": "change"}, (422, "verb.unknown")),
    ({"verb": "no"}, (422, "verb.unknown")),
    ({"kind": "no.kind"}, (422, "kind.unknown")),
    ({"record": "p1"}, (422, "request.invalid")),
    ({"base": -1}, (422, "request.invalid")),
    ({"fields": []}, (422, "request.invalid")),
    ({"fields": None}, (422, "request.invalid")),
    ({"officer": "x"}, (422, "request.invalid")),
])  # fmt: skip
def test_a_decision_that_is_none_is_not_confirmed(standing: World, other: Any, expected: tuple[int, str]) -> None:
    h = Hand(standing).signed_in("INT")
    for path in ("/v1/confirmations/options", "/v1/confirmations"):
        assert refused(h, decision(standing, **other), path) == expected


def test_an_answer_is_a_key_s_or_a_code(standing: World) -> None:
    h, said = Hand(standing).signed_in("INT"), decision(standing)
    assert refused(h, said) == (422, "field.missing")
    both_ = {"challenge": uuid7(), "credential": {}, "factor": uuid7(), "code": "000000"}
    assert refused(h, said | both_) == (422, "field.invalid")


def test_a_fork_of_the_operation_is_told_what_the_first_was(desk: Hand) -> None:
    """Wrapped again in another incarnation it is the same operation, and finds its confirmation used by itself."""
    named = confirmed(desk)
    op = uuid7()
    assert told(release(desk, named, op=op)) == ("applied", None)
    before = desk.frames
    desk.begin_again("restored")
    said = orjson.loads(before[0][2]) | {"incarnation": desk.incarnation, "n": 1}
    desk.put(orjson.dumps(said))
    (outcome,) = desk.told()
    assert (outcome["status"], outcome["repeats"]["n"]) == ("applied", 1)
