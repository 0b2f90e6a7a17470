"""A decision that wants a second factor, from the headless terminal to the real server and back."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from backend.storage import tables
from headless import Broken, NotSignedIn, Offline, Problem, Refused, Terminal
from headless.patrol import BY_SESSION
from tests.headless.whole import agreed, same_rows
from tests.support import store
from tests.support.confirming import code_of
from tests.support.world import FACILITY, SECRET, World

RELEASE: dict[str, Any] = {
    "released_at": "2026-11-22T03:14:15.123Z", "ground": "term_served", "document": "释字〔2026〕9号", "note": "𠮷",
}  # fmt: skip


@pytest.fixture
def clerk(small: World) -> Terminal:
    made = small.terminal("INT")
    made.learn_kinds()
    made.pull()
    return made


def with_codes(terminal: Terminal, world: World) -> tuple[str, str]:
    """Adds one-time codes for the officer signed in: (factor, their secret)."""
    shown = terminal.add_totp(SECRET)
    return terminal.activate_totp(shown["challenge"], "手机", code_of(world, shown["secret"])), shown["secret"]


def confirmed(terminal: Terminal, world: World, factor: str, code: str, base: int = 1) -> str:
    return terminal.confirm("person", "release", world.ids["p1"], base, RELEASE, factor=factor, code=code)


def released(terminal: Terminal, world: World, confirmation: str | None, **other: Any) -> tuple[str, str | None]:
    """Captures and sends the release of p1: its status, and what was wrong."""
    signoff = BY_SESSION | ({} if confirmation is None else {"confirmation": confirmation})
    op = terminal.edit("person", "release", world.ids["p1"], RELEASE | other, signoff=signoff)
    terminal.push()
    outcome = terminal.outcomes()[op]
    return outcome["status"], outcome.get("problem", {}).get("code")


def test_a_decision_that_is_confirmed_by_a_code_takes_effect(clerk: Terminal, small: World) -> None:
    assert clerk.factors() == []
    factor, secret = with_codes(clerk, small)
    assert [(each["factor"], each["sort"], each["label"]) for each in clerk.factors()] == [(factor, "totp", "手机")]
    named = confirmed(clerk, small, factor, code_of(small, secret, 1))
    assert released(clerk, small, named) == ("applied", None)
    clerk.pull()
    row = orjson.loads(store.one(small, tables.records, id=small.ids["p1"]).body)
    assert (row["state"], row["signoff"]["confirmation"]) == ("released", named)
    same_rows(clerk, small)
    agreed(clerk, small)


def test_it_may_be_captured_and_sent_later_within_its_quarter_of_an_hour(clerk: Terminal, small: World) -> None:
    factor, secret = with_codes(clerk, small)
    late = confirmed(clerk, small, factor, code_of(small, secret, 1))
    small.clock.advance(15 * 60_000 + 1)
    assert released(clerk, small, late) == ("rejected", "confirmation.expired")
    named = confirmed(clerk, small, factor, code_of(small, secret))
    small.clock.advance(15 * 60_000 - 1)
    assert released(clerk, small, named) == ("applied", None)


def test_it_is_of_no_use_for_another_decision(clerk: Terminal, small: World) -> None:
    factor, secret = with_codes(clerk, small)
    assert released(clerk, small, None) == ("rejected", "confirmation.missing")
    named = confirmed(clerk, small, factor, code_of(small, secret, 1))
    assert released(clerk, small, named, ground="bail") == ("rejected", "confirmation.invalid")
    clerk.capture(
        "person", "release", small.ids["p1"], RELEASE, base=1, seen={"state": "held", "cell": small.ids["C1"]},
        signoff=BY_SESSION | {"confirmation": named},
    )  # fmt: skip
    assert [outcome["status"] for outcome in clerk.push()] == ["applied"]
    assert [queued.operation["after"] for queued in clerk.queue()] == [[], [], []], (
        "refused changes are in nobody's way"
    )


def test_wrong_codes_are_told_and_five_lock(clerk: Terminal, small: World) -> None:
    with pytest.raises(Problem, match="secret.wrong"):
        clerk.add_totp(f"{SECRET}!")
    factor, secret = with_codes(clerk, small)
    used = code_of(small, secret)
    for _ in range(5):
        with pytest.raises(Problem, match="factor.refused"):
            confirmed(clerk, small, factor, used)
    with pytest.raises(Problem, match="factor.locked"):
        confirmed(clerk, small, factor, code_of(small, secret, 1))
    assert clerk.waiting() == []


def test_a_factor_that_was_lost_confirms_nothing_more(clerk: Terminal, small: World) -> None:
    factor, secret = with_codes(clerk, small)
    before = confirmed(clerk, small, factor, code_of(small, secret, 1))
    done = small.app.test_cli_runner().invoke(args=["officers", "forget-factor", FACILITY, "INT", factor])
    assert done.exit_code == 0 and clerk.factors() == []
    small.clock.advance(60_000)
    with pytest.raises(Problem, match="factor.refused"):
        confirmed(clerk, small, factor, code_of(small, secret))
    assert released(clerk, small, before) == ("applied", None), "what he had confirmed while he had it stands"


def test_only_verbs_that_want_it_are_confirmed(clerk: Terminal, small: World) -> None:
    factor, secret = with_codes(clerk, small)
    with pytest.raises(Problem, match="verb.unknown"):
        clerk.confirm(
            "person", "change", small.ids["p1"], 1, {"name": "李四"}, factor=factor, code=code_of(small, secret, 1)
        )


def test_it_needs_signal_and_an_officer(clerk: Terminal, small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused):
        clerk.confirm("person", "release", small.ids["p1"], 1, {"note": 0.5}, factor=small.ids["p1"], code="123456")

    def silent(*_: Any, **__: Any) -> httpx.Response:
        raise httpx.ConnectError("no signal")

    with monkeypatch.context() as air:
        air.setattr(httpx.WSGITransport, "handle_request", silent)
        with pytest.raises(Offline):
            confirmed(clerk, small, small.ids["p1"], "123456")
    clerk.sign_out()
    for ask in (clerk.factors, lambda: clerk.add_totp(SECRET), lambda: confirmed(clerk, small, "x", "123456")):
        with pytest.raises(NotSignedIn):
            ask()


def test_a_server_that_confirms_something_else_is_not_believed(
    clerk: Terminal, small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    factor, secret = with_codes(clerk, small)
    monkeypatch.setattr("mobile_api.confirmations.digest_of", lambda *_: bytes(32))
    with pytest.raises(Broken, match="another decision"):
        confirmed(clerk, small, factor, code_of(small, secret, 1))
