"""Subtree hashes of the log, which key signs it, and terminals' alarms over its heads"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from itertools import groupby

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
STEP, AT_ONCE = 8, 1000
LEAVES = "SELECT facility, epoch, body FROM leaves ORDER BY facility, epoch, position"

SIGNED = "UPDATE facilities SET key = :key WHERE facility = :facility"


def upgrade() -> None:
    nodes = op.create_table(
        "nodes",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("facility", "epoch", "level", "position"),
        comment="Roots of the Merkle log's full subtrees of 256 leaves, of 256 of those, and so on (levels 8, 16, 24 …), "
        "so that a proof need not read every leaf.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "alarms",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "terminal"),
        comment="Terminals that were shown heads which do not agree, and have stopped: the newest report of each that "
        "nobody has settled.",
    )
    op.add_column("facilities", sa.Column("key", TEXT, server_default="", nullable=False))
    connection = op.get_bind()
    for row in connection.execute(sa.text("SELECT facility, head FROM facilities")).all():
        connection.execute(sa.text(SIGNED), {"key": _kid(row.head), "facility": row.facility})
    found = list(_full(connection))  # a row for 256 leaves
    for at in range(0, len(found), AT_ONCE):
        op.bulk_insert(nodes, found[at : at + AT_ONCE])


def _kid(head: str) -> str:
    """The thumbprint of the key that has signed a head: it stands in its own header (RFC 7515 §4.1.4)."""
    header = head.partition(".")[0]
    return str(orjson.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])


def _full(connection: sa.Connection) -> Iterator[dict[str, object]]:
    """The root of every full subtree of a level that is kept (RFC 9162 §2.1.1)."""
    rows = connection.execute(sa.text(LEAVES).execution_options(yield_per=AT_ONCE))
    for (facility, epoch), leaves in groupby(rows, lambda row: (row.facility, row.epoch)):
        peaks: list[bytes] = []
        for size, row in enumerate(leaves):
            carried, bits, level = hashlib.sha256(b"\x00" + bytes(row.body)).digest(), size, 0
            while bits & 1:
                carried = hashlib.sha256(b"\x01" + peaks.pop() + carried).digest()
                bits, level = bits >> 1, level + 1
                if not level % STEP:
                    told = {"level": level, "position": size >> level, "hash": carried}
                    yield {"facility": facility, "epoch": epoch, **told}
            peaks.append(carried)
