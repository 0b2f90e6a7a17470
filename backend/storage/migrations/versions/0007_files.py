"""Files by their digest, uploads in progress, what names them"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
EVERY = "SELECT facility, terminal, incarnation, n, status, raw FROM operations WHERE status NOT IN ('repeated', 'quarantined')"
ONE = "SELECT facility, terminal, incarnation, n, status, raw FROM operations WHERE facility = :f AND op = :op"
FILL = "INSERT INTO attachments VALUES (:facility, :digest, :terminal, :incarnation, :n, :record)"
EFFECT = ("applied", "merged", "conflict")


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("facility", TEXT, primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        comment="Files that have come whole, by the SHA-256 of their bytes, which lie in the folder beside the "
        "database. type: as their content says; terminal: which brought it.",
    )
    op.create_index("files_by_terminal", "files", ["facility", "terminal", "stored_at"])
    op.create_table(
        "attachments",
        sa.Column("facility", TEXT, primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("terminal", TEXT, primary_key=True),
        sa.Column("incarnation", sa.Integer(), primary_key=True),
        sa.Column("n", sa.BigInteger(), primary_key=True),
        sa.Column("record", TEXT, primary_key=True),
        sqlite_with_rowid=False,
        comment="Which files each operation names, whether they have come or not. record: the one that it tells of, "
        "once it has taken effect; empty before that, and where it never does.",
    )
    op.create_table(
        "uploads",
        sa.Column("facility", TEXT, primary_key=True),
        sa.Column("upload", TEXT, primary_key=True),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("held_until", sa.BigInteger(), nullable=False),
        comment="Files on their way. received: how many bytes have come; holder: the request that is adding some, "
        "until when nobody else may.",
    )
    op.create_index("uploads_by_terminal", "uploads", ["facility", "terminal"])
    _fill()


def _fill() -> None:
    """What operations named before there were files."""
    connection = op.get_bind()
    rows = connection.execute(sa.text(EVERY).execution_options(yield_per=1000))
    found = {tuple(row.items()) for each in rows for row in _named(connection, each)}
    for row in sorted(found, key=repr):
        connection.execute(sa.text(FILL), dict(row))


def _named(connection: sa.Connection, row: Any) -> Iterator[dict[str, object]]:
    said = _read(row.raw)
    if said is None:
        return
    yield from _of(row, said, said["record"] if row.status in EFFECT else "")
    if (said["kind"], said["verb"], row.status) == ("escrow", "release", "applied"):
        inner = connection.execute(sa.text(ONE), {"f": row.facility, "op": said["fields"]["op"]}).one()
        yield from _of(inner, _read(inner.raw), _read(inner.raw)["record"])


def _of(row: Any, said: Any, record: str) -> Iterator[dict[str, object]]:
    for digest in said["attachments"]:
        raw = base64.urlsafe_b64decode(f"{digest}=")
        if base64.urlsafe_b64encode(raw).decode() != f"{digest}=":
            continue  # no file can have it
        yield {
            "facility": row.facility,
            "digest": raw,
            "terminal": row.terminal,
            "incarnation": row.incarnation,
            "n": row.n,
            "record": record,
        }


def _read(raw: bytes) -> Any:
    """The operation, if it is one: some that are kept could not be read."""
    try:
        said = orjson.loads(raw)
        return said if all(len(digest) == 43 for digest in said["attachments"]) and said["record"] else None
    except (ValueError, TypeError, KeyError):
        return None
