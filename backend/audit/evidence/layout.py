"""What a bundle's tables and columns hold: the one description that makes the file, stands in it, and checks it.

Times are RFC 3339 text, hashes and keys base64url, what was sent by a terminal raw bytes. A column *proven* follows from
the signed head by the leaves and chains in the bundle; one that is *stated* is the server's word at the export, which
its signature over the whole bundle keeps from being changed afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import sqlite_utils

from backend.kernel.ids import b64

FORMAT = "roundsman-evidence/1"
TYPE = "roundsman-evidence+jwt"
PROVEN, STATED = "proven", "stated"
TEXT, WHOLE, BYTES = str, int, bytes


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its type in SQLite, whether it may be null, how it stands, and what it holds."""

    type: type
    meaning: str
    standing: str = PROVEN
    null: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: what it has a row for, its key, its columns."""

    meaning: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]


def _leaf(what: str, *, null: bool = False) -> dict[str, Column]:
    return {
        "epoch": Column(WHOLE, f"epoch of the leaf of {what}", null=null),
        "leaf": Column(WHOLE, f"position of the leaf of {what}", null=null),
    }


_PLACE = {
    "terminal": Column(TEXT, "the terminal on whose chain it is"),
    "incarnation": Column(WHOLE, "the incarnation of the terminal"),
    "n": Column(WHOLE, "its number on the chain"),
}
_SAID = "what the operation's bytes say; null where they cannot be read"

SHEETS: Mapping[str, Sheet] = {
    "about": Sheet(
        "One row a fact about the bundle.",
        ("name",),
        {"name": Column(TEXT, "which fact"), "value": Column(TEXT, "the fact"), "meaning": Column(TEXT, "what it means")},
    ),
    "tables": Sheet(
        "One row for each table (its column is empty) and each column of this file.",
        ("name", "column"),
        {
            "name": Column(TEXT, "the table"),
            "column": Column(TEXT, "the column; empty for the table itself"),
            "standing": Column(TEXT, "proven, or stated by the server; empty for a table"),
            "meaning": Column(TEXT, "what it holds"),
        },
    ),
    "keys": Sheet(
        "Public keys that signed heads.",
        ("thumbprint",),
        {
            "thumbprint": Column(TEXT, "RFC 7638 thumbprint of the key"),
            "jwk": Column(TEXT, "the key as JWK (RFC 7517)"),
            "endorsed": Column(
                TEXT, "JWS by the key before it over this one and the last head that it signed itself; null for the first",
                null=True,
            ),
        },
    ),
    "heads": Sheet(
        "Where the log of each epoch ends in this bundle: the newest signed head, and the ends of earlier epochs.",
        ("epoch",),
        {
            "epoch": Column(WHOLE, "the epoch"),
            "size": Column(WHOLE, "leaves of its log"),
            "root": Column(TEXT, "root of the Merkle tree over them (RFC 9162 §2.1)"),
            "signed": Column(
                TEXT, "the head as the server signed it (JWS); null where the first leaf of the next epoch says it", null=True
            ),
        },
    ),
    "leaves": Sheet(
        "Leaves of the log: what happened, as it was hashed.",
        ("epoch", "position"),
        {
            "epoch": Column(WHOLE, "the epoch of the log"),
            "position": Column(WHOLE, "the place in the log, from 0"),
            "act": Column(TEXT, "what happened"),
            "at": Column(TEXT, "when, by the server's clock"),
            "body": Column(TEXT, "the bytes of the leaf (JSON)"),
            "path": Column(
                TEXT,
                "inclusion proof to the head of its epoch (RFC 9162 §2.1.3), hashes with spaces between; null where the "
                "bundle has every leaf",
                null=True,
            ),
        },
    ),
    "chains": Sheet(
        "Chains of terminals: an incarnation of a terminal with its key.",
        ("terminal", "incarnation"),
        {
            "terminal": Column(TEXT, "the terminal"),
            "incarnation": Column(WHOLE, "counts from 1; a fork or a restored store ends one"),
            "thumbprint": Column(TEXT, "thumbprint of its key"),
            "jwk": Column(TEXT, "its key as JWK"),
            "label": Column(TEXT, "what the terminal is called", STATED),
            "state": Column(TEXT, "what has become of it", STATED),
            "last_n": Column(WHOLE, "up to where no number is missing; proven where the bundle has the whole chain", STATED),
            "top_n": Column(WHOLE, "the highest number received; proven where the bundle has the whole chain", STATED),
            "captured": Column(WHOLE, "the highest number that the terminal said it had captured", STATED),
            **_leaf("its enrolment"),
        },
    ),
    "operations": Sheet(
        "Operations as terminals sent them, with what came of each.",
        ("terminal", "incarnation", "n"),
        {
            **_PLACE,
            "op": Column(TEXT, "its id; null where it has none of its own", null=True),
            "status": Column(TEXT, "applied, merged, conflict, rejected, quarantined, escrowed; held while it waits"),
            "kind": Column(TEXT, _SAID, null=True),
            "verb": Column(TEXT, _SAID, null=True),
            "record": Column(TEXT, _SAID, null=True),
            "officer": Column(TEXT, _SAID, null=True),
            "session": Column(TEXT, _SAID, null=True),
            "observed_at": Column(TEXT, _SAID + "; the device's claim", null=True),
            "recorded_at": Column(TEXT, _SAID + "; the device's claim", null=True),
            "confirmation": Column(TEXT, "the confirmation that its sign-off names; null where it names none", null=True),
            "received_at": Column(TEXT, "when the server had it: it was made before that"),
            "hash": Column(TEXT, "hash of the chain at this number (docs/protocol.md §5)"),
            "prior": Column(TEXT, "hash of the chain before it"),
            "anchored": Column(WHOLE, "1 where the head that it names is of this log (anchors): it was made after that"),
            "raw": Column(BYTES, "the bytes as they were sent"),
            "outcome": Column(TEXT, "what the terminal was answered"),
            **_leaf("its outcome"),
        },
    ),
    "receipts": Sheet(
        "Operations that wait, or waited, in custody for what they need.",
        ("terminal", "incarnation", "n"),
        {
            **_PLACE,
            "receipt": Column(TEXT, "what the terminal was answered"),
            "received_at": Column(TEXT, "when the server had it"),
            "deadline": Column(TEXT, "until when it waits"),
            "settled_at": Column(TEXT, "when it came to its outcome; null while it waits", null=True),
            **_leaf("the receipt"),
        },
    ),
    "versions": Sheet(
        "Versions of records that the operations made, as terminals were sent them.",
        ("record", "version"),
        {
            "record": Column(TEXT, "the record"),
            "version": Column(WHOLE, "counts from 1"),
            "kind": Column(TEXT, "what sort of record"),
            "partition": Column(TEXT, "the partition that it is given or withheld with"),
            "state": Column(TEXT, "its state; removed: it was taken away"),
            "seq": Column(WHOLE, "the facility's order of versions"),
            "op": Column(TEXT, "the operation that it tells of"),
            "received_at": Column(TEXT, "when it took effect"),
            "body": Column(TEXT, "the row (JSON, docs/protocol.md §7)"),
            **_leaf("the operation that made it"),
        },
    ),
    "anchors": Sheet(
        "Heads that operations name as the newest one their terminal had verified.",
        ("epoch", "size"),
        {
            "epoch": Column(WHOLE, "the epoch"),
            "size": Column(WHOLE, "leaves of the log then"),
            "root": Column(TEXT, "root over them"),
            "path": Column(
                TEXT,
                "consistency proof to the head of its epoch (RFC 9162 §2.1.4), hashes with spaces between; null where the "
                "bundle has every leaf",
                null=True,
            ),
        },
    ),
    "sessions": Sheet(
        "Sign-ins that the operations name.",
        ("session",),
        {
            "session": Column(TEXT, "the session"),
            "officer": Column(TEXT, "who signed in"),
            "terminal": Column(TEXT, "where"),
            "started_at": Column(TEXT, "when"),
            **_leaf("the sign-in"),
        },
    ),
    "officers": Sheet(
        "Officers who are named, as the server knew them at the export.",
        ("officer",),
        {
            "officer": Column(TEXT, "the officer's id", STATED),
            "number": Column(TEXT, "number", STATED),
            "name": Column(TEXT, "name", STATED),
            "posts": Column(TEXT, "posts, with spaces between", STATED),
        },
    ),
    "postings": Sheet(
        "Posts that the officers who are named were given; each holds until his next row.",
        ("officer", "epoch", "leaf"),
        {
            "officer": Column(TEXT, "the officer's id"),
            "since": Column(TEXT, "from when on"),
            "posts": Column(TEXT, "posts, with spaces between"),
            **_leaf("his being added, or given other posts"),
        },
    ),
    "factors": Sheet(
        "Second factors of officers, without their keys. In bundles of all.",
        ("factor",),
        {
            "factor": Column(TEXT, "the factor's id"),
            "officer": Column(TEXT, "whose it is"),
            "sort": Column(TEXT, "webauthn (a key), or totp (one-time codes)"),
            "key_digest": Column(TEXT, "SHA-256 of its public key, or of its secret as the server keeps it"),
            "added_at": Column(TEXT, "when it was added"),
            "removed_at": Column(TEXT, "when it was taken away; null where it is there", null=True),
            **_leaf("its adding"),
            "removed_epoch": Column(WHOLE, "epoch of the leaf of its removal", null=True),
            "removed_leaf": Column(WHOLE, "position of the leaf of its removal", null=True),
        },
    ),
    "confirmations": Sheet(
        "Confirmations of decisions by a second factor, those that operations in the bundle name.",
        ("confirmation",),
        {
            "confirmation": Column(TEXT, "its id, which the operation's sign-off names"),
            "officer": Column(TEXT, "who confirmed"),
            "session": Column(TEXT, "the sign-in in which he did"),
            "terminal": Column(TEXT, "where"),
            "factor": Column(TEXT, "the second factor by which he did"),
            "digest": Column(TEXT, "SHA-256 of the decision (docs/protocol.md §10a)"),
            "proof": Column(BYTES, "what the factor answered (JSON)"),
            "given_at": Column(TEXT, "when"),
            "expires_at": Column(TEXT, "until when the operation had to come (the end not included)"),
            **_leaf("the confirmation"),
        },
    ),
    "files": Sheet(
        "Files that operations name by their SHA-256. The files themselves are not in the bundle.",
        ("digest", "terminal", "incarnation", "n", "use"),
        {
            "digest": Column(TEXT, "SHA-256 of the file, as the operation spells it"),
            **_PLACE,
            "use": Column(TEXT, "attachment, or evidence of the sign-off"),
            "size": Column(WHOLE, "bytes, once the file has come", null=True),
            "type": Column(TEXT, "what its content is, once it has come", null=True),
            **_leaf("its storing", null=True),
        },
    ),
    "forks": Sheet(
        "Bytes that came on a number or link that others had taken. In bundles of one terminal or of all.",
        ("terminal", "incarnation", "n", "hash"),
        {
            **_PLACE,
            "hash": Column(TEXT, "the hash that their chain claims"),
            "raw": Column(BYTES, "the bytes as they were sent"),
            "received_at": Column(TEXT, "when the server had them"),
        },
    ),
    "witnesses": Sheet(
        "Signed heads of logs that a restore has lost.",
        ("epoch", "size", "source"),
        {
            "epoch": Column(WHOLE, "the epoch"),
            "size": Column(WHOLE, "leaves of the log that was lost"),
            "source": Column(TEXT, "who showed it: a terminal, or the file beside the database"),
            "head": Column(TEXT, "the head as it was signed"),
            "seen_at": Column(TEXT, "when it was entered"),
        },
    ),
    "seal": Sheet(
        "One row: the server's signature over all other tables.",
        ("statement",),
        {"statement": Column(TEXT, "JWS; for each table its rows and the SHA-256 over them")},
    ),
}  # fmt: skip

VIEWS: Mapping[str, str] = {
    "newest": "SELECT * FROM versions AS v WHERE version = (SELECT max(version) FROM versions WHERE record = v.record)",
    "conflicts": "SELECT * FROM newest WHERE kind = 'conflict'",
    "escrowed": "SELECT * FROM operations WHERE status = 'escrowed'",
    "quarantined": "SELECT * FROM operations WHERE status = 'quarantined'",
}
"""Questions that are asked often, as views."""

ABOUT: Mapping[str, str] = {
    "format": "how this file is laid out",
    "export": "id of this export",
    "facility": "the custody facility whose log this is",
    "facility_name": "its name, as the server states it",
    "facility_type": "KSS, JLS, QJ, PR or SJ",
    "scope": "what was asked for (JSON): all, one person, one terminal, or a period",
    "reason": "why",
    "officer": "who exported it",
    "session": "his session; empty at the server's own console",
    "terminal": "his terminal; empty at the server's own console",
    "made_at": "when, by the server's clock",
    "epoch": "epoch of the leaf that tells of this export",
    "leaf": "position of that leaf",
}


def prepare(file: sqlite_utils.Database) -> None:
    """Makes the tables, their views, and the description of both."""
    for name, sheet in SHEETS.items():
        file.table(name).create(
            {column: each.type for column, each in sheet.columns.items()},
            pk=sheet.key if len(sheet.key) > 1 else sheet.key[0],
            not_null={column for column, each in sheet.columns.items() if not each.null},
        )
    for column in ("op", "confirmation"):
        file.table("operations").create_index([column])
    for name, statement in VIEWS.items():
        file.create_view(name, statement)


def described() -> list[dict[str, str]]:
    """The rows of ``tables``."""
    rows = []
    for name, sheet in SHEETS.items():
        rows.append({"name": name, "column": "", "standing": "", "meaning": sheet.meaning})
        for column, each in sheet.columns.items():
            rows.append({"name": name, "column": column, "standing": each.standing, "meaning": each.meaning})
    return rows


def digest(rows: Iterable[tuple[Any, ...]]) -> tuple[int, str]:
    """How many rows, and SHA-256 over each as a compact JSON list, LF after each, in the order of the table's key.

    Bytes stand as ``["base64url"]``.
    """
    count, total = 0, hashlib.sha256()
    for row in rows:
        said = [[b64(each)] if isinstance(each, bytes) else each for each in row]
        total.update(orjson.dumps(said) + b"\n")
        count += 1
    return count, b64(total.digest())


def ordered(name: str, having: str | None = None) -> str:
    """The statement that reads a table, or the rows whose column ``having`` is not null, in the order of its key."""
    sheet = SHEETS[name]
    columns = ", ".join(f'"{each}"' for each in sheet.columns)
    key = ", ".join(f'"{each}"' for each in sheet.key)
    where = "" if having is None else f' WHERE "{having}" IS NOT NULL'
    return f'SELECT {columns} FROM "{name}"{where} ORDER BY {key}'  # noqa: S608 - our own names
