"""Terminals' chains: every operation's bytes in their place, their outcomes as the log says, and where each chain ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from sqlalchemy import select

from backend.audit.checks.base import Broken, View, paired
from backend.audit.checks.told import Said, Told
from backend.kernel.clock import to_text
from backend.kernel.framing import genesis, link
from backend.kernel.ids import b64, sha256
from backend.kernel.keys import thumbprint
from backend.storage import tables

HELD = "held"
_O, _T, _I, _S, _C = (
    tables.operations.c, tables.terminals.c, tables.incarnations.c, tables.segments.c, tables.holds.c
)  # fmt: skip

_SAME = (
    (_O.facility == _C.facility) & (_O.terminal == _C.terminal) & (_O.incarnation == _C.incarnation) & (_O.n == _C.n)
)

Chain = tuple[str, int]
"""Terminal and incarnation."""


class Segment(NamedTuple):
    """A run beyond a gap, as ``segments`` has it."""

    first: int
    prior: bytes
    last: int
    last_hash: bytes


class End(NamedTuple):
    """A chain's end, as its terminal or its ended incarnation has it. ``safe_n`` is None for an ended one."""

    thumbprint: str
    last_n: int
    last_hash: bytes
    top_n: int
    safe_n: int | None


@dataclass(slots=True)
class _Walked:
    """A chain on the way: its contiguous run from 1, the number and hash before the next one, and how far it is safe."""

    last_n: int
    last_hash: bytes
    n: int
    hash: bytes
    safe: int = 0
    segments: list[Segment] = field(default_factory=list)


def check_operations(view: View, told: Told, safe_size: int) -> int:
    """Every operation lies on its chain with a leaf and the outcome that it says; every chain ends where it is said to.

    ``safe_size``: leaves of the present epoch that a backup covers. Returns the number of operations. Raises Broken.
    """
    ends = _ends(view, told)
    segments = _segments(view)
    walked: dict[Chain, _Walked] = {}
    count = waiting = 0
    for row, said in paired(_operations(view), told.finals(), _key, lambda leaf: leaf.key):
        if row is None:
            assert said is not None
            raise Broken(_surplus(said, walked))
        chain = (row.terminal, row.incarnation)
        if chain not in walked:
            if chain not in ends:
                raise Broken(f"{_name(row)} is of a terminal that is not enrolled")
            start = genesis(view.facility, *chain, ends[chain].thumbprint)
            walked[chain] = _Walked(0, start, 0, start)
        _step(walked[chain], row, segments.get(chain, {}))
        waiting += row.status == HELD
        _outcome(row, said)
        if row.status != HELD and (row.epoch, row.leaf) < (view.state.epoch, safe_size):
            walk = walked[chain]
            walk.safe += walk.safe + 1 == row.n
        count += 1
    for chain, end in ends.items():
        start = genesis(view.facility, *chain, end.thumbprint)
        _ended(chain, walked.get(chain, _Walked(0, start, 0, start)), end, segments.pop(chain, {}))
    if segments:
        raise Broken(f"segments of a chain of terminal {next(iter(segments))[0]} that there is not")
    _check_holds(view, told, waiting)
    return count


def _key(row: Any) -> tuple[str, int, int]:
    return row.terminal, row.incarnation, row.n


def _name(row: Any) -> str:
    return f"operation {row.n} of terminal {row.terminal}"


def _operations(view: View) -> Iterator[Any]:
    columns = (
        _O.terminal, _O.incarnation, _O.n, _O.op, _O.hash, _O.raw, _O.outcome, _O.status, _O.epoch, _O.leaf,
        _O.received_at, _C.received_at.label("held_at"),
    )  # fmt: skip
    statement = select(*columns).outerjoin(tables.holds, _SAME).where(_O.facility == view.facility)
    return view.stream(statement.order_by(_O.terminal, _O.incarnation, _O.n))


def _ends(view: View, told: Told) -> dict[Chain, End]:
    """The end of every chain; terminals and incarnations have the keys and are in the states that the log says."""
    ends: dict[Chain, End] = {}
    for row in view.connection.execute(select(tables.terminals).where(_T.facility == view.facility)):
        if told.states.get(row.terminal) != row.state:
            raise Broken(
                f"terminal {row.terminal} is said to be {row.state}, the log says {told.states.get(row.terminal)}"
            )
        ends[row.terminal, row.incarnation] = _end(row, row.safe_n)
    for row in view.connection.execute(select(tables.incarnations).where(_I.facility == view.facility)):
        if (row.terminal, row.incarnation) in ends:
            raise Broken(f"incarnation {row.incarnation} of terminal {row.terminal} is both present and ended")
        ends[row.terminal, row.incarnation] = _end(row, None)
    for chain, key in told.keys.items():
        if chain not in ends:
            raise Broken(f"incarnation {chain[1]} of terminal {chain[0]} is no longer there")
        if ends[chain].thumbprint != key:
            raise Broken(f"incarnation {chain[1]} of terminal {chain[0]} has another key than the log says")
    if len(ends) != len(told.keys):
        raise Broken(f"terminal {min(set(ends) - set(told.keys))[0]} was never enrolled")
    return ends


def _end(row: Any, safe_n: int | None) -> End:
    try:
        right = thumbprint(orjson.loads(row.jwk)) == row.thumbprint
    except (ValueError, KeyError, TypeError):
        right = False
    if not right:
        raise Broken(
            f"incarnation {row.incarnation} of terminal {row.terminal} has another key than its thumbprint says"
        )
    return End(row.thumbprint, row.last_n, row.last_hash, row.top_n, safe_n)


def _segments(view: View) -> dict[Chain, dict[int, Segment]]:
    found: dict[Chain, dict[int, Segment]] = defaultdict(dict)
    for row in view.connection.execute(select(tables.segments).where(_S.facility == view.facility)):
        segment = Segment(row.first, row.prior, row.last, row.last_hash)
        found[row.terminal, row.incarnation][row.first] = segment
    return dict(found)


def _step(walk: _Walked, row: Any, segments: dict[int, Segment]) -> None:
    """One operation further along a chain: over a gap, the hash before it is the one that its segment claims."""
    prior = walk.hash
    if row.n != walk.n + 1:
        segment = segments.get(row.n)
        if segment is None:
            raise Broken(f"operation {walk.n + 1} of terminal {row.terminal} is missing")
        walk.segments.append(Segment(row.n, segment.prior, row.n, row.hash))
        prior = segment.prior
    if link(prior, row.n, row.raw) != row.hash:
        raise Broken(f"{_name(row)} is not the bytes that its chain was made over")
    walk.n, walk.hash = row.n, row.hash
    if walk.segments:
        walk.segments[-1] = walk.segments[-1]._replace(last=row.n, last_hash=row.hash)
    else:
        walk.last_n, walk.last_hash = row.n, row.hash


def _outcome(row: Any, said: Said | None) -> None:
    """The outcome is what the leaf says; one that waits has no final leaf yet."""
    if row.status == HELD:
        if said is not None:
            raise Broken(f"{_name(row)} waits in custody, but leaf {said.position} gives its outcome")
        return
    if said is None:
        raise Broken(f"{_name(row)} has no leaf")
    told = (said.op, said.hash, said.status, said.outcome, said.epoch, said.position)
    if (row.op, b64(row.hash), row.status, b64(sha256(row.outcome)), row.epoch, row.leaf) != told:
        raise Broken(f"{_name(row)} or its outcome differs from its leaf")
    received = said.at if row.held_at is None else to_text(row.held_at)
    if to_text(row.received_at) != received:
        raise Broken(f"{_name(row)} is said to have come at another time than its leaf says")


def _surplus(said: Said, walked: dict[Chain, _Walked]) -> str:
    """What is wrong with a leaf that no operation is left for."""
    chain = walked.get((said.terminal, said.incarnation))
    if chain is not None and chain.n == said.n:
        return f"leaf {said.position} of epoch {said.epoch} gives {_name(said)} a second outcome"
    return f"{_name(said)} has a leaf but is no longer there"


def _ended(chain: Chain, walk: _Walked, end: End, segments: dict[int, Segment]) -> None:
    name = f"the chain of terminal {chain[0]}, incarnation {chain[1]},"
    if (walk.last_n, walk.last_hash) != (end.last_n, end.last_hash) or max(walk.n, walk.last_n) != end.top_n:
        raise Broken(f"{name} ends at {walk.last_n} and {walk.n}, not at {end.last_n} and {end.top_n} as is said")
    if {each.first: each for each in walk.segments} != segments:
        raise Broken(f"{name} has other segments than is said")
    if end.safe_n is not None and end.safe_n > walk.safe:
        raise Broken(f"{name} is covered by backups up to {walk.safe}, not {end.safe_n}")


def _check_holds(view: View, told: Told, waiting: int) -> None:
    """Every receipt is as its leaf says; those that are open are just the operations that wait."""
    open_ = 0
    statement = (
        select(tables.holds, _O.op, _O.hash, _O.status, _O.outcome)
        .outerjoin(tables.operations, _SAME)
        .where(_C.facility == view.facility)
        .order_by(_C.terminal, _C.incarnation, _C.n)
    )
    for row, said in paired(view.stream(statement), told.receipts(), _key, lambda leaf: leaf.key):
        if row is None:
            assert said is not None
            raise Broken(f"the receipt of {_name(said)} has a leaf but is no longer there")
        if said is None:
            raise Broken(f"the receipt of {_name(row)} has no leaf")
        if row.status is None:
            raise Broken(f"{_name(row)} has a receipt but is not there")
        _receipt(row, said)
        open_ += row.settled_at is None
    if not open_ == waiting == view.state.held:
        raise Broken(f"{waiting} operations wait, {open_} receipts are open, the facility speaks of {view.state.held}")


def _receipt(row: Any, said: Said) -> None:
    is_ = (row.op, b64(row.hash), b64(sha256(row.receipt)), row.epoch, row.leaf, to_text(row.received_at))
    if is_ != (said.op, said.hash, said.outcome, said.epoch, said.position, said.at):
        raise Broken(f"the receipt of {_name(row)} differs from its leaf")
    if orjson.loads(row.receipt).get("until") != to_text(row.deadline):
        raise Broken(f"{_name(row)} is held until another time than its receipt says")
    waits = row.settled_at is None
    if waits != (row.status == HELD) or (waits and row.outcome != row.receipt):
        raise Broken(f"{_name(row)} is not in the custody that its receipt says")
