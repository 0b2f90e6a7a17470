"""Auxiliaries cannot sign alone: a second signs beside them, or a police officer co-signs later (rule P07)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.identity import assignments
from backend.storage import tables
from headless.chain import uuid7
from headless.patrol import BY_SESSION
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import FACILITY, World

ALONE = {"code": "signoff.alone", "rule": "P07"}
UNKNOWN = {"code": "signoff.second", "rule": None}
HOUR = 3_600_000


def closed(h: Hand, **second: Any) -> dict[str, Any]:
    """A round that was begun with a companion, and is ended beside a second if one is named; the outcome."""
    area = {"area": h.world.ids["W"], "companions": [h.world.ids["PAT"]]}
    record = uuid7()
    opened = h.write("patrol.round", "open", record, area)
    h.close_round(record, after=[opened], signoff=BY_SESSION | ({"second": second} if second else {}))
    found: dict[str, Any] = h.told(h.n - 1)[1]
    assert found["status"] == "applied", found
    return found


def named(officer: str, session: str) -> dict[str, str]:
    return {"officer": officer, "session": session, "method": "session"}


@pytest.fixture
def beside(both: World) -> tuple[Hand, dict[str, str]]:
    """An auxiliary at a terminal, where a patrol officer has signed in too."""
    h = Hand(both).signed_in("PAT")
    second = named(h.officer, h.session)
    return h.signed_in("AUX"), second


def test_an_auxiliary_who_signs_alone_is_marked_and_what_happened_is_recorded(both: World) -> None:
    outcome = closed(Hand(both).signed_in("AUX"))
    assert outcome["marks"] == [ALONE]
    row = orjson.loads(store.one(both, tables.records, id=outcome["record"]).body)
    assert (row["state"], row["marks"]) == ("closed", [ALONE])


def test_beside_an_officer_of_the_police_he_is_not_alone(beside: tuple[Hand, dict[str, str]]) -> None:
    h, second = beside
    outcome = closed(h, **second)
    assert outcome["marks"] == []
    row = orjson.loads(store.one(h.world, tables.records, id=outcome["record"]).body)
    assert row["signoff"] == BY_SESSION | {"second": second}


def test_an_auxiliary_who_is_a_patrol_officer_too_signs_alone(both: World) -> None:
    store.alter(both, tables.officers, {"number": "AUX"}, posts="AUX PAT")
    assert closed(Hand(both).signed_in("AUX"))["marks"] == []


def test_a_second_who_cannot_be_found_is_none(both: World, beside: tuple[Hand, dict[str, str]]) -> None:
    h, second = beside
    other = Hand(both).signed_in("DISC")
    auditor = Hand(both).signed_in("AUD")
    h.signed_in("ADM")
    without_post = named(h.officer, h.session)
    h.signed_in("AUX")
    for wrong in (
        named(h.officer, h.session),
        second | {"officer": other.officer},
        second | {"session": h.session},
        second | {"session": uuid7()},
        named(other.officer, other.session),
        named(auditor.officer, auditor.session),
        without_post,
    ):
        assert closed(h, **wrong)["marks"] == [UNKNOWN, ALONE], wrong


def test_a_second_whose_session_had_ended_is_none(both: World, beside: tuple[Hand, dict[str, str]]) -> None:
    h, second = beside
    both.clock.advance(13 * HOUR)
    h.signed_in("AUX")
    assert closed(h, **second)["marks"] == [UNKNOWN, ALONE]


def test_a_second_who_had_been_revoked_is_none(both: World, beside: tuple[Hand, dict[str, str]]) -> None:
    h, second = beside
    assignments.revoke(both.services.door, FACILITY, both.ids["PAT"], "test")
    both.clock.advance(1000)
    assert closed(h, **second)["marks"] == [UNKNOWN, ALONE]


def test_a_police_officer_who_names_a_second_that_is_not_there_is_marked_for_that_alone(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    assert closed(h, **named(both.ids["DISC"], uuid7()))["marks"] == [UNKNOWN]


@pytest.mark.parametrize("second, field", [
    ({"officer": "LEAD", "session": "x", "method": "session"}, "signoff.second.officer"),
    ({"session": uuid7(), "method": "session"}, "signoff.second.officer"),
    ({"officer": uuid7(), "session": uuid7(), "method": "nod"}, "signoff.second.method"),
    ({"officer": uuid7(), "session": uuid7(), "method": "session", "note": ""}, "signoff.second.note"),
    (None, "signoff.second"),
    ([], "signoff.second"),
])  # fmt: skip
def test_a_second_of_another_form_is_none_of_the_protocol(standing: World, second: Any, field: str) -> None:
    h = Hand(standing).signed_in("AUX")
    round_, opened = h.open()
    h.close_round(round_, after=[opened], signoff=BY_SESSION | {"second": second})
    outcome = h.told()[1]
    assert outcome["status"] == "quarantined" and outcome["problem"]["field"] == field


def cosign(h: Hand, record: str, **other: Any) -> dict[str, Any]:
    h.write("cosign", "sign", uuid7(), {"record": record, "note": None}, **({"signoff": BY_SESSION} | other))
    found: dict[str, Any] = h.told(h.n, h.n)[0]
    return found


def test_a_police_officer_co_signs_what_an_auxiliary_signed_alone(both: World) -> None:
    record = closed(Hand(both).signed_in("AUX"))["record"]
    outcome = cosign(Hand(both).signed_in("DISC"), record)
    assert (outcome["status"], outcome["marks"]) == ("applied", [])
    signed = orjson.loads(store.one(both, tables.records, id=outcome["record"]).body)
    assert signed["doc"] == {"record": record, "note": None, "version": 2, "signed": both.ids["AUX"]}
    assert signed["partition"] == store.one(both, tables.records, id=record).partition
    assert store.one(both, tables.records, id=record).version == 2, "what was signed stays as it was"
    store.verified(both)


def test_nobody_co_signs_for_himself_or_without_a_post_or_a_sign_off(both: World) -> None:
    h = Hand(both).signed_in("AUX")
    record = closed(h)["record"]
    assert cosign(h, record)["problem"]["code"] == "officer.unauthorised"
    for post in ("AUD", "PROC", "ADM", "CITY"):
        assert cosign(Hand(both).signed_in(post), record)["problem"]["code"] == "officer.unauthorised", post
    assert cosign(Hand(both).signed_in("LEAD"), record, signoff=None)["problem"]["code"] == "signoff.missing"
    store.alter(both, tables.officers, {"number": "AUX"}, posts="AUX PAT")
    assert cosign(h, record)["problem"]["code"] == "officer.unauthorised", "a post more, and still his own"


def test_what_nobody_signed_alone_wants_no_second_signature(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    record = closed(h)["record"]
    outcome = cosign(Hand(both).signed_in("LEAD"), record)
    assert (outcome["status"], outcome["problem"]["code"]) == ("rejected", "cosign.needless")


def test_who_never_had_the_ward_co_signs_and_is_marked(both: World) -> None:
    record = closed(Hand(both).signed_in("AUX"))["record"]
    assert cosign(Hand(both).signed_in("PAT2"), record)["marks"] == [{"code": "scope.outside", "rule": None}]
