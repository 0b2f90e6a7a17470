"""What is kept beside the log: forks, witnesses, backups, keys, reports, alarms; and a head that is kept elsewhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select

from backend.audit.checks.base import Broken, View
from backend.audit.checks.log import Epoch
from backend.audit.checks.told import Told
from backend.kernel.clock import to_text
from backend.kernel.framing import genesis, link
from backend.kernel.ids import b64, sha256, unhash
from backend.kernel.keys import Jws
from backend.storage import tables

_A, _K, _W, _B, _H, _O, _S, _P = (
    tables.alarms.c, tables.forks.c, tables.witnesses.c, tables.backups.c, tables.tree_heads.c, tables.operations.c,
    tables.segments.c, tables.reports.c,
)  # fmt: skip
Chain = tuple[str, int]


def root_at(view: View, epoch: int, size: int) -> str | None:
    """The root of the head of that size, if one was signed; the walk has shown that it is the leaves' own."""
    statement = select(_H.root).where(_H.facility == view.facility, _H.epoch == epoch, _H.size == size)
    root = view.connection.execute(statement).scalar_one_or_none()
    return None if root is None else b64(root)


def check_witnesses(view: View, told: Told) -> None:
    """Every witness is a head that the server signed, that the log lacks, and of which a leaf tells."""
    rows = view.connection.execute(select(tables.witnesses).where(_W.facility == view.facility)).all()
    found = set()
    for row in rows:
        head = view.head(row.head)
        name = f"the witness of epoch {row.epoch} and {row.size} leaves"
        if (head["epoch"], head["size"]) != (row.epoch, row.size):
            raise Broken(f"{name} speaks of epoch {head['epoch']} and {head['size']} leaves")
        if root_at(view, row.epoch, row.size) == head["root"]:
            raise Broken(f"{name} proves nothing lost: the log holds it")
        found.add((row.epoch, row.size, row.source, head["root"]))
    if differ := found ^ told.witnesses:
        epoch, size, source, _ = min(differ)
        raise Broken(f"the witness of epoch {epoch} and {size} leaves from {source} has no leaf, or no row")


def check_head(view: View, head: dict[str, Any], epochs: list[Epoch]) -> None:
    """A head kept elsewhere is in the log, or lies beyond the end of an epoch of which witnesses tell this much."""
    epoch, size = head["epoch"], head["size"]
    if root_at(view, epoch, size) == head["root"] or _known_lost(view, epoch, size):
        return
    ends = {each.number: each.size for each in epochs}
    if epoch > epochs[-1].number:
        raise Broken(
            f"a head of epoch {epoch} was signed, but the log ends in epoch {epochs[-1].number}: it was cut off"
        )
    if size > ends.get(epoch, 0):
        raise Broken(f"a head of {size} leaves was signed, but the log ends at {ends.get(epoch, 0)}: its tail was cut")
    raise Broken(f"the log is not the one whose head of {size} leaves is kept beside the database")


def _known_lost(view: View, epoch: int, size: int) -> bool:
    statement = select(_W.size).where(_W.facility == view.facility, _W.epoch == epoch, _W.size >= size).limit(1)
    return view.connection.execute(statement).first() is not None


def check_backups(view: View, told: Told) -> int:
    """Every verified backup has its leaf and a root of this log. Returns how much of the present epoch is covered."""
    rows = view.connection.execute(select(tables.backups).where(_B.facility == view.facility)).all()
    is_ = {(row.epoch, row.size, b64(row.root), row.place, to_text(row.verified_at)) for row in rows}
    said = {(leaf["epoch"], leaf["size"]): leaf for leaf in told.backups}  # the last one of each size
    if is_ != {(leaf["epoch"], leaf["size"], leaf["root"], leaf["place"], leaf["at"]) for leaf in said.values()}:
        raise Broken("the rows of verified backups differ from their leaves")
    for row in rows:
        if root_at(view, row.epoch, row.size) != b64(row.root):
            raise Broken(f"the backup of {row.size} leaves of epoch {row.epoch} is not one of this log")
    covered = max((row.size for row in rows if row.epoch == view.state.epoch), default=0)
    if view.state.safe_size != covered:
        raise Broken(f"backups cover {covered} leaves, the facility speaks of {view.state.safe_size}")
    return covered


def check_keys(view: View, told: Told) -> None:
    """The key that signs the facility's heads is the one that the last of them names, and each change of it has its leaf."""
    state = view.state
    if state.key != Jws(state.head).header.get("kid"):
        raise Broken("the facility speaks of another key than the one that has signed its newest head")
    if isinstance(view.key, ec.EllipticCurvePublicKey):
        return  # of one key alone nobody can say what it has stated
    stated = view.key.statements(view.facility)
    for epoch, position, leaf in told.rotations:
        if stated.get((epoch, position)) != (leaf["from"], leaf["to"], leaf["statement"]):
            raise Broken(f"leaf {position} of epoch {epoch} tells of a change of key that the old key has not stated")


def check_alarms(view: View, told: Told) -> None:
    """The alarms that nobody has settled are those of the leaves."""
    rows = view.connection.execute(select(tables.alarms).where(_A.facility == view.facility)).all()
    is_ = {row.terminal: (b64(sha256(row.body)), to_text(row.at)) for row in rows}
    for terminal in sorted(is_.keys() | told.alarms.keys()):
        if is_.get(terminal) != told.alarms.get(terminal):
            raise Broken(f"the alarm of terminal {terminal} differs from its leaf")


def check_reports(view: View, told: Told) -> None:
    """What each terminal last said of itself is what its leaf says."""
    rows = view.connection.execute(select(tables.reports).where(_P.facility == view.facility)).all()
    is_ = {row.terminal: (b64(sha256(row.body)), to_text(row.at)) for row in rows}
    for terminal in sorted(is_.keys() | told.reports.keys()):
        if is_.get(terminal) != told.reports.get(terminal):
            raise Broken(f"the report of terminal {terminal} differs from its leaf")


def check_forks(view: View, told: Told) -> None:
    """Bytes that were set aside at a fork are as many as the leaves say, and hang on each other or on their chain.

    The hash of the last one, in the leaf, commits to all before it.
    """
    rows = list(view.connection.execute(select(tables.forks).where(_K.facility == view.facility)))
    counted = Counter((row.terminal, row.incarnation) for row in rows)
    said: Counter[Chain] = Counter()
    for leaf in told.forks:
        said[leaf["terminal"], leaf["incarnation"]] += leaf["count"]
    if counted != said:
        terminal = min(chain[0] for chain in (counted - said) + (said - counted))
        raise Broken(f"terminal {terminal} has other forked operations than the log says")
    there = {(row.terminal, row.incarnation, row.n, b64(row.hash)) for row in rows}
    for leaf in told.forks:
        for end in (leaf, leaf.get("to", leaf)):
            if (leaf["terminal"], leaf["incarnation"], end["n"], end["hash"]) not in there:
                raise Broken(f"the fork of terminal {leaf['terminal']} at {leaf['n']} is no longer there")
    _check_bytes(view, told, rows)


def _check_bytes(view: View, told: Told, rows: list[Any]) -> None:
    hashes: dict[tuple[str, int, int], set[bytes]] = defaultdict(set)
    for row in rows:
        hashes[row.terminal, row.incarnation, row.n].add(row.hash)
    for leaf in told.forks:  # what was sent may hang on a past that never came
        hashes[leaf["terminal"], leaf["incarnation"], leaf["first"] - 1].add(unhash(leaf["prior"]))
    for row in rows:
        priors = set(hashes.get((row.terminal, row.incarnation, row.n - 1), ())) | _on_chain(view, told, row)
        if priors and all(link(prior, row.n, row.raw) != row.hash for prior in priors):
            raise Broken(f"forked operation {row.n} of terminal {row.terminal} is not the bytes that were sent")


def _on_chain(view: View, told: Told, row: Any) -> set[bytes]:
    """The hashes that the chain itself has, or claims, for the number before a fork's."""
    chain = (row.terminal, row.incarnation)
    if row.n == 1:
        return {genesis(view.facility, *chain, told.keys[chain])}
    key = (_O.facility == view.facility, _O.terminal == chain[0], _O.incarnation == chain[1], _O.n == row.n - 1)
    claimed = (_S.facility == view.facility, _S.terminal == chain[0], _S.incarnation == chain[1], _S.first == row.n)
    found = [*view.connection.execute(select(_O.hash).where(*key)).scalars()]
    return {*found, *view.connection.execute(select(_S.prior).where(*claimed)).scalars()}
