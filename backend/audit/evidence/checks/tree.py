"""The leaves: every one in the log of its epoch's head, by its proof or by making the whole tree again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import orjson

from backend.audit import merkle
from backend.audit.checks.base import Broken
from backend.audit.evidence.checks import decisions
from backend.audit.evidence.checks.bundle import Bundle, Row
from backend.audit.evidence.rows import ENROLMENTS, FINAL, HELD
from backend.kernel.ids import b64, unhash

SHOWS = ("witness.shown", "epoch.opened")


@dataclass(slots=True)
class Told:
    """What leaves say that no other table lists: ``forks``; ``witnesses`` with when each was shown (epoch, size, source,
    root, time); ``stored``: digests of files; ``rotations``: new key and digest of its statement; ``count`` of all leaves.
    """

    count: int = 0
    forks: list[Row] = field(default_factory=list)
    witnesses: set[tuple[int, int, str, str, str]] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    rotations: set[tuple[str, str]] = field(default_factory=set)


def check_leaves(bundle: Bundle) -> Told:
    """Raises Broken unless each leaf is in its place, and each anchor a head of the same log."""
    told = Told()
    anchors: dict[int, dict[int, str]] = defaultdict(dict)
    for row in bundle.rows("anchors"):
        _anchored(bundle, row)
        anchors[row["epoch"]][row["size"]] = row["root"]
    grown: dict[int, tuple[int, list[bytes]]] = {}
    for row in bundle.rows("leaves"):
        said = _read(row)
        if row["epoch"] not in bundle.ends:
            raise Broken(f"{_name(row)} is of an epoch without a head")
        if bundle.whole:
            grown[row["epoch"]] = _grow(row, *grown.get(row["epoch"], (0, [])), anchors[row["epoch"]])
        else:
            _prove(bundle, row)
        _note(bundle, told, row, said)
    if bundle.whole:
        _compare(bundle, grown, anchors)
    return told


def _name(row: Row) -> str:
    return f"leaf {row['position']} of epoch {row['epoch']}"


def _read(row: Row) -> Row:
    try:
        said: Row = orjson.loads(row["body"])
        same = (said["act"], said["at"]) == (row["act"], row["at"])
    except (ValueError, KeyError, TypeError):
        raise Broken(f"{_name(row)} cannot be read") from None
    if not same:
        raise Broken(f"{_name(row)} is listed under another act or time than its bytes say")
    return said


def _path(row: Row, what: str) -> list[bytes]:
    if row["path"] is None:
        raise Broken(f"{what} has no proof")
    try:
        return [unhash(each) for each in row["path"].split()]
    except ValueError:
        raise Broken(f"the proof of {what} cannot be read") from None


def _prove(bundle: Bundle, row: Row) -> None:
    size, root = bundle.ends[row["epoch"]]
    hash_ = merkle.leaf_hash(row["body"].encode())
    path = _path(row, _name(row))
    if row["path"] != " ".join(map(b64, path)):
        raise Broken(f"the proof of {_name(row)} cannot be read")
    try:
        merkle.verify_inclusion(hash_, row["position"], size, path, root)
    except ValueError:
        raise Broken(f"{_name(row)} is not in the log of the signed head") from None


def _anchored(bundle: Bundle, row: Row) -> None:
    """A head that operations name is one of the log's, if its proof says so; in a whole bundle the tree itself does."""
    name = f"the anchor of {row['size']} leaves of epoch {row['epoch']}"
    size, root = bundle.ends.get(row["epoch"], (0, b""))
    if not 0 < row["size"] <= size:
        raise Broken(f"{name} lies beyond the log")
    if bundle.whole:
        if row["path"] is not None:
            raise Broken(f"{name} has a proof in a bundle that needs none")
        return
    path = _path(row, name)
    if row["path"] != " ".join(map(b64, path)):
        raise Broken(f"the proof of {name} cannot be read")
    try:
        merkle.verify_consistency(row["size"], size, unhash(row["root"]), root, path)
    except ValueError:
        raise Broken(f"{name} is not a head of this log") from None


def _grow(row: Row, size: int, peaks: list[bytes], anchors: dict[int, str]) -> tuple[int, list[bytes]]:
    if row["position"] != size:
        raise Broken(f"leaf {size} of epoch {row['epoch']} is missing")
    if row["path"] is not None:
        raise Broken(f"{_name(row)} has a proof in a bundle that needs none")
    size, peaks = merkle.extend(size, peaks, [merkle.leaf_hash(row["body"].encode())])
    if size in anchors and anchors[size] != b64(merkle.root(peaks)):
        raise Broken(f"the anchor of {size} leaves of epoch {row['epoch']} is not a head of this log")
    return size, peaks


def _compare(bundle: Bundle, grown: dict[int, tuple[int, list[bytes]]], anchors: dict[int, dict[int, str]]) -> None:
    for epoch, (size, root) in bundle.ends.items():
        found, peaks = grown.get(epoch, (0, []))
        if found != size:
            raise Broken(f"the log of epoch {epoch} has {found} leaves in the bundle, its head {size}")
        if merkle.root(peaks) != root:
            raise Broken(f"the leaves of epoch {epoch} do not come to the root of its head: a leaf was changed")
        if any(each > size for each in anchors[epoch]):
            raise Broken(f"an anchor of epoch {epoch} lies beyond the log")


def _note(bundle: Bundle, told: Told, row: Row, said: Row) -> None:
    """Keeps what is listed by no other table, and finds the row that every leaf of some acts must have."""
    told.count += 1
    act, place = said["act"], {"epoch": row["epoch"], "leaf": row["position"]}
    if act in (FINAL, HELD):
        _has_rows(bundle, said, place)
    elif act == "session.started":
        if bundle.one("sessions", session=said["session"], **place) is None:
            raise Broken(f"session {said['session']} has a leaf, but the bundle has it not")
    elif act in ENROLMENTS:
        chain = {"terminal": said["terminal"], "incarnation": said["incarnation"]}
        if bundle.one("chains", **chain, **place) is None:
            raise Broken(f"the chain of terminal {said['terminal']} has a leaf, but the bundle has it not")
    elif act in decisions.ACTS:
        decisions.check_listed(bundle, said, place)
    elif act == "chain.forked":
        told.forks.append(said)
    elif act == "key.rotated":
        told.rotations.add((said["to"], said["statement"]))
    elif act == "file.stored":
        told.stored.add(said["digest"])
    elif act in SHOWS:
        for each in said["witnesses"] if act == SHOWS[1] else [said]:
            told.witnesses.add((each["epoch"], each["size"], each["source"], each["root"], said["at"]))


def _has_rows(bundle: Bundle, said: Row, place: dict[str, int]) -> None:
    key = {name: said[name] for name in ("terminal", "incarnation", "n")}
    name = f"operation {said['n']} of terminal {said['terminal']}"
    table = "operations" if said["act"] == "operation" else "receipts"
    if bundle.one(table, **key, **place) is None:
        of = "" if table == "operations" else "the receipt of "
        raise Broken(f"{of}{name} has a leaf, but the bundle has it not")
    if said["act"] == "held" and bundle.one("operations", **key) is None:
        raise Broken(f"{name} has a receipt, but the bundle has it not")
    made = [(said["record"], said["version"])] if "row" in said else []
    for record, version in (*made, *((each[0], each[1]) for each in said.get("also", ()))):
        if bundle.one("versions", record=record, version=version, **place) is None:
            raise Broken(f"version {version} of record {record} has a leaf, but the bundle has it not")
