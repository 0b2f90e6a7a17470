"""Files: each that has come has its leaf, and what names one is what operations say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson
from sqlalchemy import select

from backend.audit.checks.base import Broken, View, paired
from backend.audit.checks.told import Told
from backend.kernel.clock import to_text
from backend.kernel.ids import b64, unhash
from backend.storage import tables

_F, _A, _O = tables.files.c, tables.attachments.c, tables.operations.c
_EFFECT = frozenset({"applied", "merged", "conflict"})
_KEPT = frozenset({"held", "rejected", "escrowed"})


class _Names(NamedTuple):
    """What an operation names: digests; the record that it is about; its status."""

    key: tuple[str, int, int]
    digests: frozenset[bytes]
    record: str
    status: str


class _Named(NamedTuple):
    """The rows of one operation: (digest, record)."""

    key: tuple[str, int, int]
    rows: frozenset[tuple[bytes, str]]


def check_files(view: View, told: Told) -> None:
    """Rows of files are what their leaves say. The bytes lie beside the database; a digest is all that is known here."""
    rows = view.stream(select(tables.files).where(_F.facility == view.facility))
    is_ = {b64(row.digest): (row.size, row.type, row.terminal, to_text(row.stored_at)) for row in rows}
    for digest in sorted(is_.keys() | told.files.keys()):
        if is_.get(digest) != told.files.get(digest):
            raise Broken(f"file {digest} differs from its leaf")


def check_attachments(view: View) -> None:
    """Each operation that names files has its rows, and no row names more.

    Of one in escrow it is believed that it was released, where a row gives it its record.
    """
    pairs = paired(_said(view), _rows(view), lambda each: each.key, lambda each: each.key)
    for names, named in pairs:
        if names is None or named is None:
            key = names.key if names is not None else named.key if named is not None else ()
            raise Broken(f"what operation {key} names differs from its rows")
        wanted = {(digest, names.record if names.status in _EFFECT else "") for digest in names.digests}
        allowed = wanted | {(digest, "") for digest in names.digests}
        if names.status == "escrowed":
            allowed |= {(digest, names.record) for digest in names.digests}
        if not wanted <= named.rows <= allowed:
            raise Broken(f"what operation {names.key} names differs from its rows")


def _said(view: View) -> Iterator[_Names]:
    """Operations that name files, by chain and number."""
    columns = (_O.terminal, _O.incarnation, _O.n, _O.status, _O.raw)
    wanted = select(*columns).where(_O.facility == view.facility, _O.status.in_(sorted(_EFFECT | _KEPT)))
    for row in view.stream(wanted.order_by(*columns[:3])):
        said: dict[str, Any] = orjson.loads(row.raw)
        if digests := frozenset(_digests(said["attachments"])):
            yield _Names((row.terminal, row.incarnation, row.n), digests, said["record"], row.status)


def _digests(named: list[str]) -> Iterator[bytes]:
    for digest in named:
        try:
            yield unhash(digest)
        except ValueError:  # no file can have it, and no row
            continue


def _rows(view: View) -> Iterator[_Named]:
    order = (_A.terminal, _A.incarnation, _A.n)
    found: set[tuple[bytes, str]] = set()
    key: tuple[str, int, int] | None = None
    for row in view.stream(select(tables.attachments).where(_A.facility == view.facility).order_by(*order)):
        if key is not None and key != (row.terminal, row.incarnation, row.n):
            yield _Named(key, frozenset(found))
            found = set()
        key = (row.terminal, row.incarnation, row.n)
        found.add((bytes(row.digest), row.record))
    if key is not None:
        yield _Named(key, frozenset(found))
