"""What drives the engine: it reads what is new, lets the clock run, and has done what comes of it.

Acts, memory and cursor are written in one transaction, which only happens if the cursor is where this run began; so a
second process or a restart repeats and forgets nothing. What comes to no act is kept in memory alone, and written now and
then: it can be heard again.
"""

from __future__ import annotations

import hmac
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
import structlog
from sqlalchemy import Connection

from backend.audit import reckoning
from backend.audit.log import append
from backend.domain.rules.model import Pack
from backend.duty.engine.course import Ports
from backend.duty.engine.engine import Engine, Run
from backend.duty.engine.family import Act, Input, Presence, Rota, Watcher
from backend.duty.inputs import Inputs
from backend.duty.packs import Packs
from backend.duty.presence import Present
from backend.duty.state import Cursor, States, Weights
from backend.facts.rosters import Rosters
from backend.identity import system
from backend.identity.contacts import Contacts
from backend.kernel.problems import Problem
from backend.storage.door import Door, Transaction

_log = structlog.get_logger(__name__)
KEEP_AFTER_MS = 15 * 60_000
"""How long memory may run ahead of what is written down."""
KEEP_AFTER = 2_000
"""How many changes of it may."""
MOST_ROUNDS = 50
"""Rounds of one tick: acts that must be heard before the clock goes on, and others that were faster."""


class Serve(Protocol):
    """Has acts done by the server (``sync.writing.local.Desk.serve``): outcomes in their order, None for those that had no
    sense any more. ``first`` writes in the same transaction; what it raises stops it all."""

    def __call__(
        self, facility: str, deeds: Sequence[Act], first: Callable[[Transaction], None]
    ) -> Sequence[Mapping[str, Any] | None]: ...


@dataclass(slots=True)
class _Kept:
    """An engine with the cursor that it has run to. ``base``: the cursor that is written down; ``last``: when that was."""

    engine: Engine
    weights: Weights
    cursor: Cursor
    base: Cursor | None
    last: int


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the clockwork reads. ``key``: secret of the installation; ``companions``: watchers that no rule asks for."""

    packs: Packs
    rosters: Rosters
    contacts: Contacts
    key: bytes
    companions: Sequence[Watcher] = ()


@dataclass(slots=True)
class _Round:
    """One look: what was read, and what came of it."""

    kept: _Kept
    run: Run
    cursor: Cursor


class _Elsewhere(Exception):
    """Another process has just ticked."""


class Clockwork:
    """Ticks for facilities. Every serving process may have one: while another one ticks, and for ``patience_ms`` after, this
    one leaves it to that, since it would have to read anew what the engine has in mind."""

    def __init__(self, door: Door, sources: Sources, serve: Serve, patience_ms: int = 0) -> None:
        self._patience_ms = patience_ms
        self._door = door
        self._sources = sources
        self._serve = serve
        self._inputs = Inputs(door.store)
        self._states = States(door.store)
        self._present = Present(door.store, sources.contacts)
        self._kept: dict[str, _Kept] = {}
        self._system: dict[str, str] = {}
        self._turns: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def tick(self, facility: str) -> int:
        """Does what is due in a facility; how many acts that were.

        Raises UnknownFacility, Problem ``server.busy``, ``server.behind``; nothing is lost then, the next tick does it.
        """
        with self._turns[facility]:
            done = 0
            for _ in range(MOST_ROUNDS):
                try:
                    acts, finished = self._round(facility)
                except _Elsewhere:
                    break
                except Problem as problem:
                    self._kept.pop(facility, None)
                    if problem.code != "state.changed":
                        raise
                    continue
                except BaseException:
                    self._kept.pop(facility, None)
                    raise
                done += acts
                if finished:
                    break
            return done

    def foresee(self, facility: str, at: int) -> list[tuple[Act, str]]:
        """What would be done up to a moment to come if nothing more happened: each act with the state that it leaves its
        record in, as far as it says. Nothing is written. Raises UnknownFacility."""
        now = self._door.clock.now()
        officer = system.ensure(self._door, facility).officer
        found: list[tuple[Act, str]] = []
        with self._door.store.reading() as connection:
            base = self._states.cursor(connection, facility)
            pack = self._sources.packs.in_force(connection, facility, now)
            kept = self._opened(connection, facility, base, self._ports(connection, facility, officer, pack, now), now)
            inputs = self._first(connection, facility, kept, now)
            for _ in range(MOST_ROUNDS):
                run = kept.engine.advance(inputs, at)
                inputs = inputs[run.heard :]
                found += [(act, act.becomes or "") for act in run.acts]
                if not run.halted:
                    break
        return found

    def _round(self, facility: str) -> tuple[int, bool]:
        """One look and what comes of it: how many acts, and whether the clock has come to the present."""
        now = self._door.clock.now()
        officer = self._system.get(facility) or system.ensure(self._door, facility).officer
        self._system[facility] = officer
        with self._door.store.reading() as connection:
            look = self._look(connection, facility, officer, now)
        kept, run = look.kept, look.run
        if run.acts or kept.base is None or self._should_keep(kept, now):
            self._write(facility, look, now)
        kept.cursor = look.cursor
        return len(run.acts), not run.halted

    def _look(self, connection: Connection, facility: str, officer: str, now: int) -> _Round:
        base = self._states.cursor(connection, facility)
        kept = self._kept.get(facility)
        if base is not None and (kept is None or kept.base != base) and 0 <= now - base.at < self._patience_ms:
            raise _Elsewhere
        pack = self._sources.packs.in_force(connection, facility, now)
        if kept is None or kept.base != base or kept.cursor.pack != pack.digest:
            kept = self._opened(connection, facility, base, self._ports(connection, facility, officer, pack, now), now)
            self._kept[facility] = kept
        else:
            kept.engine.told(self._ports(connection, facility, officer, pack, now))
        epoch, seq = self._inputs.reach(connection, facility)
        inputs = self._first(connection, facility, kept, now)
        run = kept.engine.advance(inputs, now)
        upto = seq if run.heard == len(inputs) else inputs[run.heard].after.seq - 1
        return _Round(kept, run, Cursor(epoch, upto, run.reached, pack.digest))

    def _first(self, connection: Connection, facility: str, kept: _Kept, now: int) -> list[Input]:
        """What the engine has not heard; one that begins has learnt what was before, and hears nothing more."""
        if kept.engine.began:
            kept.engine.begin(now)
            return self._inputs.since(connection, facility, kept.cursor.seq)
        for each in self._inputs.standing(connection, facility):
            kept.engine.learn([each], now)
        kept.engine.begin(now)
        return []

    def _opened(self, connection: Connection, facility: str, base: Cursor | None, ports: Ports, now: int) -> _Kept:
        """The engine from what is written down, or from nothing."""
        cursor = base or Cursor(1, 0, now, ports.pack.digest)
        memory, weights = self._states.read(connection, facility)
        engine = Engine(ports, memory, self._sources.companions, _broken, cursor.at)
        return _Kept(engine, weights, cursor, base, now)

    def _ports(self, connection: Connection, facility: str, officer: str, pack: Pack, now: int) -> Ports:
        rota: Rota = self._sources.rosters.read(connection, facility)
        presence: Presence = self._present.at(connection, facility, now)
        key = hmac.digest(self._sources.key, f"duty\n{facility}".encode(), "sha256")
        return Ports(facility, pack, rota, presence, key, officer)

    def _should_keep(self, kept: _Kept, now: int) -> bool:
        changed = kept.engine.memory.changed
        return changed >= KEEP_AFTER or (changed > 0 and now - kept.last >= KEEP_AFTER_MS)

    def _write(self, facility: str, look: _Round, now: int) -> None:
        kept, acts = look.kept, look.run.acts
        changed = kept.engine.memory.changes().items()
        changes = {key: None if body is None else orjson.dumps(body) for key, body in changed}
        watches = kept.weights.change(changes)

        def first(transaction: Transaction) -> None:
            if self._states.cursor(transaction.connection, facility) != kept.base:
                raise Problem("state.changed")
            self._states.write(transaction, look.cursor, changes)
            upto = look.cursor
            facts = {"epoch": upto.epoch, "seq": upto.seq, "clock": upto.at, "pack": upto.pack, "acts": len(acts)}
            append(transaction, reckoning.ACT, facts | {"watches": watches})

        outcomes = self._serve(facility, acts, first)
        kept.base, kept.last = look.cursor, now
        for act, outcome in zip(acts, outcomes, strict=True):
            if outcome is not None and outcome["status"] not in {"applied", "merged"}:
                said = {"code": (outcome.get("problem") or {}).get("code"), "status": outcome["status"]}
                _log.warning("act of the server not taken", kind=act.kind, verb=act.verb, record=act.record, **said)
            if outcome is None or outcome["status"] not in {"applied", "merged"}:
                kept.engine.refused(act)


def _broken(owner: str, fault: Exception) -> None:
    _log.error("a rule broke", owner=owner, fault=type(fault).__name__, why=str(fault), exc_info=fault)
