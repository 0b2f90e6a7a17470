"""Approvals and movements as their kinds judge them in other types of facilities, and the code that opens a gate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backend.domain.approvals import MATTERS, Asked, barred, code_of, digest_of
from backend.domain.movements import SORTS
from backend.domain.rules.citing import rule_of
from backend.kernel.clock import to_text
from backend.kernel.ids import uuid7
from backend.kernel.kind import Deed, Head, Ruling
from backend.kernel.problems import Problem
from backend.records.approvals import APPROVAL
from backend.records.movements import MOVEMENT

NOW, HOUR = 1_795_317_255_123, 3_600_000
PERSON = uuid7(NOW)


@dataclass
class Knows:
    """What a judge is told: records, the type of the facility, the officer's posts."""

    type: str = "KSS"
    held: tuple[str, ...] = ("DIR",)
    heads: dict[str, Head] = field(default_factory=dict)

    def record(self, record: str) -> Head | None:
        return self.heads.get(record)

    def headcount(self, cell: str) -> int:
        raise NotImplementedError(cell)

    def residents(self, cell: str) -> list[Head]:
        raise NotImplementedError(cell)

    def places(self, ward: str) -> list[Head]:
        raise NotImplementedError(ward)

    def facility_type(self) -> str:
        return self.type

    def posts(self) -> frozenset[str]:
        return frozenset(self.held)

    def forced(self) -> bool:
        return False


def head(kind: str, doc: Mapping[str, Any], record: str = PERSON, state: str = "held", version: int = 1) -> Head:
    return Head(record, kind, version, 1, f"person/{PERSON}/base", None, state, "t", b"", doc, "t/o", 1)


def deed(verb: str, fields: Mapping[str, Any], record: str = "r") -> Deed:
    return Deed("op", "t", record, verb, 1, "o", NOW, NOW, NOW, fields, "TEST")


def held(type_: str) -> Knows:
    return Knows(type_, heads={PERSON: head("person", {})})


def plan(crew: int) -> dict[str, Any]:
    return {
        "person": PERSON, "sort": "outside_treatment", "destination": "医院", "leaves_at": to_text(NOW),
        "returns_by": to_text(NOW + HOUR), "crew": [uuid7(NOW) for _ in range(crew)], "restraint": "none",
        "vehicle": None,
    }  # fmt: skip


def ruled(found: Ruling | Problem) -> Ruling:
    assert isinstance(found, Ruling), found
    return found


def refused(found: Ruling | Problem) -> tuple[str, str | None]:
    assert isinstance(found, Problem), found
    return found.code, found.field


def request() -> dict[str, Any]:
    return {
        "matter": "outside_treatment", "person": PERSON, "place": None, "about": None, "what": "就医", "officers": [],
        "since": to_text(NOW), "until": None, "expires_at": to_text(NOW + HOUR), "countersigners": [],
    }  # fmt: skip


def test_an_authority_outside_is_the_last_rank_and_its_document_is_named() -> None:
    known = held("QJ")
    doc = ruled(APPROVAL.verbs["request"].judge(deed("request", request()), None, known)).doc
    word = {"delegation": None, "countersigned": [], "document": None, "opinion": None}
    for version in (1, 2):
        before = head("approval", doc, "r", doc["state"], version)
        found = APPROVAL.verbs["approve"].judge(deed("approve", word), before, known)
        if version == 1:
            doc = ruled(found).doc
            assert (doc["state"], doc["passed"]) == ("requested", 1)
    assert refused(found) == ("field.missing", "fields.document")
    granted = APPROVAL.verbs["approve"].judge(deed("approve", word | {"document": "批〔2026〕1号"}), before, known)
    assert ruled(granted).state == "granted"


def test_a_prison_sends_three() -> None:
    for type_, crew, right in (("KSS", 2, True), ("PR", 2, False), ("PR", 3, True)):
        found = MOVEMENT.verbs["plan"].judge(deed("plan", plan(crew)), None, held(type_))
        assert isinstance(found, Ruling) == right
        assert right or refused(found) == ("rule.forbids", "fields.crew")


def test_who_has_been_released_is_not_taken_out() -> None:
    known = Knows(heads={PERSON: head("person", {}, state="released")})
    assert refused(MOVEMENT.verbs["plan"].judge(deed("plan", plan(2)), None, known)) == (
        "record.state",
        "fields.person",
    )


def test_the_code_is_of_this_approval_decision_and_moment() -> None:
    at = to_text(NOW)
    codes = {code_of("a", "d", at), code_of("b", "d", at), code_of("a", "e", at), code_of("a", "d", to_text(NOW + 1))}
    assert len(codes) == 4 and all(re.fullmatch("[A-Z2-7]{8}", code) for code in codes)


def test_a_gate_wants_all_of_it() -> None:
    """Each of what an approval is bound to, changed by itself, shuts the gate; and so does its last millisecond."""
    doc = {
        "matter": "outside_treatment", "about": "m", "bound": {"x": 1}, "expires_at": to_text(NOW + HOUR), "code": "CODE2345",
        "paper_due": None,
    }  # fmt: skip
    approval = head("approval", doc, "a", "granted")
    asked = Asked("outside_treatment", "m", {"x": 1}, NOW, "CODE2345")
    assert barred(approval, asked) is None
    assert barred(approval, replace(asked, at=NOW + HOUR - 1)) is None
    shut = {
        "rule.forbids": [replace(asked, about="n"), replace(asked, at=NOW + HOUR)],
        "record.state": [replace(asked, matter="leave")],
        "record.conflict": [replace(asked, plan={"x": 2})],
        "field.invalid": [replace(asked, code="CODE2346")],
        "field.missing": [replace(asked, code=None)],
    }
    for code, questions in shut.items():
        for each in questions:
            problem = barred(approval, each)
            assert problem is not None and problem.code == code, each
    for other in (None, head("person", doc), replace(approval, state="requested"), replace(approval, state="refused")):
        problem = barred(other, asked)
        assert problem is not None and problem.code == "rule.forbids"
    emergency = replace(approval, state="emergency", doc=doc | {"paper_due": to_text(NOW)})
    assert barred(emergency, replace(asked, code=None)) is None
    assert barred(emergency, replace(asked, at=NOW + 1)) is not None


def test_every_matter_and_sort_names_rows_and_ranks_that_there_are() -> None:
    for matter in MATTERS.values():
        assert all(rank.posts for type_ in ("KSS", "JLS", "QJ", "PR", "SJ") for rank in matter.ranks(type_))
        assert matter.rule is None or rule_of(matter.rule).source
    for sort in SORTS.values():
        assert sort.matter is None or sort.rule == MATTERS[sort.matter].rule


def test_an_emergency_that_a_settlement_puts_in_place_of_an_approval_is_decided_anew() -> None:
    known = held("KSS")
    asked = ruled(APPROVAL.verbs["request"].judge(deed("request", request()), None, known)).doc
    word = {"delegation": None, "countersigned": [], "document": None, "opinion": None}
    approve, emergency = APPROVAL.verbs["approve"].judge, APPROVAL.verbs["emergency"].judge
    granted = ruled(approve(deed("approve", word), head("approval", asked, "r", "requested"), known)).doc
    as_seen = head("approval", {**granted, "state": "requested"}, "r", "requested")
    first = ruled(emergency(deed("emergency", {"ground": "life", "reason": "x", "second": "y"}), as_seen, known)).doc
    assert (first["state"], first["passed"], first["code"]) == ("emergency", 0, None)
    again = ruled(approve(deed("approve", word), head("approval", first, "r", "emergency"), known))
    assert again.state == "granted"


DECIDED: dict[str, Any] = {"delegation": None, "reason": "x"}
APPROVED: dict[str, Any] = {"delegation": None, "countersigned": [], "document": "1", "opinion": None}
AGAIN = {name: value for name, value in request().items() if name not in ("matter", "person", "place", "about")}
STEPS: dict[str, dict[str, Any]] = {
    "approve": APPROVED, "refuse": DECIDED, "return": DECIDED, "pass_on": DECIDED | {"officer": "other"},
    "resubmit": AGAIN | {"answer": "x"}, "emergency": {"ground": "life", "reason": "x", "second": "other"},
    "withdraw": {"reason": "x"}, "cancel": {"reason": "x"},
}  # fmt: skip
Said = tuple[str, str, str, int, str]
"""(verb, post, officer, minutes later, what is asked for)."""


@given(
    st.sampled_from(["KSS", "QJ", "JLS"]),
    st.sampled_from(["outside_treatment", "leave", "other"]),
    st.lists(
        st.tuples(
            st.sampled_from(sorted(STEPS)), st.sampled_from(["INT", "LEAD", "DIR"]), st.sampled_from(["o", "other"]),
            st.integers(0, 70), st.sampled_from(["就医", "改院"]),
        ),
        max_size=12,
    ),
)  # fmt: skip
def test_whatever_is_done_it_is_granted_only_by_all_ranks_one_after_the_other(
    type_: str, matter: str, story: list[Said]
) -> None:
    known = held(type_)
    doc = ruled(APPROVAL.verbs["request"].judge(deed("request", request() | {"matter": matter}), None, known)).doc
    now, approved = NOW, 0
    for version, (verb, post, officer, minutes, what) in enumerate(story, 1):
        now += minutes * 60_000
        said = STEPS[verb] | ({"what": what} if verb == "resubmit" else {})
        did = replace(deed(verb, said), officer=officer, observed_at=now, received_at=now)
        before = head("approval", doc, "r", doc["state"], version)
        found = APPROVAL.verbs[verb].judge(did, before, replace(known, held=(post,)))
        if isinstance(found, Problem):
            continue
        ranks, was, doc = doc["chain"], doc, found.doc
        if verb == "approve":
            assert post in ranks[approved]["posts"] and was["with"] in (None, officer)
        approved = approved + 1 if verb == "approve" else 0 if verb == "resubmit" else approved
        assert doc["passed"] == approved and doc["digest"] == digest_of(doc)
        assert doc["steps"][: len(was["steps"])] == was["steps"] and len(doc["steps"]) == len(was["steps"]) + 1
        assert (doc["state"] == "granted") == (doc["code"] is not None)
        assert doc["state"] != "granted" or approved == len(ranks)
        assert was["state"] not in {"refused", "withdrawn", "cancelled"}, "what has ended stays so"
