"""The tables of the first slice"""

# ruff: noqa: E501 - declarations as Alembic writes them

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "assignments",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("officer", TEXT, nullable=False),
        sa.Column("place", TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("facility", "officer", "place"),
        comment="Which ward an officer is responsible for, and when.",
    )
    op.create_table(
        "enrolment_codes",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("thumbprint", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("digest"),
        comment="One-time codes by their SHA-256; thumbprint: the key that used it.",
    )
    op.create_table(
        "facilities",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("server", TEXT, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=False),
        sa.Column("head", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("facility"),
        sqlite_with_rowid=False,
        comment="One row a facility: its counters, the Merkle log's peaks and signed head; server: the server's own terminal in it. The row's lock is the facility's write lock.",
    )
    op.create_table(
        "leaves",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "epoch", "position"),
        sqlite_with_rowid=False,
        comment="The Merkle log: the bytes that are hashed, in order.",
    )
    op.create_table(
        "officers",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("officer", TEXT, nullable=False),
        sa.Column("number", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("posts", TEXT, nullable=False),
        sa.Column("secret", TEXT, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "officer"),
        comment="Officers; posts: words with spaces between; secret: Argon2id.",
    )
    op.create_index("officers_by_number", "officers", ["facility", "number"], unique=True)
    op.create_table(
        "operations",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("op", TEXT, nullable=True),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "terminal", "incarnation", "n"),
        comment="Every operation as it was sent, with its outcome as it was answered and its leaf's position.",
    )
    op.create_index("operations_by_op", "operations", ["facility", "op"], unique=True)
    op.create_table(
        "partitions",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("partition", TEXT, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "partition"),
        sqlite_with_rowid=False,
        comment="Each partition's newest sequence number and how many records it has: a pull asks only those with news.",
    )
    op.create_table(
        "records",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("partition", TEXT, nullable=False),
        sa.Column("place", TEXT, nullable=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "id"),
        comment="The present version of every record; body: the row as it is sent to terminals.",
    )
    op.create_index(
        "lodged_by_place",
        "records",
        ["facility", "place", "kind", "state", "id"],
        unique=False,
        sqlite_where=sa.text("kind IN ('person', 'place')"),
        postgresql_where=sa.text("kind IN ('person', 'place')"),
    )
    op.create_index("records_by_partition", "records", ["facility", "partition", "seq"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("session", TEXT, nullable=False),
        sa.Column("officer", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("facility", "session"),
        comment="An officer on a terminal.",
    )
    op.create_table(
        "terminals",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("label", TEXT, nullable=False),
        sa.Column("thumbprint", TEXT, nullable=False),
        sa.Column("jwk", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("last_n", sa.BigInteger(), nullable=False),
        sa.Column("last_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("captured", sa.BigInteger(), nullable=False),
        sa.Column("enrolled_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "terminal"),
        comment="Enrolled terminals with the end of their chain; captured: the highest number they have reported.",
    )
    op.create_index("terminals_by_thumbprint", "terminals", ["thumbprint", "facility"], unique=True)
    op.create_table(
        "tree_heads",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "epoch", "size"),
        sqlite_with_rowid=False,
        comment="Every head that was signed: what an operation's anchor is looked up in.",
    )
    op.create_table(
        "versions",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "id", "version"),
        comment="Versions that are no longer the present one. A fact has none: its bytes stand once.",
    )
