"""Whose word counts: sessions, sign-offs, revoked terminals, and facilities that know nothing of each other."""

from __future__ import annotations

from typing import Any

import pytest

from backend.domain.posts import Post
from backend.identity import facilities, officers, terminals
from backend.identity.officers import NewOfficer
from backend.storage import tables
from headless import Problem
from headless.chain import uuid7
from headless.patrol import BY_SESSION
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import CHEAP, SECRET, World

DIGEST = "A" * 43
SEEN = {"digest": DIGEST, "taken_at": "2026-11-22T03:14:15.123Z"}
FACE = {"method": "face", "evidence": [SEEN], "challenge": "blink, turn left"}
OTHER = "OTHER-2"


def said(outcome: dict[str, Any]) -> tuple[str, str | None, str | None]:
    problem = outcome.get("problem", {})
    return outcome["status"], problem.get("code"), problem.get("field")


APPLIED = ("applied", None, None)
NOT_HIS = ("rejected", "officer.unauthorised", "session")


def test_an_operation_names_its_own_officer_s_session_at_this_terminal(both: World) -> None:
    elsewhere = Hand(both).signed_in("PAT")
    h = Hand(both).signed_in("DISC")
    discipline = (h.officer, h.session)
    h.signed_in("PAT")
    for other, expected in (
        ({}, APPLIED),
        ({"officer": discipline[0], "session": discipline[1]}, APPLIED),
        ({"officer": discipline[0]}, NOT_HIS),
        ({"session": discipline[1]}, NOT_HIS),
        ({"session": elsewhere.session}, NOT_HIS),
        ({"session": uuid7()}, NOT_HIS),
        ({"officer": uuid7()}, NOT_HIS),
    ):
        h.open(**other)
        assert said(h.told(h.n, h.n)[0]) == expected, other


def test_what_was_captured_in_a_session_that_has_ended_still_counts(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    for _ in range(3):
        h.open()
    assert [said(outcome) for outcome in h.told(1, 1)] == [APPLIED]
    h.wire.ask(h.key, "DELETE", "/v1/sessions/current", None, h.token)
    assert [said(outcome) for outcome in h.told(1, 2)] == [APPLIED] * 2
    both.clock.advance(48 * 3_600_000)
    assert [said(outcome) for outcome in h.told()] == [APPLIED] * 3
    with pytest.raises(Problem) as refused:
        h.pull()
    assert refused.value.code == "session.expired"


def test_a_queue_is_pushed_whoever_is_signed_in(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    h.open()
    mine = h.officer
    h.signed_in("ADM")
    (outcome,) = h.told()
    row = store.one(both, tables.records, id=outcome["record"])
    assert f'"officer":"{mine}"'.encode() in row.body


@pytest.mark.parametrize("signoff, expected", [
    (None, ("rejected", "signoff.missing", "signoff")),
    (BY_SESSION, APPLIED),
    (FACE, APPLIED),
    (FACE | {"evidence": [SEEN] * 8}, APPLIED),
    (FACE | {"evidence": []}, ("rejected", "signoff.invalid", "signoff")),
    (FACE | {"challenge": None}, ("rejected", "signoff.invalid", "signoff")),
    (BY_SESSION | {"evidence": [SEEN]}, ("rejected", "signoff.invalid", "signoff")),
    (BY_SESSION | {"challenge": "blink"}, ("rejected", "signoff.invalid", "signoff")),
    (FACE | {"evidence": [SEEN] * 9}, ("quarantined", "field.invalid", "signoff.evidence")),
    (FACE | {"evidence": [SEEN | {"digest": "short"}]}, ("quarantined", "field.invalid", "signoff.evidence.0.digest")),
    (FACE | {"evidence": [SEEN | {"taken_at": "2026-11-31T03:14:15.123Z"}]},
     ("quarantined", "field.invalid", "signoff.evidence.0.taken_at")),
    ({"method": "session"}, ("quarantined", "field.missing", "signoff.evidence")),
])  # fmt: skip
def test_a_round_is_closed_with_a_sign_off_of_the_right_form(
    standing: World, signoff: Any, expected: tuple[str, str | None, str | None]
) -> None:
    h = Hand(standing).signed_in("PAT")
    round_, opened = h.open()
    h.close_round(round_, after=[opened], signoff=signoff)
    assert [said(outcome) for outcome in h.told()] == [APPLIED, expected]
    state = "closed" if expected == APPLIED else "open"
    assert store.one(standing, tables.records, id=round_).state == state


def test_a_revoked_terminal_is_answered_no_more(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    h.open()
    h.told()
    h.open()
    store.alter(both, tables.terminals, {"terminal": h.terminal}, state="revoked")
    before = len(store.rows(both, tables.operations))
    for first in (1, 2):
        refused = h.push(first)
        assert (refused.status_code, refused.json()["code"]) == (403, "terminal.revoked")
    for ask in (h.pull, lambda: h.signed_in("PAT")):
        with pytest.raises(Problem) as problem:
            ask()
        assert (problem.value.status, problem.value.code) == (403, "terminal.revoked")
    assert len(store.rows(both, tables.operations)) == before
    store.alter(both, tables.terminals, {"terminal": h.terminal}, state="active")
    assert [outcome["status"] for outcome in h.told(1)] == ["applied", "applied"]


def test_an_officer_who_is_no_longer_active_signs_in_and_reads_no_more(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    store.alter(both, tables.officers, {"officer": both.ids["PAT"]}, active=False)
    with pytest.raises(Problem) as problem:
        h.pull()
    assert (problem.value.status, problem.value.code) == (401, "session.missing")
    with pytest.raises(Problem) as problem:
        h.signed_in("PAT")
    assert (problem.value.status, problem.value.code) == (401, "session.refused")


@pytest.fixture
def apart(both: World) -> Hand:
    """A terminal in a second facility of the same installation, whose desk and patrol officer have the same numbers."""
    door = both.services.door
    facilities.found(door, OTHER, "另一看守所", "JLS", both.services.keyring.head)
    new = [NewOfficer(uuid7(), name, name, (Post(name),), SECRET) for name in ("ADM", "LEAD")]
    officers.add(door, OTHER, new, CHEAP)
    return Hand(both, code=terminals.make_code(door, OTHER, "test")[0])


def place(**other: Any) -> dict[str, Any]:
    return {"type": "ward", "code": "W", "name": "监区", "parent": None, "position": 1, "tags": []} | other


def test_two_facilities_do_not_see_each_other(both: World, apart: Hand) -> None:
    here = Hand(both).signed_in("LEAD")
    apart.signed_in("ADM")
    ward, same_op = uuid7(), uuid7()
    here.open(op=same_op)
    apart.write("place", "create", ward, place(), op=same_op)
    apart.write("place", "create", both.ids["W"], place(name="同号"))
    apart.write("place", "create", uuid7(), place(type="cell", parent=both.ids["V"]))
    apart.write("place", "change", both.ids["C1"], {"name": "越界"}, base=1, seen={"name": "处所C1"})
    apart.write("place", "create", uuid7(), place(), after=[here.write("no.kind", "x", uuid7(), {})])
    told_here, told_apart = here.told(), apart.told()
    assert [said(outcome)[:2] for outcome in told_here] == [("applied", None), ("rejected", "kind.unknown")]
    assert [said(outcome)[:2] for outcome in told_apart] == [
        ("applied", None),
        ("applied", None),
        ("held", "operation.held"),
        ("held", "operation.held"),
        ("held", "operation.held"),
    ]
    page = apart.signed_in("LEAD").pull()
    assert {row["id"] for part in page["partitions"] for row in part["rows"]} == {ward, both.ids["W"]}
    mine = {row["id"] for part in here.pull()["partitions"] for row in part["rows"]}
    assert ward not in mine and both.ids["C1"] in mine
    assert store.one(both, tables.records, facility="TEST", id=both.ids["W"]).version == 1
    assert [store.verified(both, each).facility for each in ("TEST", OTHER)] == ["TEST", OTHER]


def test_a_terminal_of_one_facility_is_nobody_in_the_other(both: World, apart: Hand) -> None:
    here = Hand(both).signed_in("LEAD")
    with pytest.raises(Problem) as problem:
        apart.signed_in("PAT")
    assert problem.value.code == "session.refused"
    apart.signed_in("LEAD")
    apart.write("patrol.round", "open", uuid7(), {}, officer=here.officer, session=here.session)
    assert said(apart.told()[0])[1] == "field.missing"
    apart.open(officer=here.officer, session=here.session)
    assert said(apart.told(2)[0]) == NOT_HIS
    refused = apart.push(facility="TEST")
    assert (refused.status_code, refused.json()["code"]) == (401, "proof.invalid")
    with pytest.raises(Problem) as problem:
        apart.wire.ask(apart.key, "POST", "/v1/sync/pull", {"partitions": {}, "limit": 1}, here.token)
    assert problem.value.code == "session.missing"
    names = {f"place/{both.ids['W']}/base": 0}
    assert apart.pull(names)["gone"] == list(names)


def test_heads_of_two_facilities_are_told_apart(both: World, apart: Hand) -> None:
    assert (
        store.one(both, tables.facilities, facility=OTHER).head
        != store.one(both, tables.facilities, facility="TEST").head
    )
    apart.signed_in("LEAD")
    head = apart.pull()["head"]
    apart.hear(head)  # fails for a head that speaks of another facility
    apart.write("patrol.round", "open", uuid7(), {"area": both.ids["W"], "companions": []})
    assert apart.told()[0]["missing"] == [{"record": both.ids["W"]}]
