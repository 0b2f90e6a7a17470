"""Writing a bundle: one consistent view of the log, read page by page, into one SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import sqlite_utils
from sqlalchemy import Connection, select

from backend.audit import merkle
from backend.audit.evidence import layout
from backend.audit.evidence.about import about, chains, officers, sessions, signed, thumbprints
from backend.audit.evidence.decisions import FACTORED, GIVEN, POSTED, confirmation_row, factor_rows, posting_row
from backend.audit.evidence.order import Order
from backend.audit.evidence.paths import Paths
from backend.audit.evidence.rows import ENROLMENTS, Leaf, anchor_of, files_of, operation_row, receipt_row, version_row
from backend.audit.evidence.scope import ALL, TERMINAL
from backend.audit.evidence.source import AT_ONCE, Key, Place, Source, paged
from backend.kernel.clock import to_text
from backend.kernel.disk import settle
from backend.kernel.framing import genesis
from backend.kernel.ids import b64
from backend.kernel.keys import SigningKey, thumbprint
from backend.storage import tables
from backend.storage.engine import Store

_F = tables.facilities.c


@dataclass(frozen=True, slots=True)
class Keys:
    """The key that signs now, and all that ever did: (JWK, the statement of the key before it), the first one first."""

    signer: SigningKey
    chain: Sequence[tuple[Mapping[str, str], str | None]]


class Damaged(Exception):
    """The log cannot be exported as it is; ``flask audit verify`` says what is wrong with it."""


def export(store: Store, keys: Keys, ordered: Order, target: Path) -> int:
    """Writes the bundle of an order that stands in the log, as a file of mode 0600; returns its size in bytes.

    The file appears whole or not at all. Raises Damaged, FileExistsError and other OSErrors, Problem ``server.busy``.
    """
    if target.exists():
        raise FileExistsError(target)
    draft = target.with_name(f"{target.name}.{os.getpid()}.draft")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            for pragma in ("journal_mode = OFF", "synchronous = OFF"):
                connection.execute(f"PRAGMA {pragma}").close()
            file = sqlite_utils.Database(connection)
            with store.reading() as source:
                _Writer(source, file, ordered, keys).write()
            file.table("seal").insert({"statement": signed(file, keys.signer, ordered)})
        settle(draft)
        os.link(draft, target)
    except (UnicodeDecodeError, orjson.JSONDecodeError, KeyError, TypeError, LookupError) as fault:
        raise Damaged(f"the log cannot be exported as it is ({type(fault).__name__}): verify it first") from fault
    finally:
        draft.unlink(missing_ok=True)
    return target.stat().st_size


class _Writer:
    """One bundle on its way. What has been written is remembered, but for a bundle of everything, which meets each once."""

    def __init__(self, connection: Connection, file: sqlite_utils.Database, ordered: Order, keys: Keys) -> None:
        self._file = file
        self._order = ordered
        self._keys = keys
        self._source = Source(connection, ordered.who.facility, ordered.scope)
        self._whole = ordered.scope.kind == ALL
        self._state = connection.execute(select(tables.facilities).where(_F.facility == ordered.who.facility)).one()
        self._ends = self._read_ends()
        self._prints = thumbprints(connection, ordered.who.facility)
        self._enrolled: dict[tuple[str, int], Leaf] = {}
        self._signed_in: dict[str, Leaf] = {}
        self._stored: dict[str, Leaf] = {}
        self._given: dict[str, Leaf] = {}
        self._posted: list[Leaf] = []
        self._factored: list[Leaf] = []
        self._proofs: dict[int, Paths] = {}
        self._operations: set[Key] = set()
        self._leaves: set[Place] = set()
        self._anchors: set[Place] = set()
        self._sessions: set[str] = set()
        self._confirmations: set[str] = set()
        self._officers: set[str] = {ordered.who.officer}
        self._terminals: set[str] = set()
        self._files: list[dict[str, Any]] = []

    def write(self) -> None:
        """All tables but the seal, which is over them."""
        with self._file.atomic():
            layout.prepare(self._file)
            self._put("about", about(self._order, self._state))
            self._put("tables", layout.described())
            self._put("keys", [_key_row(*each) for each in self._keys.chain])
            self._put("heads", [self._head_row(epoch) for epoch in self._ends])
            for page in paged(self._source.operations()):
                self._write_page(page)
            self._write_leaves(self._source.every_leaf() if self._whole else self._named_leaves())
            self._write_structure()
            self._write_beside()

    def _read_ends(self) -> dict[int, tuple[int, str]]:
        """Each epoch's size and root in this bundle, the oldest first."""
        packed, state = self._state.peaks, self._state
        root = merkle.root([packed[at : at + 32] for at in range(0, len(packed), 32)])
        opened = self._source.everything(tables.epochs, tables.epochs.c.epoch)
        numbers = [1, *(row.epoch for row in opened)]
        ends = {
            before: (row.previous_size, b64(row.previous_root)) for before, row in zip(numbers, opened, strict=False)
        }
        return ends | {state.epoch: (state.size, b64(root))}

    def _head_row(self, epoch: int) -> dict[str, Any]:
        size, root = self._ends[epoch]
        present = epoch == self._state.epoch
        return {"epoch": epoch, "size": size, "root": root, "signed": self._state.head if present else None}

    # Operations

    def _write_page(self, keys: Sequence[Key]) -> None:
        """Operations with what came of each, their leaves, and what those speak of."""
        fresh = list(keys) if self._whole else [each for each in dict.fromkeys(keys) if each not in self._operations]
        if not fresh:
            return
        rows = self._source.rows(fresh)
        read = [operation_row(row, self._start(row)) for row in rows]
        anchored = self._anchored([each.said for each in read])
        for each, known in zip(read, anchored, strict=True):
            each.row["anchored"] = int(known)
            self._note(each.row, files_of(each))
        self._confirm(each.row["confirmation"] for each in read)
        self._put("operations", [each.row for each in read])
        self._put("receipts", [receipt_row(row) for row in rows if row.receipt is not None])
        if not self._whole:
            self._operations.update((row.terminal, row.incarnation, row.n) for row in rows)
            places = [(row.epoch, row.leaf) for row in rows]
            places += [(row.held_epoch, row.held_leaf) for row in rows if row.receipt is not None]
            self._write_leaves(self._source.bodies(self._fresh(places)))

    def _start(self, row: Any) -> bytes:
        chain = (row.terminal, row.incarnation)
        return genesis(self._source.facility, *chain, self._prints[chain])

    def _note(self, row: Mapping[str, Any], files: list[dict[str, Any]]) -> None:
        self._terminals.add(row["terminal"])
        self._files += files
        if row["session"] is not None:
            self._sessions.add(row["session"])
        if row["officer"] is not None:
            self._officers.add(row["officer"])

    def _confirm(self, named: Iterable[str | None]) -> None:
        """Confirmations that are named bring with them who gave them, and his sign-in."""
        fresh = {each for each in named if each is not None} - self._confirmations
        if fresh and not self._whole:
            for confirmation, row in self._source.confirmations(sorted(fresh)).items():
                self._confirmations.add(confirmation)
                self._officers.add(row.officer)
                self._sessions.add(row.session)

    def _anchored(self, said: Sequence[Mapping[str, Any]]) -> list[bool]:
        """For each operation whether the head that it names is of this log; such heads are noted."""
        named = [anchor_of(each) for each in said]
        roots = self._source.heads_at(sorted({each[:2] for each in named if each is not None}))
        known = [each is not None and b64(roots.get(each[:2], b"")) == each[2] for each in named]
        self._anchors.update(each[:2] for each, is_ in zip(named, known, strict=True) if each is not None and is_)
        return known

    # Leaves

    def _fresh(self, places: Iterable[Place]) -> list[Place]:
        fresh = [each for each in dict.fromkeys(places) if each not in self._leaves]
        self._leaves.update(fresh)
        return fresh

    def _named_leaves(self) -> Iterable[Any]:
        places = [(self._order.epoch, self._order.leaf), *((epoch, 0) for epoch in self._ends)]
        for page in paged((*places, *self._source.leaves())):
            yield from self._source.bodies(self._fresh(page))

    def _write_structure(self) -> None:
        """Leaves on which the tables beside the operations rest: enrolments, sign-ins, posts, keys, files, witnesses."""
        if self._order.scope.kind == TERMINAL:
            self._terminals.add(str(self._order.scope.subject))
        digests = {each["digest"] for each in self._files}
        wanted, enrolments, posted = [], [], []
        for row in self._source.structure():
            leaf = Leaf.read(row)
            if leaf.act in ENROLMENTS:
                self._enrols(leaf)
                enrolments.append((leaf.said["terminal"], row))
            elif leaf.act in POSTED:
                self._posts(leaf)
                posted.append((leaf, row))
            elif self._structural(leaf, digests):
                wanted.append(row)
        wanted += [row for terminal, row in enrolments if terminal in self._terminals]
        posted = [each for each in posted if self._whole or each[0].said["officer"] in self._officers]
        self._posted = [leaf for leaf, _ in posted]
        wanted += [row for _, row in posted]
        if not self._whole:
            fresh = set(self._fresh((row.epoch, row.position) for row in wanted))
            self._write_leaves(row for row in wanted if (row.epoch, row.position) in fresh)

    def _enrols(self, leaf: Leaf) -> None:
        """Whose key is enrolled by a leaf that is in the bundle has all his chains in it."""
        terminal = leaf.said["terminal"]
        self._enrolled[terminal, leaf.said["incarnation"]] = leaf
        if (leaf.epoch, leaf.position) in self._leaves:
            self._terminals.add(terminal)

    def _posts(self, leaf: Leaf) -> None:
        """Whose posts are told by a leaf that is in the bundle has all that he was given in it."""
        if (leaf.epoch, leaf.position) in self._leaves:
            self._officers.add(leaf.said["officer"])

    def _structural(self, leaf: Leaf, digests: set[str]) -> bool:
        said, act = leaf.said, leaf.act
        there = (leaf.epoch, leaf.position) in self._leaves
        if act == "session.started":
            mine = there or said["session"] in self._sessions or self._of_terminal(said)
            if mine:
                self._signed_in[said["session"]] = leaf
                self._sessions.add(said["session"])
                self._officers.add(said["officer"])
            return mine
        if act.startswith("session."):
            return said.get("session") in self._signed_in
        if act == "file.stored":
            self._stored[said["digest"]] = leaf
            return said["digest"] in digests
        if act == GIVEN:
            mine = self._whole or there or said["confirmation"] in self._confirmations
            if mine:
                self._given[said["confirmation"]] = leaf
            return mine
        if act in FACTORED:
            self._factored += [leaf] if self._whole else []
            return self._whole
        return True

    def _of_terminal(self, said: Mapping[str, Any]) -> bool:
        return self._whole or (self._order.scope.kind == TERMINAL and said["terminal"] == self._order.scope.subject)

    def _write_leaves(self, rows: Iterable[Any]) -> None:
        """Leaves with their proofs, and what they speak of: versions of records, and operations."""
        for page in paged(rows):
            leaves = [Leaf.read(row) for row in sorted(page, key=lambda row: (row.epoch, row.position))]
            self._put("leaves", [each.row(self._path(each)) for each in leaves])
            made = {key: (each, digest) for each in leaves for key, digest in each.versions()}
            self._confirm(each.said["confirmation"] for each in leaves if each.act == GIVEN)
            told = self._write_versions({key: each for key, (each, _) in made.items()})
            if not self._whole:
                self._write_page([each.operation() for each in leaves if each.is_outcome()])
                for ops in paged(told):
                    self._write_page(self._source.keys_of(ops))

    def _path(self, leaf: Leaf) -> str | None:
        if self._whole:
            return None
        return " ".join(map(b64, self._paths(leaf.epoch).inclusion(leaf.position)))

    def _paths(self, epoch: int) -> Paths:
        if epoch not in self._proofs:
            here = (self._source.connection, self._source.facility)
            self._proofs[epoch] = Paths(*here, epoch, self._ends[epoch][0])
        return self._proofs[epoch]

    def _write_versions(self, made: Mapping[tuple[str, int], Leaf]) -> list[str]:
        """The versions that leaves name; returns the operations that they tell of."""
        bodies: dict[tuple[str, int], bytes] = {}
        for page in paged(made):
            bodies |= self._source.versions(page)
        rows = [version_row(leaf, bodies[key]) for key, leaf in made.items()]
        self._put("versions", rows)
        return sorted({row["op"] for row in rows})

    # What lies beside

    def _write_beside(self) -> None:
        facility, connection = self._source.facility, self._source.connection
        self._put("anchors", [self._anchor_row(*each) for each in sorted(self._anchors)])
        every = None if self._whole else self._terminals
        self._put("chains", chains(connection, facility, every, self._enrolled))
        self._put("sessions", sessions(self._signed_in))
        self._put("officers", officers(connection, facility, None if self._whole else self._officers))
        self._put("postings", map(posting_row, self._posted))
        self._put("factors", factor_rows(self._factored))
        self._put("confirmations", self._confirmation_rows())
        self._put("files", [each | self._storing(each["digest"]) for each in self._files])
        if self._whole or self._order.scope.kind == TERMINAL:
            self._put("forks", [_fork_row(row) for row in self._source.everything(
                tables.forks, tables.forks.c.terminal) if self._of_terminal(row._mapping)])  # fmt: skip
        shown = self._source.everything(tables.witnesses, tables.witnesses.c.epoch)
        self._put("witnesses", [_witness_row(row) for row in shown])

    def _confirmation_rows(self) -> Iterator[dict[str, Any]]:
        for page in paged(self._given):
            kept = self._source.confirmations(page)
            yield from (confirmation_row(self._given[each], kept[each].proof) for each in page)

    def _anchor_row(self, epoch: int, size: int) -> dict[str, Any]:
        root = self._source.heads_at([(epoch, size)])[epoch, size]
        path = None
        if not self._whole:
            path = " ".join(map(b64, self._paths(epoch).consistency(size)))
        return {"epoch": epoch, "size": size, "root": b64(root), "path": path}

    def _storing(self, digest: str) -> dict[str, Any]:
        leaf = self._stored.get(digest)
        if leaf is None:
            return {"size": None, "type": None, "epoch": None, "leaf": None}
        return {"size": leaf.said["size"], "type": leaf.said["type"], "epoch": leaf.epoch, "leaf": leaf.position}

    def _put(self, name: str, rows: Iterable[dict[str, Any]]) -> None:
        self._file.table(name).insert_all(rows, batch_size=AT_ONCE)


def _key_row(jwk: Mapping[str, str], endorsed: str | None) -> dict[str, Any]:
    return {"thumbprint": thumbprint(dict(jwk)), "jwk": orjson.dumps(jwk).decode(), "endorsed": endorsed}


def _fork_row(row: Any) -> dict[str, Any]:
    return {
        "terminal": row.terminal,
        "incarnation": row.incarnation,
        "n": row.n,
        "hash": b64(row.hash),
        "raw": row.raw,
        "received_at": to_text(row.received_at),
    }


def _witness_row(row: Any) -> dict[str, Any]:
    return {
        "epoch": row.epoch,
        "size": row.size,
        "source": row.source,
        "head": row.head,
        "seen_at": to_text(row.seen_at),
    }
