"""What is done on a clock for each facility."""

from __future__ import annotations

from backend.identity import facilities
from backend.kernel.problems import Problem
from headless.chain import uuid7
from tasks.jobs import Chore, do_chore
from tests.contract.test_audit import everything, put_back
from tests.support import store
from tests.support.hand import Hand
from tests.support.histories import SIX_DAYS
from tests.support.world import FACILITY, World


def test_custody_ends_on_a_clock(both: World) -> None:
    chore = Chore("custody", 30, both.services.commits.end_custody)
    h = Hand(both).signed_in("PAT")
    h.open(after=[uuid7()])
    assert h.told()[0]["status"] == "held"
    do_chore(both.services.store, chore)
    assert h.told()[0]["status"] == "held"
    both.clock.advance(SIX_DAYS)
    do_chore(both.services.store, chore)
    (outcome,) = h.told()
    assert outcome["status"] == "applied"
    assert "dependency.missing" in {mark["code"] for mark in outcome["marks"]}
    store.verified(both)


def test_a_facility_that_cannot_have_it_keeps_it_from_no_other(small: World) -> None:
    services, done = small.services, []
    facilities.found(services.door, "OTHER", "另一看守所", "KSS", services.keyring.head)

    def work(facility: str) -> None:
        if facility == "OTHER":
            raise Problem("server.busy", retry_after=1)
        done.append(facility)

    do_chore(services.store, Chore("any", 1, work))
    assert done == [FACILITY]


def test_a_chore_on_a_database_that_is_behind_does_nothing(small: World) -> None:
    older = everything(small)
    small.code()
    put_back(small, older)
    do_chore(small.services.store, Chore("custody", 30, small.services.commits.end_custody))
    assert everything(small) == older
