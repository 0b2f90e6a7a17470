"""A pull: the rows of a scope after the caller's cursors, from one consistent view (docs/protocol.md §7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, select

from backend.audit.views.readings import is_medical
from backend.identity.officers import Officer
from backend.kernel import failpoints
from backend.kernel.clock import to_text
from backend.kernel.ids import b64
from backend.kernel.kind import REMOVED
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.engine import Store
from sync.digests import NOTHING
from sync.reading.sights import Kept, Sight, Sights

MOST_ROWS = 2000
MOST_AT_ONCE = 1000
"""Records of a partition that is taken row by row; a larger one is better taken as a snapshot."""
_PARTITION = re.compile(r"(place|person|facility|matter)/[0-9A-Za-z-]{2,36}/[a-z]{1,16}\Z")
_SIGNS = 40
"""Sequence numbers stay below 2⁴⁰; a cursor's bits above say that the partition is being filled (``_mark``)."""
_RESET = ',"reset":true'
Reading = Callable[[Sequence[str], int], None]
"""Keeps that medical partitions are about to be given, up to a sequence number; raises Problem when it cannot."""
_R = tables.records.c


@dataclass(frozen=True, slots=True)
class Asked:
    """``cursors`` by partition; ``epoch`` None: the present one; ``snapshots``: the caller takes them."""

    cursors: Mapping[str, int]
    limit: int
    epoch: int | None = None
    snapshots: bool = False


class Due(NamedTuple):
    """A partition that has something for the caller.

    ``cursor``: he has all up to there, and nothing when it is 0. ``reset``: he must throw away what he has.
    """

    cursor: int
    partition: str
    kept: Kept
    reset: bool

    @property
    def most(self) -> int:
        """How many rows it can have for him at most: who has nothing is not told of what was removed."""
        return self.kept.ever if self.cursor else self.kept.present


class Puller:
    """Answers pulls. Bodies are stored as they are sent, so that a page is joined, not encoded."""

    def __init__(self, store: Store, sights: Sights) -> None:
        self._store = store
        self._sights = sights
        rows = select(_R.partition, _R.seq, _R.body).where(
            _R.facility == bindparam("f"), _R.seq > bindparam("cursor"), _R.state != bindparam("hidden")
        )
        named = store.among(_R.partition, "names")
        whole = rows.where(named).order_by(_R.partition, _R.seq)
        bodies = select(_R.body).where(_R.facility == bindparam("f"), _R.state != REMOVED, named)
        part = rows.where(_R.partition == bindparam("name")).order_by(_R.seq).limit(bindparam("most"))
        self._whole, self._part = store.prepare(whole), store.prepare(part)
        self._bodies = store.prepare(bodies.order_by(_R.partition, _R.seq))

    def pull(self, officer: Officer, asked: Asked, now: int, reading: Reading) -> bytes:
        """The answer's JSON: at most ``limit`` rows. ``reading`` is told of those that are medical.

        Raises Problem ``server.busy``, ``request.invalid``, and what ``reading`` raises.
        """
        medical: list[str] = []
        with self._store.reading() as connection:
            sight = self._sights.read(connection, officer, now)
            gone = _gone(sight, asked.cursors)
            large, due = _divided(sight, asked)
            parts, more = self._page(connection, sight.facility, due, asked.limit, medical)
        if medical:
            reading(medical, sight.at)
        parts += _resets(large)
        begin = b'{"epoch":%d,"at":%d,"more":%b,"partitions":[' % (sight.epoch, sight.at, b"true" if more else b"false")
        end = {"snapshots": [each.partition for each in large], "gone": gone, "head": sight.head, "time": to_text(now)}
        failpoints.hit("pull.before_send")
        if parts:
            parts[0] = parts[0][1:]
        return b"".join([begin, *parts, b"],", orjson.dumps(end)[1:]])

    def _page(
        self, connection: Connection, facility: str, due: Sequence[Due], limit: int, medical: list[str]
    ) -> tuple[list[bytes], bool]:
        """Entries of at most ``limit`` rows together, in pieces, and whether there is more; medical ones are noted.

        Whoever must throw something away is told so at once, though its rows come later: he may have the cursors of
        another epoch, which mean nothing once he has taken the present one.
        """
        parts: list[bytes] = []
        rest = list(due)
        while rest and limit > 0:
            group = _fitting(rest, limit) or rest[:1]
            for each, cursor, bodies in self._read(connection, facility, group, limit):
                limit -= len(bodies)
                parts += _entry(each, cursor, bodies)
                if bodies and is_medical(each.partition):
                    medical.append(each.partition)
                if cursor != each.kept.seq:
                    return [*parts, *_resets(rest[1:])], True
            rest = rest[len(group) :]
        return [*parts, *_resets(rest)], bool(rest)

    def _read(
        self, connection: Connection, facility: str, group: Sequence[Due], limit: int
    ) -> Iterator[tuple[Due, int, list[bytes]]]:
        """Each partition of the group with its cursor after these rows, and the rows."""
        first = group[0]
        asked: dict[str, Any] = {"f": facility, "cursor": first.cursor, "hidden": "" if first.cursor else REMOVED}
        if first.most > limit:
            rows = self._part.tuples(connection, asked | {"name": first.partition, "most": limit})
            yield first, rows[-1][1] if len(rows) == limit else first.kept.seq, [row[2] for row in rows]
            return
        asked["names"] = self._store.listed([each.partition for each in group])
        found = None if first.cursor else self._fill(connection, asked, group)
        if found is None:
            found = {each.partition: [] for each in group}
            for partition, _, body in self._whole.tuples(connection, asked):
                found[partition].append(body)
        for each in group:
            yield each, each.kept.seq, found[each.partition]

    def _fill(
        self, connection: Connection, asked: Mapping[str, Any], group: Sequence[Due]
    ) -> dict[str, list[bytes]] | None:
        """All rows of partitions of which the caller has nothing.

        How many each has is known, so that bodies alone are read, in the order of their partitions, and cut into pieces.
        None when that does not come out: where a piece's first and last body are its partition's, so are all between.
        """
        bodies = [body for (body,) in self._bodies.tuples(connection, asked)]
        at, found = 0, {}
        for each in sorted(group, key=itemgetter(1)):
            piece = bodies[at : at + each.kept.present]
            at += each.kept.present
            name = b'"partition":"%b"' % each.partition.encode()
            if len(piece) != each.kept.present or (piece and not (name in piece[0] and name in piece[-1])):
                return None
            found[each.partition] = piece
        return found if at == len(bodies) else None


def _gone(sight: Sight, cursors: Mapping[str, int]) -> list[str]:
    """What the caller holds and is given no more. Only these names are looked at: the others are the scope's own."""
    if cursors.keys() <= sight.partitions.keys():
        return []
    gone = sorted(cursors.keys() - sight.partitions.keys())
    for name in gone:
        if not _PARTITION.match(name):
            raise Problem("request.invalid", "partitions", errors=(Problem("field.invalid", "partitions"),))
    return gone


def _divided(sight: Sight, asked: Asked) -> tuple[list[Due], list[Due]]:
    """What the caller should take as snapshots, and what has rows for him here, in order.

    The passes over all partitions are plain look-ups: a leader has hundreds, and each page asks for them again.
    """
    cursors = asked.cursors
    if asked.epoch is not None and asked.epoch != sight.epoch:
        due = [Due(0, name, kept, name in cursors) for name, kept in sight.partitions.items()]
        due = [each for each in due if each.reset or each.kept.seq]
    else:
        due = [Due(0, name, kept, False) for name, kept in sight.filled if name not in cursors]
        moved = [(name, kept) for name, kept in sight.filled if name in cursors and cursors[name] != kept.seq]
        again = [_begin(cursors[name], name, kept, sight.at) for name, kept in moved]
        due += [each for each in again if each.cursor < each.kept.seq or each.reset]
        due.sort(key=itemgetter(0))
    if not asked.snapshots:
        return [], due
    large = [each for each in due if each.cursor == 0 and each.kept.present > MOST_AT_ONCE]
    return large, [each for each in due if each.cursor or each.kept.present <= MOST_AT_ONCE]


def _begin(held: int, name: str, kept: Kept, at: int) -> Due:
    """What a partition has for a caller who holds it up to a cursor.

    He must begin anew when removals that he has not seen are no longer listed. A cursor below the low-water mark is
    good only while the partition is being filled, page by page, with that same mark; ``_mark`` has put it into the
    cursor.
    """
    mark, cursor = held >> _SIGNS, held & ((1 << _SIGNS) - 1)
    stale = mark != _mark(kept) if mark else 0 < cursor < kept.floor
    return Due(0, name, kept, True) if stale or cursor > at else Due(cursor, name, kept, False)


def _mark(kept: Kept) -> int:
    """From 1 to 4095, and another one for (almost) any other low-water mark; where it is the same by chance, the
    digests tell."""
    return kept.floor % 4095 + 1


def _fitting(due: Sequence[Due], left: int) -> Sequence[Due]:
    """The longest beginning of equal cursors that is sure to fit."""
    cursor = due[0].cursor
    for at, each in enumerate(due):
        left -= each.most
        if left < 0 or each.cursor != cursor:
            return due[:at]
    return due


def _entry(due: Due, cursor: int, bodies: Sequence[bytes]) -> tuple[bytes, bytes, bytes]:
    """One partition of an answer, with a comma before it; up to date when ``cursor`` is its newest number.

    In pieces: half a megabyte is better not copied once more.
    """
    _, name, kept, reset = due
    newest, present, _, digest, floor = kept
    if cursor == newest:
        said = f'{cursor},"present":{present},"digest":"{b64(digest or NOTHING)}"'
    else:
        said = str(cursor if not 0 < cursor < floor else _mark(kept) << _SIGNS | cursor)
    begin = f',{{"partition":"{name}","cursor":{said}{_RESET if reset else ""},"rows":['
    return begin.encode(), b",".join(bodies), b"]}"


def _resets(due: Sequence[Due]) -> list[bytes]:
    return [piece for each in due if each.reset for piece in _entry(each, 0, [])]
