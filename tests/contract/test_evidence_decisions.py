"""Evidence bundles: who confirmed a decision of consequence, what posts officers held, and what a server did without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.audit.evidence.scope import Scope
from backend.audit.log import append
from backend.identity import factors, postings, terminals
from backend.identity.confirmations import Confirmation
from backend.kernel.ids import b64, sha256
from backend.storage import tables
from backend.storage.door import Transaction
from headless.chain import uuid7
from headless.patrol import BY_SESSION
from tests.contract.test_audit import everything, put_back
from tests.contract.test_confirmations import RELEASE, by_a_leader, confirmed, opens, release
from tests.support import histories, store
from tests.support.evidence import bundle, change, rows, said
from tests.support.hand import Hand
from tests.support.histories import History
from tests.support.world import FACILITY, World

ALL = Scope("all")
QUARTER = 15 * 60_000
OF_ANOTHER = "which is of another decision or officer"


def scopes(world: World) -> list[Scope]:
    return [ALL, Scope("person", world.ids["p1"]), Scope("period", since=0)]


def told(world: World, name: str) -> set[str]:
    """What the verifier says of bundles of each sort, in short."""
    found = [said(bundle(world, scope, f"{name}-{at}")) for at, scope in enumerate(scopes(world))]
    return {"holds" if each.startswith("holds") else each.rpartition(", ")[2] for each in found}


def posts_become(world: World, officer: str, post: str) -> None:
    world.clock.advance(1000)
    postings.change_posts(world.services.door, FACILITY, world.ids[officer], (post,), "test")


def of_confirmations(path: Path) -> list[str]:
    return [each for (each,) in rows(path, "SELECT confirmation FROM confirmations ORDER BY 1")]


def test_who_confirmed_a_decision_is_told_with_his_posts_then(both: World) -> None:
    desk, officer = Hand(both).signed_in("INT"), both.ids["INT"]
    other, named = confirmed(desk, record=both.ids["p4"]), confirmed(desk)
    op = release(desk, named)["op"]
    posts_become(both, "INT", "MED")
    every = bundle(both, ALL, "every")
    of_person, of_terminal = (bundle(both, Scope(*of), of[0]) for of in (
        ("person", both.ids["p1"]), ("terminal", desk.terminal)))  # fmt: skip
    had = [row.posts for row in store.rows(both, tables.postings, officer=officer)]
    assert had == ["INT", "MED"]
    for path in (every, of_person, of_terminal):
        assert said(path).startswith("holds")
        asked = "SELECT op, c.officer, c.terminal FROM operations JOIN confirmations AS c USING (confirmation)"
        assert rows(path, asked) == [(op, officer, desk.terminal)]
        held = rows(path, "SELECT posts FROM postings WHERE officer = ? ORDER BY since", officer)
        assert [posts for (posts,) in held] == had
        named_ones = rows(path, "SELECT officer FROM officers ORDER BY 1")
        assert rows(path, "SELECT DISTINCT officer FROM postings ORDER BY 1") == named_ones
    assert of_confirmations(of_person) == [named], "not those that nothing in it names"
    assert of_confirmations(of_terminal) == of_confirmations(every) == sorted((named, other))


def test_factors_are_in_a_bundle_of_everything_and_their_keys_in_none(both: World) -> None:
    histories.a_factor_goes(History(both, "factors"))
    desk = Hand(both).signed_in("INT")
    release(desk, confirmed(desk))
    every, part = bundle(both, ALL, "every"), bundle(both, Scope("period", since=0))
    kept = store.rows(both, tables.factors)
    listed = set(rows(every, "SELECT factor, officer, removed_at IS NULL FROM factors"))
    assert listed == {(row.factor, row.officer, int(row.removed_at is None)) for row in kept} and len(kept) == 2
    assert rows(part, "SELECT count(*) FROM factors") == [(0,)]
    for content in (every.read_bytes(), part.read_bytes()):
        for key in (bytes(row.key) for row in kept):
            assert key not in content and b64(key).encode() not in content


def test_a_part_that_lists_a_factor_is_none(both: World) -> None:
    histories.a_factor_goes(History(both, "factors"))
    path = bundle(both, Scope("period", since=0))
    change(path, "INSERT INTO factors VALUES ('f', 'o', 'totp', 'k', 'at', NULL, 1, 1, NULL, NULL)")
    assert said(path) == "factor f is listed in a bundle that is not of everything"


def invented(world: World, **other: Any) -> None:
    """A confirmation that the server says was given, after one that was."""
    row = store.rows(world, tables.confirmations)[-1]._asdict() | {"confirmation": uuid7()} | other

    def work(transaction: Transaction) -> None:
        transaction.insert(tables.confirmations, [row])
        who = {name: row[name] for name in ("confirmation", "officer", "session", "terminal", "factor")}
        facts = who | {"digest": b64(row["digest"]), "proof": b64(sha256(row["proof"])), "expires": row["expires_at"]}
        append(transaction, "confirmation.given", facts)

    world.services.door.write(FACILITY, work)


def factor_taken_away(world: World) -> None:
    """The officer's factor goes, and answers once more."""
    factors.remove(world.services.door, FACILITY, store.rows(world, tables.factors)[0].factor, "test")
    invented(world)


NOT_HIS, NOT_THERE = (
    "was given by a factor that its officer did not have then",
    "was not given in a sign-in of its officer",
)
INVENTIONS: dict[str, tuple[Callable[[World], None], str]] = {
    "with a factor that there is not": (lambda world: invented(world, factor=uuid7()), NOT_HIS),
    "with a factor that was taken away": (factor_taken_away, NOT_HIS),
    "by another officer": (lambda world: invented(world, officer=world.ids["LEAD"]), NOT_THERE),
    "at another terminal": (lambda world: invented(world, terminal=uuid7()), NOT_THERE),
    "in a session that there is not": (lambda world: invented(world, session=uuid7()), NOT_THERE),
}


@pytest.mark.parametrize("name", INVENTIONS)
def test_a_confirmation_that_nobody_could_give_is_found_out(both: World, name: str) -> None:
    invention, why = INVENTIONS[name]
    confirmed(Hand(both).signed_in("INT"))
    invented(both)
    assert said(bundle(both, ALL, "as-given")).startswith("holds")
    invention(both)
    assert why in said(bundle(both, ALL, "invented"))


def of_another_officer(desk: Hand, named: str) -> None:
    posts_become(desk.world, "PAT", "INT")
    release(desk.signed_in("PAT"), named)


def twice(desk: Hand, named: str) -> None:
    release(desk, named, seen={"state": "held", "cell": None})
    release(desk, named)


def too_late(desk: Hand, named: str) -> None:
    desk.world.clock.advance(QUARTER)
    release(desk, named)


def let_out(desk: Hand, named: str) -> None:
    """A leader's word on what another had put together of a confirmation, and handed in after he was revoked."""
    stolen = Hand(desk.world).signed_in("INT")
    terminals.revoke(desk.world.services.door, FACILITY, stolen.terminal, "test")
    signoff, seen = BY_SESSION | {"confirmation": named}, {"state": "held", "cell": desk.world.ids["C1"]}
    op = stolen.write("person", "release", desk.world.ids["p1"], RELEASE, base=1, seen=seen, signoff=signoff)
    stolen.evacuate()
    by_a_leader(desk.world, op)


MISUSES: dict[str, tuple[Callable[[Hand, str], Any], str]] = {
    "another decision": (lambda desk, named: release(desk, named, fields=RELEASE | {"ground": "bail"}), OF_ANOTHER),
    "another officer": (of_another_officer, OF_ANOTHER),
    "another terminal": (lambda desk, named: release(Hand(desk.world).signed_in("INT"), named), OF_ANOTHER),
    "out of escrow": (let_out, OF_ANOTHER),
    "none that was given": (lambda desk, _: release(desk, uuid7()), "which the bundle has not"),
    "too late": (too_late, "which was not good then"),
    "used twice": (twice, "which another had used"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISUSES)
def test_a_server_that_lets_a_decision_pass_unconfirmed_is_found_out(
    both: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log is whole and signed; what it did is wrong. A server that refuses the same leaves nothing wrong."""
    misuse, why = MISUSES[name]
    desk = Hand(both).signed_in("INT")
    misuse(desk, confirmed(desk))
    assert told(both, "refused") == {"holds"}
    assert not [row for row in store.rows(both, tables.records, id=both.ids["p1"]) if row.state == "released"]
    monkeypatch.setattr("sync.judging.signing.confirm", lambda *_: Confirmation(lost=True))
    desk.signed_in("INT")
    misuse(desk, confirmed(desk))
    assert told(both, "passed") == {why}


def test_what_came_in_time_may_wait_and_a_leader_s_word_stands_for_what_was_lost(both: World) -> None:
    waiting, lost, needed, op = Hand(both).signed_in("INT"), Hand(both).signed_in("INT"), uuid7(), uuid7()
    assert release(waiting, confirmed(waiting), after=[needed])["status"] == "held"
    assert told(both, "held") == {"holds"}
    copy = everything(both)
    assert release(lost, confirmed(lost), op=op)["status"] == "applied"
    assert told(both, "applied") == {"holds"}
    both.clock.advance(4 * QUARTER)
    put_back(both, copy)
    opens(both)
    assert [each["problem"]["code"] for each in lost.told()] == ["confirmation.lost"]
    assert told(both, "restored") == {"holds"}
    assert by_a_leader(both, op) == ("applied", None)
    other = Hand(both).signed_in("PAT")
    other.open(op=needed)
    other.told()
    assert waiting.fetch(1)["outcomes"][0]["status"] == "conflict", "the other has let him go"
    assert told(both, "after") == {"holds"}
