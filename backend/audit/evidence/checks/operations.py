"""Operations on their chains, with the outcomes that the log says, and the versions that they made."""

from __future__ import annotations

from typing import Any

import orjson

from backend.audit.checks.base import Broken
from backend.audit.evidence.checks.bundle import Bundle, Row
from backend.audit.evidence.rows import anchor_of, named_files, read, texts_of
from backend.kernel.framing import genesis, link
from backend.kernel.ids import b64, sha256, unhash
from backend.kernel.keys import thumbprint

_CHAIN = ("terminal", "incarnation")
_FACTS = ("terminal", "incarnation", "n", "op", "hash")
_OF_BODY = ("version", "kind", "partition", "state", "seq", "op", "received_at")
_OF_OPERATION = ("terminal", "observed_at", "recorded_at", "signoff")


def _name(row: Row) -> str:
    return f"operation {row['n']} of terminal {row['terminal']}"


def check_operations(bundle: Bundle) -> int:
    """Every operation is the bytes that its chain was made over, with the outcome of its leaf. Returns how many."""
    before: Row | None = None
    count = 0
    for row in bundle.rows("operations"):
        same = before is not None and all(before[name] == row[name] for name in _CHAIN)
        _linked(bundle, row, before if same else None)
        _outcome(bundle, row)
        _columns(bundle, row)
        before = row
        count += 1
    for row in bundle.rows("chains"):
        _ended(bundle, row)
    return count


def _linked(bundle: Bundle, row: Row, before: Row | None) -> None:
    """The hash before an operation is that of the number before, the chain's beginning, or proven by this one's own."""
    if type(row["raw"]) is not bytes or link(unhash(row["prior"]), row["n"], row["raw"]) != unhash(row["hash"]):
        raise Broken(f"{_name(row)} is not the bytes that its chain was made over")
    chain = bundle.one("chains", **{name: row[name] for name in _CHAIN})
    if chain is None:
        raise Broken(f"{_name(row)} is on a chain that the bundle has not")
    start = b64(genesis(bundle.facility, chain["terminal"], chain["incarnation"], chain["thumbprint"]))
    if row["n"] == 1 and row["prior"] != start:
        raise Broken(f"{_name(row)} does not begin the chain of its terminal's key")
    if before is not None and before["n"] == row["n"] - 1 and before["hash"] != row["prior"]:
        raise Broken(f"{_name(row)} does not follow the one before it")
    contiguous = row["n"] == (1 if before is None else before["n"] + 1)
    if bundle.has_chain(row["terminal"]) and row["n"] <= chain["last_n"] and not contiguous:
        raise Broken(f"the operation before number {row['n']} of terminal {row['terminal']} is missing")


def _outcome(bundle: Bundle, row: Row) -> None:
    leaf = bundle.leaf(row, _name(row))
    said = leaf["said"]
    held = row["status"] == "held"
    receipt = bundle.one("receipts", **{name: row[name] for name in (*_CHAIN, "n")})
    if said["act"] != ("held" if held else "operation") or any(said[name] != row[name] for name in _FACTS):
        raise Broken(f"{_name(row)} differs from its leaf")
    if (said["status"], said["outcome"]) != (row["status"], b64(sha256(row["outcome"].encode()))):
        raise Broken(f"the outcome of {_name(row)} differs from its leaf")
    if held and (receipt is None or (receipt["receipt"], receipt["leaf"]) != (row["outcome"], row["leaf"])):
        raise Broken(f"{_name(row)} waits in custody without its receipt")
    if row["received_at"] != (leaf["at"] if receipt is None else receipt["received_at"]):
        raise Broken(f"{_name(row)} is said to have come at another time than its leaf says")


def _columns(bundle: Bundle, row: Row) -> None:
    """What stands in columns of its own is what the bytes say."""
    said = read(row["raw"])
    for name, value in texts_of(said).items():
        if row[name] != value:
            raise Broken(f"the column {name} of {_name(row)} is not what its bytes say")
    anchor = anchor_of(said)
    known = None if anchor is None else bundle.one("anchors", epoch=anchor[0], size=anchor[1], root=anchor[2])
    if row["anchored"] != int(known is not None):
        raise Broken(f"{_name(row)} names a head of this log, or does not, otherwise than is said")
    for digest, use in named_files(said):
        key = {name: row[name] for name in (*_CHAIN, "n")}
        if bundle.one("files", digest=digest, use=use, **key) is None:
            raise Broken(f"a file that {_name(row)} names is not listed")


def _ended(bundle: Bundle, row: Row) -> None:
    """A chain is of the key that was enrolled; one that the bundle has whole ends where it is said to."""
    name = f"the chain of terminal {row['terminal']}, incarnation {row['incarnation']},"
    said = bundle.leaf(row, name)["said"]
    if any(said.get(each) != row[each] for each in _CHAIN) or said.get("key") != row["thumbprint"]:
        raise Broken(f"{name} has another key than its enrolment says")
    if not _is_of(row["jwk"], row["thumbprint"]):
        raise Broken(f"{name} has another key than its thumbprint says")
    if bundle.has_chain(row["terminal"]):
        upto = "terminal = ? AND incarnation = ?"
        statement = f"SELECT coalesce(sum(n <= ?), 0), coalesce(max(n), 0) FROM operations WHERE {upto}"  # noqa: S608
        found = bundle.file.execute(statement, (row["last_n"], row["terminal"], row["incarnation"])).fetchone()
        after = bundle.one("operations", terminal=row["terminal"], incarnation=row["incarnation"], n=row["last_n"] + 1)
        if found != (row["last_n"], row["top_n"]) or after is not None:
            raise Broken(f"{name} ends elsewhere than is said")


def _is_of(jwk: str, expected: str) -> bool:
    try:
        return thumbprint(orjson.loads(jwk)) == expected
    except (ValueError, KeyError, TypeError):
        return False


def check_receipts(bundle: Bundle) -> None:
    """Every receipt is what its leaf says, and has come to an end when its operation has."""
    for row in bundle.rows("receipts"):
        name = f"the receipt of {_name(row)}"
        leaf = bundle.leaf(row, name)
        said, key = leaf["said"], {each: row[each] for each in (*_CHAIN, "n")}
        same = said["act"] == "held" and all(said[each] == value for each, value in key.items())
        if not same or said["outcome"] != b64(sha256(row["receipt"].encode())):
            raise Broken(f"{name} differs from its leaf")
        if row["received_at"] != leaf["at"]:
            raise Broken(f"{name} is said to be of another time than its leaf says")
        if orjson.loads(row["receipt"])["until"] != row["deadline"]:
            raise Broken(f"{name} ends at another time than it says")
        operation = bundle.one("operations", **key)
        if operation is None:
            raise Broken(f"{name} is of an operation that the bundle has not")
        if (said["op"], said["hash"]) != (operation["op"], operation["hash"]):
            raise Broken(f"{name} is of another operation")
        ended = None if operation["status"] == "held" else bundle.leaf(operation, name)["at"]
        if row["settled_at"] != ended:
            raise Broken(f"{name} is said to have ended at another time than the log says")


def check_versions(bundle: Bundle) -> int:
    """Every version is the bytes that its leaf has the digest of, and tells of an operation as that was sent."""
    count = 0
    for row in bundle.rows("versions"):
        name = f"version {row['version']} of record {row['record']}"
        leaf = bundle.leaf(row, name)
        digests = {(each[0], each[1]): each[2] for each in leaf["said"].get("also", ())}
        if "row" in leaf["said"]:
            digests[leaf["said"]["record"], leaf["said"]["version"]] = leaf["said"]["row"]
        if digests.get((row["record"], row["version"])) != b64(sha256(row["body"].encode())):
            raise Broken(f"{name} differs from its leaf")
        body = orjson.loads(row["body"])
        if body["id"] != row["record"] or any(body[each] != row[each] for each in _OF_BODY):
            raise Broken(f"{name} is listed under other columns than its bytes say")
        if body["received_at"] != leaf["at"]:
            raise Broken(f"{name} is said to have taken effect at another time than its leaf says")
        _tells(bundle, name, body)
        count += 1
    return count


def _tells(bundle: Bundle, name: str, body: Any) -> None:
    operation = bundle.one("operations", op=body["op"])
    if operation is None:
        raise Broken(f"{name} tells of an operation that the bundle has not")
    said = read(operation["raw"])
    same = all(said.get(each) == body[each] for each in _OF_OPERATION)
    if not same or said.get("officer") != body["author"]["officer"]:
        raise Broken(f"{name} tells of its operation otherwise than that was sent")
