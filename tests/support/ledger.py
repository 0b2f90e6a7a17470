"""What must hold of a store whatever has been killed: asked of the database itself, with no server between."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from sqlalchemy import select

from backend.audit import witness
from backend.audit.verify import Verified, verify
from backend.identity.keyring import Keyring
from backend.kernel.keys import load_jwk
from backend.settings import Settings
from backend.storage import tables
from backend.storage.engine import Store
from tests.support.crew import Hand, Site
from tests.support.world import FACILITY


class Ledger:
    """All that a store holds, read in one consistent view."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        with _store(settings) as store, store.reading() as connection:

            def every(table: Any) -> list[Any]:
                return list(connection.execute(select(table)).all())

            self.operations = sorted(every(tables.operations), key=lambda row: (row.terminal, row.n))
            self.records = sorted(every(tables.records), key=lambda row: row.seq)
            self.versions = every(tables.versions)
            self.partitions = {row.partition: (row.seq, row.count) for row in every(tables.partitions)}
            self.ends = {row.terminal: row for row in every(tables.terminals)}
            (self.facility,) = every(tables.facilities)

    def verify(self, heads: Sequence[str] = ()) -> Verified:
        """The auditor's verifier, against the installation's own witness and against each of these heads."""
        key = load_jwk(Keyring.open(self._settings.data / "keys").head.jwk)
        own = witness.recall(self._settings.data / "witness", FACILITY)
        with _store(self._settings) as store:
            return [verify(store, FACILITY, key, head) for head in (own, *heads)][-1]

    def of(self, terminal: str) -> list[tuple[int, str, bytes, bytes]]:
        """A terminal's operations: number, op, bytes, outcome."""
        return [(row.n, row.op, row.raw, row.outcome) for row in self.operations if row.terminal == terminal]

    def consistent(self) -> None:
        """Every operation once, its effect with it; numbers, ends of chains, sequence and partitions agree."""
        bodies = [orjson.loads(row.body) for row in (*self.records, *self.versions)]
        effects = Counter(body["op"] for body in bodies)
        applied = Counter(row.op for row in self.operations if row.status == "applied")
        assert effects == applied, "an effect without its operation, or an operation without its effect"
        assert set(applied.values()) <= {1}
        sequence = sorted(body["seq"] for body in bodies)
        assert sequence == list(range(1, self.facility.seq + 1)), "the sequence has a gap or a duplicate"
        numbers = defaultdict(list)
        for row in self.operations:
            numbers[row.terminal].append(row.n)
        for terminal, end in self.ends.items():
            assert numbers[terminal] == list(range(1, end.last_n + 1)), f"the numbers of {end.label}"
        told: dict[str, tuple[int, int]] = {}
        for row in self.records:
            told[row.partition] = (row.seq, told.get(row.partition, (0, 0))[1] + 1)
        assert self.partitions == told

    def remembers(self, hands: Sequence[Hand]) -> None:
        """Nothing that a terminal was told is lost, or has become anything else."""
        outcomes = {row.op: row.outcome for row in self.operations}
        for hand in hands:
            hand.learn()
            for op, told in hand.known.items():
                assert outcomes.get(op) == told, f"{hand.officer} was told of {op}: {told!r}"


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    store = Store(settings.database)
    try:
        yield store
    finally:
        store.close()


def check(here: Site) -> Ledger:
    """Everything that must hold at any moment at which nobody writes."""
    ledger = Ledger(here.settings)
    ledger.consistent()
    ledger.remembers([*here.hands, here.reader])
    heads = {hand.terminal.anchor.jws for hand in (*here.hands, here.reader) if hand.terminal.anchor is not None}
    ledger.verify(sorted(heads))
    return ledger


def check_settled(here: Site) -> Ledger:
    """What must hold besides when every queue is empty: both sides have the same, and so has who reads anew."""
    ledger = check(here)
    for hand in here.hands:
        mine = [(each.n, each.op, each.raw, orjson.dumps(each.outcome)) for each in hand.terminal.queue()]
        assert mine == ledger.of(hand.terminal.identity.terminal), f"{hand.officer} and the server differ"
        assert {each.status for each in hand.terminal.queue()} <= {"applied"}
        _holds_his_scope(hand, ledger)
    assert here.reader.terminal.rows() == [], "somebody has read before"
    here.reader.terminal.pull(limit=100)
    assert here.reader.bodies() == [row.body for row in ledger.records]
    return ledger


def _holds_his_scope(hand: Hand, ledger: Ledger) -> None:
    """What he gathered pull by pull is what his partitions hold now."""
    hand.terminal.pull()
    held = hand.terminal.store.cursors()
    scope = [row.body for row in ledger.records if row.partition in held]
    assert hand.bodies() == scope, f"{hand.officer} has missed rows"
