"""The server as an officer, and what ``flask rules due`` tells of any officer's duties."""

from __future__ import annotations

import orjson
import pytest

from backend.domain.calendars import HOUR_MS, MINUTE_MS
from backend.identity import assignments, facilities, officers, postings, staff, system
from backend.identity.officers import UnknownOfficer
from backend.kernel.clock import to_text
from backend.kernel.problems import Problem
from backend.storage import tables
from tests.contract.test_ticks import admitted
from tests.support import store
from tests.support.caller import Caller
from tests.support.world import FACILITY, World


def test_the_server_is_nobody_of_the_staff(small: World) -> None:
    """It is in no list; it cannot sign in, nor be renamed, posted, assigned, reset or revoked."""
    door = small.services.door
    it = system.ensure(door, FACILITY)
    assert it == system.ensure(door, FACILITY) and it.posts == ("SYS",)
    listed = orjson.loads(Caller.of(small, "ADM").ask("GET", "/v1/officers").data)["officers"]
    assert it.officer not in {each["id"] for each in listed} and len(listed) > 10
    with small.services.store.reading() as connection:
        assert it.officer not in {each.officer for each, _ in officers.everyone(connection, FACILITY)}
    for secret in ("", "!", "a secret for tests"):
        with pytest.raises(Problem, match="session.refused"):
            officers.authenticate(door, FACILITY, "t", it.number, secret)
    for attempt in (
        lambda: staff.change(door, FACILITY, it.officer, "console", name="x"),
        lambda: postings.change_posts(door, FACILITY, it.officer, ["LEAD"], "console"),
        lambda: officers.reset_secret(door, FACILITY, it.officer, "console"),
        lambda: assignments.revoke(door, FACILITY, it.officer, "console"),
        lambda: assignments.unassign(door, FACILITY, it.officer, small.ids["W"], "console"),
    ):
        with pytest.raises(UnknownOfficer):
            attempt()
    row = store.one(small, tables.officers, officer=it.officer)
    assert (row.active, row.revoked_at, row.posts) == (False, None, "SYS")
    store.verified(small)


def test_what_is_due_is_told_for_then_and_for_later_with_its_article(small: World) -> None:
    """Before, at and after the first talk was asked for: nothing, the duty open, the duty missed; nothing is written."""
    small.services.clockwork.tick(FACILITY)
    small.clock.advance(MINUTE_MS)
    before = small.clock.now()
    small.clock.advance(MINUTE_MS)
    admitted(small, "a")
    small.services.clockwork.tick(FACILITY)
    small.clock.advance(HOUR_MS)
    kept = store.rows(small, tables.watches), store.leaves(small)

    def due(at: int, number: str = "DISC") -> str:
        args = ["rules", "due", "--at", to_text(at), "--for", number]
        done = small.app.test_cli_runner().invoke(args=args, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return str(done.output)

    about = f"person {small.ids['a']}"
    assert about not in due(before)
    (line,) = [each for each in due(small.clock.now()).splitlines() if "A09" in each and about in each]
    assert " issued " in line
    told = due(small.clock.now() + 30 * HOUR_MS)
    (line,) = [each for each in told.splitlines() if "A09" in each and about in each]
    assert " missed " in line and "公安部令117号" in told
    assert about not in due(small.clock.now(), "MED") or "A10" in due(small.clock.now(), "MED")
    assert (store.rows(small, tables.watches), store.leaves(small)) == kept


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--facility", FACILITY, "--for", "nobody"], "no officer nobody"),
        (["--facility", "OTHER", "--for", "DISC"], "no officer DISC"),
        (["--facility", FACILITY, "--for", "DISC", "--at", "tomorrow"], "not a moment"),
        (["--facility", FACILITY, "--for", "DISC", "--at", "2026-11-22T03:14:15"], "not a moment"),
    ],
)
def test_what_cannot_be_asked_is_said_plainly(standing: World, args: list[str], said: str) -> None:
    done = standing.app.test_cli_runner().invoke(args=["rules", "due", *args])
    assert done.exit_code == 1 and said in done.output


def test_of_several_facilities_one_is_to_be_chosen(small: World) -> None:
    facilities.found(small.services.door, "OTHER", "另一所", "JLS", small.services.keyring.head)
    done = small.app.test_cli_runner().invoke(args=["rules", "due", "--for", "DISC"])
    assert done.exit_code == 1 and "2 facilities" in done.output
