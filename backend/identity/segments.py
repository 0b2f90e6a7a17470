"""Runs of a chain that were received beyond a gap, and the numbers that are missing between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from backend.storage import tables
from backend.storage.engine import Store

MOST_RANGES = 100
"""So many ranges are told (docs/protocol.md §6); a chain with more holes than that is mended from below."""

Range = tuple[int, int]
Chain = tuple[str, str, int]
"""Facility, terminal, incarnation."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Numbers ``first`` to ``last``, all received. ``prior``: the hash that it claims for ``first - 1``."""

    first: int
    prior: bytes
    last: int
    last_hash: bytes


_S = tables.segments.c
_OF = (
    select(_S.first, _S.prior, _S.last, _S.last_hash)
    .where(_S.facility == bindparam("f"), _S.terminal == bindparam("t"), _S.incarnation == bindparam("i"))
    .order_by(_S.first)
)


def everything(connection: Connection, chain: Chain) -> list[Segment]:
    """All segments of a chain, ascending."""
    return [Segment(*row) for row in connection.execute(_OF, _key(chain))]


class Segments:
    """Reads segments. Two of one chain never touch: whatever does is joined."""

    def __init__(self, store: Store) -> None:
        self._lowest = store.prepare(_OF.limit(MOST_RANGES + 1))
        self._touching = store.prepare(_OF.where(_S.first <= bindparam("b"), _S.last >= bindparam("a")))

    def lowest(self, connection: Connection, chain: Chain) -> list[Segment]:
        """The lowest ``MOST_RANGES + 1`` of a chain, ascending; if there are fewer, they are all."""
        return [Segment(*row) for row in self._lowest.all(connection, _key(chain))]

    def touching(self, connection: Connection, chain: Chain, first: int, last: int) -> list[Segment]:
        """Those that the numbers ``first`` to ``last`` overlap or touch, ascending."""
        rows = self._touching.all(connection, {**_key(chain), "a": first - 1, "b": last + 1})
        return [Segment(*row) for row in rows]


def _key(chain: Chain) -> dict[str, object]:
    return {"f": chain[0], "t": chain[1], "i": chain[2]}


def lacking(last_n: int, segments: Iterable[Segment], upto: int) -> list[Range]:
    """The ranges up to ``upto`` that neither the run to ``last_n`` nor the segments (ascending) have."""
    found = []
    for segment in segments:
        found.append((last_n + 1, segment.first - 1))
        last_n = segment.last
    return [*found, (last_n + 1, upto)] if last_n < upto else found


def without(ranges: Iterable[Range], numbers: Iterable[int]) -> list[Range]:
    """Ranges less single numbers."""
    left, out = list(ranges), []
    for number in sorted(set(numbers)):
        while left and left[0][1] < number:
            out.append(left.pop(0))
        if left and left[0][0] <= number:
            first, last = left.pop(0)
            out += [(first, number - 1)] if first < number else []
            left[:0] = [(number + 1, last)] if number < last else []
    return out + left
