"""Which terminal was given what, and when: noted at each pull that is complete, written now and then, never awaited.

A pull must not wait for a write, nor fail for one. So it is noted in memory, and what is lost with the process is at
most a quarter of a minute of sightings: the auditor's view then names a later pull than the first.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import orjson
import structlog
from sqlalchemy import Connection, bindparam, select

from backend.audit.log import append
from backend.identity import officers
from backend.identity.sessions import Session
from backend.kernel.ids import b64, sha256
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Store
from sync.reading.sights import Sights

IDLE_MS = 10 * 60_000
"""A pull that brought nothing is written no more often than this: its sequence number rises with others' work."""
_MOST_KNOWN = 50_000
_BEGIN = re.compile(rb'\{"epoch":\d+,"at":(\d+),"more":false,"partitions":\[(.)')
_SNAPSHOTS = b'],"snapshots":['
_P, _O = tables.pulls.c, tables.officers.c
_log = structlog.get_logger(__name__)


class Sighting(NamedTuple):
    """A terminal was given all of an officer's scope up to sequence number ``seq``. ``at``: milliseconds."""

    terminal: str
    officer: str
    seq: int
    at: int


class Sightings:
    """Notes pulls in memory and writes them, one transaction a facility."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._guard, self._writing = threading.Lock(), threading.Lock()
        self._noted: dict[str, dict[tuple[str, str], Sighting]] = defaultdict(dict)
        self._known: dict[tuple[str, str, str], tuple[int, int]] = {}
        wanted = select(_P.seq).where(
            _P.facility == bindparam("f"), _P.terminal == bindparam("t"), _P.officer == bindparam("o")
        )
        self._newest = door.store.prepare(wanted.order_by(_P.seq.desc()).limit(1))
        self._insert = door.store.insertion(tables.pulls)

    def hear(self, session: Session, page: bytes) -> None:
        """An answer to a pull, as it is sent: it is noted when nothing more is to come."""
        begin = _BEGIN.match(page)
        if begin is not None and page[page.rfind(_SNAPSHOTS) + len(_SNAPSHOTS) :].startswith(b"]"):
            at, entry = begin.groups()
            self.note(
                session.officer.facility, session.terminal, session.officer.officer, int(at), brought=entry != b"]"
            )

    def note(self, facility: str, terminal: str, officer: str, seq: int, *, brought: bool) -> None:
        """A pull that is complete up to ``seq``; whether it brought anything. Costs two look-ups."""
        now, pair = self._door.clock.now(), (terminal, officer)
        with self._guard:
            known = self._known.get((facility, *pair))
            if known is not None and (seq <= known[0] or (not brought and now - known[1] < IDLE_MS)):
                return
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[facility, *pair] = (seq, now)
            self._noted[facility][pair] = Sighting(terminal, officer, seq, now)

    def flush(self) -> None:
        """Writes what was noted. What a busy database refuses is noted again.

        Who comes while another writes waits for it: at the end of the process nothing may be in between.
        """
        with self._writing:
            self._flush()

    def _flush(self) -> None:
        with self._guard:
            taken, self._noted = self._noted, defaultdict(dict)
        for facility, noted in taken.items():
            try:
                self._door.write(facility, partial(self._enter, noted=sorted(noted.values())))
            except Problem as problem:
                _log.warning("sightings not written", code=problem.code, count=len(noted))
                with self._guard:
                    self._noted[facility] = noted | self._noted[facility]

    def _enter(self, transaction: Transaction, noted: list[Sighting]) -> None:
        """Rows that are new, and one leaf for them; a resend or another process may have been before."""
        key = {"f": transaction.facility}
        fresh = []
        for each in noted:
            row = self._newest.first(transaction.connection, key | {"t": each.terminal, "o": each.officer})
            if row is None or row.seq < each.seq:
                fresh.append(each)
        if fresh:
            transaction.put(self._insert, [{"facility": transaction.facility, **each._asdict()} for each in fresh])
            append(transaction, "pulls.noted", {"count": len(fresh), "digest": b64(digest(fresh))})


def digest(noted: Iterable[Sighting]) -> bytes:
    """SHA-256 over ``[terminal, officer, seq, at]`` of each as compact JSON, sorted, LF after each."""
    return sha256(*(orjson.dumps(list(each)) + b"\n" for each in sorted(noted)))


class Audience:
    """Who is given a partition now."""

    def __init__(self, store: Store, sights: Sights) -> None:
        self._store = store
        self._sights = sights
        known = select(tables.officers).where(_O.facility == bindparam("f"), store.among(_O.officer, "ids"))
        self._known = store.prepare(known)

    def holding(self, connection: Connection, facility: str, ids: Iterable[str], partition: str, now: int) -> set[str]:
        """Those of these officers whose present scope holds a partition."""
        rows = self._known.all(connection, {"f": facility, "ids": self._store.listed(sorted(set(ids)))})
        sight = self._sights.read
        return {row.officer for row in rows if partition in sight(connection, officers.of_row(row), now).partitions}
