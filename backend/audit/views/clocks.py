"""What a terminal's operations say of its clock, and of when things were entered: facts, and no verdict.

The device says when something was recorded (``recorded_at``) and seen (``observed_at``), and counts milliseconds since
its start (``clock``). The server knows when it was received, and when the head that it names (``anchor``) was signed: it
was recorded between the two. So the device's clock is ahead by something from ``recorded_at - received_at`` to
``recorded_at - anchor``; and between two operations of one start, clock and count must go on alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, select

from backend.audit.views import names, pages
from backend.audit.views.operations import anchor_of, readable
from backend.kernel.clock import from_text
from backend.kernel.ids import b64
from backend.storage import tables

_O, _T, _N = (table.c for table in (tables.operations, tables.terminals, tables.tree_heads))
MOST_OPERATIONS = 500
MOST_FACTS = 100
"""Of each sort in one answer."""
TOLERANCE = 2_000
"""Milliseconds by which clock and count may part between two operations before it is told as a jump."""
BATCH_LEAST, BATCH_WITHIN = 3, 60_000
"""Entries one after the other: so many, each within so many milliseconds of the one before, seen over a longer time."""
EVEN_LEAST, EVEN_WITHIN = 4, 1_000
"""Intervals between things seen: so many in a row that differ by less than so many milliseconds."""
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tick:
    """The times of one operation, in milliseconds. ``anchored``: when the head that it names was signed, if known."""

    incarnation: int
    n: int
    kind: str
    boot: str
    counted: int
    observed_at: int
    recorded_at: int
    received_at: int
    anchored: int | None


def page(connection: Connection, facility: str, terminal: str, after: str | None, limit: int) -> dict[str, Any] | None:
    """``{terminal, operations, clocks…, after}`` over the next ``limit`` operations of a terminal, by number.

    None if the facility has no such terminal. A jump or a run that lies across two pages is told by neither.
    """
    known = names.of_terminals(connection, facility, [terminal])
    if terminal not in known:
        return None
    key = pages.opened(after, (int, int))
    mine = (_O.facility == facility, _O.terminal == terminal, pages.beyond((_O.incarnation, _O.n), key))
    wanted = select(_O.incarnation, _O.n, _O.raw, _O.received_at).where(*mine).order_by(_O.incarnation, _O.n)
    rows, then = pages.cut(
        connection.execute(wanted.limit(limit + 1)).all(), limit, lambda row: (row.incarnation, row.n)
    )
    return {"terminal": known[terminal], **facts(ticks(connection, facility, rows)), "after": then}


def ticks(connection: Connection, facility: str, rows: Sequence[Any]) -> list[Tick]:
    """The times of those rows of ``operations`` that can be read, in their order."""
    said = [(row, found) for row in rows if (found := readable(row.raw)) is not None]
    anchors = _anchors(connection, facility, [each for _, each in said])
    return [tick for row, each in said if (tick := _tick(row, each, anchors)) is not None]


def _tick(row: Any, said: Facts, anchors: dict[tuple[int, int], tuple[str, int]]) -> Tick | None:
    """None where the operation was quarantined for its form: its times mean nothing."""
    try:
        clock, anchor = said["clock"], said["anchor"]
        times = from_text(said["observed_at"]), from_text(said["recorded_at"])
        root, at = anchors.get((anchor["epoch"], anchor["size"]), (None, None))
        anchored = at if root == anchor["root"] else None
        named = str(said["kind"]), str(clock["boot"]), int(clock["monotonic"])
    except (KeyError, TypeError, ValueError):
        return None
    return Tick(row.incarnation, row.n, *named, *times, row.received_at, anchored)


def _anchors(connection: Connection, facility: str, said: Sequence[Facts]) -> dict[tuple[int, int], tuple[str, int]]:
    """(epoch, size) → (root, when it was signed), of the heads that these operations name."""
    sizes: dict[int, set[int]] = {}
    for epoch, size in filter(None, map(anchor_of, said)):
        sizes.setdefault(epoch, set()).add(size)
    found = {}
    for epoch, named in sizes.items():
        of_epoch = (_N.facility == facility, _N.epoch == epoch, _N.size.in_(sorted(named)))
        for row in connection.execute(select(_N.size, _N.root, _N.at).where(*of_epoch)):
            found[epoch, row.size] = b64(row.root), row.at
    return found


def facts(found: Sequence[Tick]) -> Facts:
    """What these operations of one terminal, in their order, say."""
    told = {
        "operations": len(found),
        "clocks": list(_offsets(found)),
        "jumps": list(_jumps(found)),
        "backwards": list(_backwards(found)),
        "future": list(_future(found)),
        "entered_together": list(_together(found)),
        "even_intervals": list(_even(found)),
    }
    return {name: each[:MOST_FACTS] if isinstance(each, list) else each for name, each in told.items()}


def _number(tick: Tick) -> Facts:
    return {"incarnation": tick.incarnation, "n": tick.n}


def _offsets(found: Sequence[Tick]) -> Iterator[Facts]:
    """For each start of the device: by how many milliseconds at least and at most its clock was ahead of the server's.

    ``least > most``: no one offset explains them all, so the clock was moved in between. ``most`` is None where no
    operation names a known head.
    """
    starts: dict[str, list[Tick]] = {}
    for tick in found:
        starts.setdefault(tick.boot, []).append(tick)
    for boot, of in starts.items():
        ceilings = [tick.recorded_at - tick.anchored for tick in of if tick.anchored is not None]
        yield {
            "boot": boot,
            "first": _number(of[0]),
            "last": _number(of[-1]),
            "operations": len(of),
            "ahead_least": max(tick.recorded_at - tick.received_at for tick in of),
            "ahead_most": min(ceilings) if ceilings else None,
        }


def _jumps(found: Sequence[Tick]) -> Iterator[Facts]:
    """Where the clock was moved within one start: it went on by another time than the count did."""
    for before, tick in pairwise(found):
        by = (tick.recorded_at - before.recorded_at) - (tick.counted - before.counted)
        if before.boot == tick.boot and abs(by) > TOLERANCE:
            yield _number(tick) | {"by": by}


def _backwards(found: Sequence[Tick]) -> Iterator[Facts]:
    """Where a later number was recorded at an earlier time, or counted less within one start."""
    for before, tick in pairwise(found):
        back, counted = before.recorded_at - tick.recorded_at, before.counted - tick.counted
        if back > 0 or (before.boot == tick.boot and counted > 0):
            yield _number(tick) | {"by": max(back, 0), "counted_by": counted if before.boot == tick.boot else None}


def _future(found: Sequence[Tick]) -> Iterator[Facts]:
    """What was recorded after it was received, or seen after it was recorded."""
    for tick in found:
        recorded, observed = tick.recorded_at - tick.received_at, tick.observed_at - tick.recorded_at
        if recorded > 0 or observed > 0:
            yield _number(tick) | {"recorded_by": max(recorded, 0), "observed_by": max(observed, 0)}


def _runs(found: Sequence[Tick]) -> Iterator[list[Tick]]:
    """Operations of one kind that follow each other; what other kinds stand between them ends a run."""
    run: list[Tick] = []
    for tick in found:
        if run and run[-1].kind != tick.kind:
            yield run
            run = []
        run.append(tick)
    if run:
        yield run


def _together(found: Sequence[Tick]) -> Iterator[Facts]:
    """Things of one kind that were entered one right after the other, and said to have been seen over a longer time."""
    for run in _runs(found):
        batch: list[Tick] = []
        for tick in run:
            if batch and abs(tick.recorded_at - batch[-1].recorded_at) > BATCH_WITHIN:
                yield from _batch(batch)
                batch = []
            batch.append(tick)
        yield from _batch(batch)


def _batch(batch: Sequence[Tick]) -> Iterator[Facts]:
    entered = max(tick.recorded_at for tick in batch) - min(tick.recorded_at for tick in batch)
    seen = max(tick.observed_at for tick in batch) - min(tick.observed_at for tick in batch)
    if len(batch) >= BATCH_LEAST and seen > entered + BATCH_WITHIN:
        first, last = _number(batch[0]), _number(batch[-1])
        yield {"kind": batch[0].kind, "first": first, "last": last, "operations": len(batch)} | {
            "entered_within": entered,
            "observed_over": seen,
        }


def _even(found: Sequence[Tick]) -> Iterator[Facts]:
    """Things of one kind that were seen at the same interval again and again, as nobody walks."""
    for run in _runs(found):
        even = run[:1]
        for tick in run[1:]:
            if len(even) > 1 and abs(_interval(even[-1], tick) - _interval(even[0], even[1])) >= EVEN_WITHIN:
                yield from _row(even)
                even = even[-1:]
            even.append(tick)
        yield from _row(even)


def _interval(before: Tick, after: Tick) -> int:
    return after.observed_at - before.observed_at


def _row(even: Sequence[Tick]) -> Iterator[Facts]:
    if len(even) > EVEN_LEAST:
        interval = _interval(even[0], even[1])
        first, last = _number(even[0]), _number(even[-1])
        yield {"kind": even[0].kind, "first": first, "last": last, "operations": len(even), "interval": interval}


def listing(connection: Connection, facility: str, after: str | None, limit: int, back: int) -> dict[str, Any]:
    """``{terminals, after}``: for each terminal the facts of its present incarnation's ``back`` highest numbers."""
    key = pages.opened(after, (str,))
    wanted = select(_T.terminal, _T.incarnation).where(_T.facility == facility, pages.beyond((_T.terminal,), key))
    rows = connection.execute(wanted.order_by(_T.terminal).limit(limit + 1)).all()
    kept, then = pages.cut(rows, limit, lambda row: (row.terminal,))
    labels = names.of_terminals(connection, facility, [row.terminal for row in kept])
    found = []
    for row in kept:
        of = (_O.facility == facility, _O.terminal == row.terminal, _O.incarnation == row.incarnation)
        newest = select(_O.incarnation, _O.n, _O.raw, _O.received_at).where(*of).order_by(_O.n.desc()).limit(back)
        last = connection.execute(newest).all()[::-1]
        found.append({"terminal": labels[row.terminal], **facts(ticks(connection, facility, last))})
    return {"terminals": found, "after": then}
