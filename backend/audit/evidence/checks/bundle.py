"""A bundle as a file that nobody trusts: opened read-only, its layout held against the one that is known."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import sqlite_utils
from cryptography.hazmat.primitives.asymmetric import ec

from backend.audit.checks.base import Broken
from backend.audit.evidence import layout
from backend.audit.evidence.scope import ALL, TERMINAL

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Signer:
    """A key of the server's, and which heads are its own: those after ``after`` and up to ``upto``, by epoch and size.

    ``by``: the key that stated it, None for the first.
    """

    key: ec.EllipticCurvePublicKey
    by: str | None = None
    after: tuple[int, int] = (0, 0)
    upto: tuple[int, int] | None = None


@dataclass(slots=True)
class Bundle:
    """``about``: the facts of that table; ``scope``: what it is of; ``keys``: thumbprint → key; ``ends``: epoch → size and
    root of its log. All are there once they were checked."""

    file: sqlite3.Connection
    about: dict[str, str] = field(default_factory=dict)
    scope: Mapping[str, Any] = field(default_factory=dict)
    keys: dict[str, Signer] = field(default_factory=dict)
    ends: dict[int, tuple[int, bytes]] = field(default_factory=dict)

    @property
    def facility(self) -> str:
        return self.about["facility"]

    @property
    def whole(self) -> bool:
        """Whether it claims to have every leaf."""
        return bool(self.scope["kind"] == ALL)

    def has_chain(self, terminal: str) -> bool:
        """Whether it claims to have all that a terminal sent."""
        return self.whole or self.scope.get(TERMINAL) == terminal

    def rows(self, name: str, having: str | None = None) -> Iterator[Row]:
        """A table in the order of its key; ``having``: only those rows whose column of this name is not null."""
        columns = tuple(layout.SHEETS[name].columns)
        return (dict(zip(columns, row, strict=True)) for row in self.file.execute(layout.ordered(name, having)))

    def one(self, name: str, **where: Any) -> Row | None:
        """The first row that matches."""
        columns = tuple(layout.SHEETS[name].columns)
        listed, wanted = ", ".join(f'"{each}"' for each in columns), " AND ".join(f'"{each}" = ?' for each in where)
        statement = f'SELECT {listed} FROM "{name}" WHERE {wanted} LIMIT 1'  # noqa: S608 - our own names
        row = self.file.execute(statement, tuple(where.values())).fetchone()
        return None if row is None else dict(zip(columns, row, strict=True))

    def leaf(self, row: Row, what: str) -> Row:
        """The leaf that a row names, with what it says as ``said``. Raises Broken."""
        found = self.one("leaves", epoch=row["epoch"], position=row["leaf"])
        if found is None:
            raise Broken(f"{what} names leaf {row['leaf']} of epoch {row['epoch']}, which the bundle has not")
        return {**found, "said": orjson.loads(found["body"])}


def opened(path: Path) -> sqlite3.Connection:
    """The file, read-only, as one that nobody changes. Raises Broken when it is not laid out as a bundle is."""
    if not path.is_file():
        raise Broken(f"there is no file {path}")
    file = sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True, isolation_level=None)
    try:
        file.execute("PRAGMA trusted_schema = OFF").close()
        laid_out = _layout(file)
    except sqlite3.Error as fault:
        file.close()
        raise Broken(f"the file is no SQLite database that can be read: {fault}") from None
    for name in sorted(laid_out.keys() | _KNOWN.keys()):
        if laid_out.get(name) != _KNOWN.get(name):
            file.close()
            raise Broken(f"the file is not laid out as a bundle of {layout.FORMAT}: {name[1]} {name[0]}")
    return file


def _layout(file: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """(name, type) → the statement that made it, for all that is in a database."""
    rows = file.execute("SELECT name, type, coalesce(sql, '') FROM sqlite_master")
    return {(name, type_): sql for name, type_, sql in rows}


def _known() -> dict[tuple[str, str], str]:
    with closing(sqlite3.connect(":memory:")) as model:
        layout.prepare(sqlite_utils.Database(model))
        return _layout(model)


_KNOWN = _known()
