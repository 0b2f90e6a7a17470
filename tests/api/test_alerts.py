"""Alerts: the ward to those who watch, the place to those who say why, and no person to anybody."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from headless.chain import uuid7
from sync.writing.local import Act
from tests.support import store
from tests.support.alarms import report
from tests.support.caller import Caller, is_problem
from tests.support.hand import Hand
from tests.support.world import World

DAY = 24 * 3_600_000
LIST = "/v1/alerts"


def listed(caller: Caller, **query: Any) -> list[dict[str, Any]]:
    response = caller.ask("GET", LIST, query_string=query)
    assert response.status_code == 200, response.data
    found: list[dict[str, Any]] = orjson.loads(response.data)["alerts"]
    return found


def unmask(caller: Caller, record: str, reason: Any = "调度警力") -> Any:
    return caller.ask("POST", f"{LIST}/{record}/unmask", {"reason": reason})


def unmasked(world: World) -> list[dict[str, Any]]:
    return [leaf for leaf in store.leaves(world) if leaf["act"] == "place.unmasked"]


def test_the_city_s_duty_is_told_the_ward_and_nothing_more(both: World) -> None:
    record = report(both, Hand(both).signed_in("PAT"), person=both.ids["p1"], involved=[both.ids["p2"]])
    (told,) = listed(Caller.of(both, "CITY"))
    ward = {"id": both.ids["W"], "type": "ward", "code": "W", "name": "处所W"}
    kept = {"record": record, "category": "dispute", "severity": "urgent", "state": "open", "ward": ward}
    assert {name: told[name] for name in kept} == kept and set(told) - set(kept) == {"reported_at", "changed_at"}
    said = orjson.dumps(told).decode()
    for secret in (both.ids["p1"], both.ids["p2"], both.ids["C1"], "测试p1", "两人争执", both.ids["PAT"]):
        assert secret not in said


def test_of_a_person_the_ward_is_where_he_was_when_it_was_reported(both: World) -> None:
    h = Hand(both).signed_in("DISC")
    record = report(both, h, person=both.ids["p1"], place=None, severity="important")
    both.clock.advance(60_000)
    both.desk("INT", Act("person", "change", both.ids["p1"], {"cell": both.ids["D1"]}, base=1))
    (told,) = listed(Caller.of(both, "LEAD"))
    assert (told["record"], told["ward"]["code"]) == (record, "W")
    assert orjson.loads(unmask(Caller.of(both, "LEAD"), record).data)["place"]["code"] == "C1"


def test_the_exact_place_is_told_with_a_reason_that_stands_in_the_log_first(both: World) -> None:
    record, caller = report(both, Hand(both).signed_in("PAT")), Caller.of(both, "CITY")
    told = orjson.loads(unmask(caller, record).data)
    assert (told["place"]["code"], [each["code"] for each in told["within"]]) == ("C1", ["W"])
    (leaf,) = unmasked(both)
    said = (leaf["officer"], leaf["terminal"], leaf["record"], leaf["place"], leaf["reason"])
    assert said == (both.ids["CITY"], caller.terminal, record, both.ids["C1"], "调度警力")
    store.verified(both)


def test_what_is_ordinary_old_withdrawn_or_none_is_not_there(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    ordinary, gone = report(both, h, severity="ordinary"), report(both, h)
    h.write("dynamic_info", "withdraw", gone, {"reason": "误报"}, base=1, seen={"state": "open"})
    assert h.told(h.n, h.n)[0]["status"] == "applied"
    old = report(both, h)
    both.clock.advance(8 * DAY)
    caller = Caller.of(both, "CITY")
    assert listed(caller) == []
    for record in (ordinary, gone, old, both.ids["p1"], both.ids["C1"], uuid7(), "nobody"):
        response = unmask(caller, record)
        assert (response.status_code, is_problem(response)) == (404, "route.unknown"), record
    assert unmasked(both) == []


def test_pages_go_back_to_the_end_of_the_period_and_no_further(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    report(both, h)
    both.clock.advance(8 * DAY)
    h.signed_in("PAT")
    new = [report(both, h) for _ in range(5)]
    caller, found, after = Caller.of(both, "CITY"), [], {}
    while True:
        page = orjson.loads(caller.ask("GET", LIST, query_string={"limit": 2, **after}).data)
        found += [each["record"] for each in page["alerts"]]
        if page["after"] is None:
            break
        after = {"after": page["after"]}
    assert found == new[::-1]
    assert is_problem(caller.ask("GET", LIST, query_string={"after": "nonsense"})) == "field.invalid"


@pytest.mark.parametrize("reason", [None, "", " \n", "x" * 501, 1, ["x"], {}])
def test_who_gives_no_reason_is_told_nothing(shared: World, reason: Any) -> None:
    record, before = report(shared, Hand(shared).signed_in("PAT")), len(unmasked(shared))
    response = unmask(Caller.of(shared, "DIR"), record, reason)
    assert (response.status_code, is_problem(response)) == (422, "request.invalid")
    assert len(unmasked(shared)) == before


def test_a_proof_unmasks_once(small: World) -> None:
    record, caller = report(small, Hand(small).signed_in("PAT")), Caller.of(small, "CITY")
    headers = caller.headers("POST", f"{LIST}/{record}/unmask")
    first, second = (caller.ask("POST", f"{LIST}/{record}/unmask", {"reason": "r"}, headers) for _ in range(2))
    assert (first.status_code, is_problem(second)) == (200, "proof.replayed")
    assert len(unmasked(small)) == 1


def test_who_is_of_the_city_s_duty_is_given_no_records(small: World) -> None:
    report(small, hand := Hand(small).signed_in("PAT"))
    assert hand.pull()["partitions"]
    assert Hand(small).signed_in("CITY").pull()["partitions"] == []
