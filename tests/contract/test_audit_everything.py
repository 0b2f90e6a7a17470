"""A history in which everything has happened: whatever table is edited behind the server's back, the verifier names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Table, insert

from backend.audit.verify import Broken
from backend.kernel.framing import link
from backend.kernel.keys import SigningKey
from backend.storage import tables
from backend.storage.scratch import volatile
from tests.contract.test_audit import everything, put_back, remove
from tests.support import histories, store
from tests.support.chance import tries
from tests.support.histories import History
from tests.support.world import World

HISTORY = (
    histories.walks, histories.waits, histories.is_backed_up, histories.leaves_a_gap, histories.desk_moves_a_person,
    histories.waits, histories.brings_what_was_owed, histories.forks, histories.reports_itself, histories.closes_a_place,
    histories.opens_an_epoch, histories.walks, histories.waits, histories.desk_disputes, histories.is_revoked,
    histories.shows_a_head_that_is_lost, histories.raises_an_alarm, histories.turns_the_key, histories.is_backed_up,
    histories.leaves_a_gap, histories.walks, histories.a_factor_goes, histories.posts_change,
    histories.posts_change, histories.posts_change, histories.desk_decides, histories.desk_decides,
    histories.desk_takes_a_complaint, histories.a_duty_is_reckoned, histories.leaves_a_gap,
    histories.attaches_a_file, histories.attaches_a_file, histories.attaches_a_file, histories.attaches_a_file,
)  # fmt: skip


@pytest.fixture
def lived(both: World) -> World:
    History(both, "lived").do(*HISTORY)
    store.verified(both)
    return both


def some(world: World, table: Table, *, newest: bool = False, **where: Any) -> dict[str, Any]:
    """The key of a row."""
    row = store.rows(world, table, **where)[-1 if newest else 0]
    return {column.name: getattr(row, column.name) for column in table.primary_key.columns}


def edit(
    table: Table, where: dict[str, Any] | None = None, *, newest: bool = False, **values: Any
) -> Callable[[World], None]:
    """Changes one row, the first or last that matches."""
    return lambda world: store.alter(world, table, some(world, table, newest=newest, **(where or {})), **values)


def take(table: Table, **where: Any) -> Callable[[World], None]:
    """Takes one row out."""
    return lambda world: remove(world, table, **some(world, table, **where))


def add(table: Table, **values: Any) -> Callable[[World], None]:
    """Puts a row in: one that is there, with other values."""

    def do(world: World) -> None:
        row = store.rows(world, table)[0]._asdict() | values
        with world.services.store.writing() as connection:
            connection.execute(insert(table), row)

    return do


def another_key(world: World) -> None:
    """A terminal's key with its thumbprint, so that the two agree."""
    key = SigningKey.generate()
    jwk = '{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}'.format(**key.jwk)
    store.alter(world, tables.terminals, some(world, tables.terminals, newest=True), jwk=jwk, thumbprint=key.thumbprint)


def unsettle(world: World) -> None:
    """A hold that has ended is opened again."""
    held = next(row for row in store.rows(world, tables.holds) if row.settled_at is not None)
    store.alter(world, tables.holds, {"terminal": held.terminal, "n": held.n}, settled_at=None)


def end_hold(world: World) -> None:
    """A hold that is open is closed without an outcome."""
    held = next(row for row in store.rows(world, tables.holds) if row.settled_at is None)
    store.alter(world, tables.holds, {"terminal": held.terminal, "n": held.n}, settled_at=1)


def forge_fork(world: World) -> None:
    """The end of a fork gets other bytes with a hash that fits."""
    before, last = store.rows(world, tables.forks)[-2:]
    raw = b"{}"
    hash_ = link(before.hash, last.n, raw)
    store.alter(world, tables.forks, some(world, tables.forks, newest=True), raw=raw, hash=hash_)


def drop_epoch(world: World) -> None:
    """The first epoch's leaves go, and with them all that was signed of it."""
    remove(world, tables.leaves, epoch=1)
    remove(world, tables.tree_heads, epoch=1)


def reorder(world: World) -> None:
    """Two leaves change places."""
    one, other = (store.one(world, tables.leaves, epoch=1, position=n) for n in (8, 9))
    store.alter(world, tables.leaves, {"epoch": 1, "position": 8}, body=other.body)
    store.alter(world, tables.leaves, {"epoch": 1, "position": 9}, body=one.body)


HELD, EDITED = {"status": "held"}, b'{"n":1}'
SAFE = 10**6
ACTS: dict[str, tuple[Callable[[World], None], str]] = {
    # the log and its epochs
    "a leaf of an old epoch": (edit(tables.leaves, {"epoch": 1, "position": 7}, body=b'{"act":"x"}'), "a leaf was changed"),
    "a leaf that cannot be read": (edit(tables.leaves, {"epoch": 1, "position": 7}, body=b"x"), "leaf 7 of epoch 1 cannot"),
    "the order of leaves": (reorder, "do not come to the signed root"),
    "an old epoch": (drop_epoch, "begins with epoch 2"),
    "an epoch's reason": (edit(tables.epochs, reason="another"), "row of epoch 2 differs"),
    "an epoch's operator": (edit(tables.epochs, operator="another"), "row of epoch 2 differs"),
    "an epoch's end": (edit(tables.epochs, previous_size=1), "row of epoch 2 differs"),
    "an epoch's moment": (edit(tables.epochs, opened_at=1), "row of epoch 2 differs"),
    "an epoch's row": (take(tables.epochs), "epoch 2 does not begin with its opening"),
    "one epoch more": (add(tables.epochs, epoch=9), "epoch 9 is said to have been opened"),
    "a head of an old epoch": (edit(tables.tree_heads, {"epoch": 1}, root=b"\0" * 32), "is not the root of the first"),
    "a head that was never signed": (add(tables.tree_heads, size=9999), "is not one of this log"),
    # witnesses and backups
    "a witness": (edit(tables.witnesses, size=9), "speaks of epoch 1 and 100"),
    "a witness's source": (edit(tables.witnesses, source="another"), "has no leaf, or no row"),
    "a witness taken out": (take(tables.witnesses), "has no leaf, or no row"),
    "a backup's place": (edit(tables.backups, place="another"), "rows of verified backups differ"),
    "a backup taken out": (take(tables.backups), "rows of verified backups differ"),
    "a backup's root": (edit(tables.backups, root=b"\0" * 32), "rows of verified backups differ"),
    "what backups cover": (edit(tables.facilities, safe_size=SAFE), "the facility speaks of 1000000"),
    "what a terminal may forget": (edit(tables.terminals, newest=True, safe_n=SAFE), "is covered by backups up to"),
    # terminals and their chains
    "a terminal's key": (another_key, "another key than the log says"),
    "a terminal's jwk alone": (edit(tables.terminals, jwk="{}"), "another key than its thumbprint says"),
    "a terminal's state": (edit(tables.terminals, {"state": "revoked"}, state="active"), "is said to be active, the log says"),
    "a terminal's end": (edit(tables.terminals, newest=True, last_n=0), "as is said"),
    "a terminal's last hash": (edit(tables.terminals, newest=True, last_hash=b"\0" * 32), "as is said"),
    "a terminal's highest number": (edit(tables.terminals, newest=True, top_n=77), "as is said"),
    "an ended incarnation": (take(tables.incarnations), "is no longer there"),
    "an ended incarnation's key": (edit(tables.incarnations, thumbprint="x"), "another key than its thumbprint says"),
    "an ended incarnation's end": (edit(tables.incarnations, last_n=0), "as is said"),
    "a segment's claim": (edit(tables.segments, prior=b"\0" * 32), "not the bytes that its chain was made over"),
    "a segment's end": (edit(tables.segments, last=99), "has other segments than is said"),
    "a segment taken out": (take(tables.segments), "is missing"),
    "a segment put in": (add(tables.segments, first=999), "has other segments than is said"),
    "a segment of nobody": (add(tables.segments, terminal="x"), "that there is not"),
    "a forked operation": (edit(tables.forks, newest=True, raw=b"{}"), "is not the bytes that were sent"),
    "a fork's end, forged whole": (forge_fork, "is no longer there"),
    "a forked operation taken out": (take(tables.forks), "has other forked operations"),
    "what a terminal reported": (edit(tables.reports, body=b"{}"), "the report of terminal"),
    "a report taken out": (take(tables.reports), "the report of terminal"),
    "a file's size": (edit(tables.files, size=1), "differs from its leaf"),
    "a file's type": (edit(tables.files, type="image/png"), "differs from its leaf"),
    "who brought a file": (edit(tables.files, terminal="x"), "differs from its leaf"),
    "when a file came": (edit(tables.files, stored_at=1), "differs from its leaf"),
    "a file taken out": (take(tables.files), "differs from its leaf"),
    "a file put in": (add(tables.files, digest=bytes(32)), "differs from its leaf"),
    "which file is named": (edit(tables.attachments, digest=bytes(32)), "names differs from its rows"),
    "what names a file": (edit(tables.attachments, record="x"), "names differs from its rows"),
    "a name taken out": (take(tables.attachments), "names differs from its rows"),
    "a name put in": (add(tables.attachments, n=SAFE), "names differs from its rows"),
    "what a terminal was shown": (edit(tables.alarms, body=b"{}"), "the alarm of terminal"),
    "an alarm taken out": (take(tables.alarms), "the alarm of terminal"),
    "which key signs": (edit(tables.facilities, key="x"), "speaks of another key"),
    # officers, their factors and decisions
    "the posts of today": (edit(tables.officers, posts="ADM"), "the posts of officer"),
    "the posts of once": (edit(tables.postings, posts="ADM"), "the posts of officer"),
    "since when a post was held": (edit(tables.postings, newest=True, since=1), "the posts of officer"),
    "a posting taken out": (take(tables.postings), "the posts of officer"),
    "an officer put in": (add(tables.officers, officer="x", number="x"), "the posts of officer x"),
    "a factor's key": (edit(tables.factors, key=b"x"), "differs from its leaf"),
    "whose factor it is": (edit(tables.factors, officer="x"), "differs from its leaf"),
    "a factor taken out": (take(tables.factors), "differs from its leaf"),
    "a factor that was removed": (edit(tables.factors, {"removed_at": None}, removed_at=1), "differs from its leaf"),
    "what was confirmed": (edit(tables.confirmations, digest=b"\0" * 32), "differs from its leaf"),
    "what a factor answered": (edit(tables.confirmations, proof=b"{}"), "differs from its leaf"),
    "until when it was good": (edit(tables.confirmations, expires_at=10**15), "differs from its leaf"),
    "what used it": (edit(tables.confirmations, op="x"), "was not used by operation x"),
    "that it was used": (edit(tables.confirmations, op=None), "was not used by operation None"),
    "a confirmation taken out": (take(tables.confirmations), "is missing"),
    # operations and custody
    "an operation's epoch": (edit(tables.operations, {"epoch": 1}, epoch=2), "or its outcome differs from its leaf"),
    "an operation's leaf": (edit(tables.operations, leaf=0), "or its outcome differs from its leaf"),
    "an operation's time": (edit(tables.operations, received_at=1), "come at another time"),
    "a held one's status": (edit(tables.operations, HELD, status="applied"), "has no leaf"),
    "a held one's receipt": (edit(tables.operations, HELD, outcome=EDITED), "not in the custody"),
    "a held one taken out": (take(tables.operations, **HELD), "is missing"),
    "a final outcome": (edit(tables.operations, {"status": "applied"}, status="held"), "waits in custody, but leaf"),
    "a receipt": (edit(tables.holds, receipt=EDITED), "receipt of operation"),
    "a receipt's leaf": (edit(tables.holds, leaf=0), "receipt of operation"),
    "a receipt's deadline": (edit(tables.holds, deadline=1), "held until another time"),
    "a receipt taken out": (take(tables.holds), "has a leaf but is no longer there"),
    "a hold that is opened again": (unsettle, "not in the custody"),
    "a hold that is ended": (end_hold, "not in the custody"),
    "the count of held ones": (edit(tables.facilities, held=0), "the facility speaks of 0"),
    # records and what is kept beside them
    "a conflict": (edit(tables.records, {"kind": "conflict"}, body=b"{}"), "differs from its leaf"),
    "a record's place": (edit(tables.records, {"kind": "person"}, place="x"), "filed under other columns"),
    "a record's owner": (edit(tables.records, {"kind": "patrol.round"}, terminal="x"), "filed under other columns"),
    "a record's author": (edit(tables.records, {"kind": "patrol.round"}, author="x"), "filed under other columns"),
    "since when it is his": (edit(tables.records, {"kind": "person"}, since=9), "filed under other columns"),
    "a tombstone": (edit(tables.records, {"state": "removed"}, state="open"), "filed under other columns"),
    "a partition's digest": (edit(tables.partitions, digest=b"\0" * 32), "is not the sum of its records"),
    "a partition's count": (edit(tables.partitions, count=99), "is not the sum of its records"),
    "a partition's presence": (edit(tables.partitions, present=99), "is not the sum of its records"),
    "a partition's newest": (edit(tables.partitions, seq=1), "is not the sum of its records"),
    "a partition's low water": (edit(tables.partitions, floor=10**6), "low-water mark"),
    "a partition taken out": (take(tables.partitions), "is missing"),
    "a partition put in": (add(tables.partitions, partition="x"), "is of no record"),
    "a stay's place": (edit(tables.stays, newest=True, place="x"), "the stays of person"),
    "a stay's moment": (edit(tables.stays, newest=True, since=10**15), "the stays of person"),
    "a stay taken out": (take(tables.stays), "the stays of person"),
    "a stay of nobody": (add(tables.stays, person="x"), "has stays and no record"),
    "a dispute": (edit(tables.disputes, conflict="x"), "the dispute over record"),
    "who is left out": (edit(tables.exclusions, officer="x"), "who is left out of matter/"),
    "nobody left out": (take(tables.exclusions), "who is left out of matter/"),
    "one left out more": (add(tables.exclusions, officer="x"), "who is left out of matter/"),
    "how far duties are reckoned": (edit(tables.engines, seq=10**6), "cursor of the duty rules"),
    "the pack of the duties": (edit(tables.engines, pack="x"), "cursor of the duty rules"),
    "that duties are reckoned": (take(tables.engines), "cursor of the duty rules"),
    "what is watched": (edit(tables.watches, body=b"{}"), "what the duty rules have in mind"),
    "a watch taken out": (take(tables.watches), "what the duty rules have in mind"),
    "a watch put in": (add(tables.watches, key="x"), "what the duty rules have in mind"),
    "a dispute taken out": (take(tables.disputes), "the dispute over record"),
    "a dispute put in": (add(tables.disputes, record="x"), "the dispute over record"),
    "the newest number": (edit(tables.facilities, seq=10**6), "the newest version is number"),
}  # fmt: skip
COPIED = {name for name in ACTS if "backup" in name}
"""Needs a copy that the test can make."""


def test_whatever_is_edited_is_named(lived: World) -> None:
    before, found = everything(lived), {}
    for name, (do, said) in ACTS.items():
        if name in COPIED and not lived.services.store.sqlite and "cover" not in name:
            continue
        do(lived)
        try:
            found[name] = (said, str(store.verified(lived)))
        except Broken as broken:
            found[name] = (said, str(broken))
        put_back(lived, before)
    assert {name: told for name, (said, told) in found.items() if said not in told} == {}
    store.verified(lived)


def test_the_history_is_one_in_which_everything_has_happened(lived: World) -> None:
    empty = {table.name for table in tables.metadata.sorted_tables if not store.rows(lived, table)}
    # A node is kept of 256 leaves: tests/contract/test_proofs.py has them.
    volatile_ones = {table.name for table in volatile()}
    assert empty - {"backups", "nodes"} - volatile_ones == {"pulls"}
    statuses = {row.status for row in store.rows(lived, tables.operations)}
    assert statuses >= {"applied", "held", "quarantined", "conflict", "escrowed"}


@tries(8)
@given(seed=st.integers(0, 2**32))
def test_whatever_happens_the_log_verifies(seed: int, tmp_path_factory: Any, templates: Any) -> None:
    with templates.world("sqlite", tmp_path_factory.mktemp("history")) as world:
        history = History(world, str(seed)).play(25)
        assert store.verified(world).leaves > 30, history.done
