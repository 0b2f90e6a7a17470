"""Custody, conflicts, incarnations, epochs, digests: what sync needs to lose nothing"""

# ruff: noqa: E501 - declarations as Alembic writes them

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _add_tables()
    _add_columns()
    _let_assignments_return()
    _fill()


def _add_tables() -> None:
    op.create_table(
        "backups",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("place", TEXT, nullable=False),
        sa.Column("verified_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "epoch", "size"),
        comment="Copies of the store that were read back and verified up to a size of the log.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "disputes",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("record", TEXT, nullable=False),
        sa.Column("conflict", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("facility", "record"),
        comment="Records under dispute, and the open conflict of each.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "epochs",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("operator", TEXT, nullable=False),
        sa.Column("previous_size", sa.BigInteger(), nullable=False),
        sa.Column("previous_root", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("facility", "epoch"),
        comment="Epochs after the first: where the log of the one before ended, and why.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "forks",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "terminal", "incarnation", "n", "hash"),
        comment="Operations that came on a number or link that other bytes had taken: quarantined as they were sent.",
    )
    op.create_table(
        "holds",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("leaf", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("facility", "terminal", "incarnation", "n"),
        comment="Custody receipts: the one of an operation that waits, or waited, for what it needs.",
    )
    op.create_index(
        "holds_by_deadline",
        "holds",
        ["facility", "deadline"],
        unique=False,
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_table(
        "incarnations",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("thumbprint", TEXT, nullable=False),
        sa.Column("jwk", TEXT, nullable=False),
        sa.Column("last_n", sa.BigInteger(), nullable=False),
        sa.Column("last_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("top_n", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), nullable=False),
        sa.Column("why", TEXT, nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "terminal", "incarnation"),
        comment="Incarnations that have ended, with the end of their chain: frozen by a fork, or closed.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pulls",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("officer", TEXT, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "terminal", "officer", "seq"),
        comment="Up to which sequence number a terminal was given all of an officer's scope, and when.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reports",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "terminal"),
        comment="What terminals say of themselves: app version, battery, storage, clock. The newest of each.",
    )
    op.create_table(
        "segments",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("prior", sa.LargeBinary(length=32), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("last_hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("facility", "terminal", "incarnation", "first"),
        comment="Runs of a chain that were received beyond a gap; prior: the hash that each claims for the one before it.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stays",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("person", TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("place", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("facility", "person", "since"),
        comment="Where a person was, by the moment at which the server learnt of it; null: nowhere in the facility.",
        sqlite_with_rowid=False,
    )
    op.create_index("stays_by_time", "stays", ["facility", "since"], unique=False)
    op.create_table(
        "waits",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("needs", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "needs", "terminal", "incarnation", "n"),
        comment="What each held operation still waits for: ids of operations and records.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "witnesses",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("head", TEXT, nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "epoch", "size", "source"),
        comment="Signed heads that reach beyond the log they speak of: proof of what a restore has lost. source: the terminal that showed it, or 'file'.",
        sqlite_with_rowid=False,
    )


def _add_columns() -> None:
    op.add_column("facilities", sa.Column("held", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("facilities", sa.Column("safe_size", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("officers", sa.Column("revoked_at", sa.BigInteger(), nullable=True))
    op.add_column("operations", sa.Column("epoch", sa.Integer(), server_default="1", nullable=False))
    op.create_index(
        "operations_remarkable",
        "operations",
        ["facility", "status", "received_at"],
        unique=False,
        sqlite_where=sa.text("status NOT IN ('applied', 'merged', 'repeated')"),
        postgresql_where=sa.text("status NOT IN ('applied', 'merged', 'repeated')"),
    )
    op.add_column("partitions", sa.Column("present", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("partitions", sa.Column("digest", sa.LargeBinary(length=32), nullable=True))
    op.add_column("partitions", sa.Column("floor", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(
        "tombstones",
        "records",
        ["facility", "partition", "seq"],
        unique=False,
        sqlite_where=sa.text("state = 'removed'"),
        postgresql_where=sa.text("state = 'removed'"),
    )
    op.add_column("terminals", sa.Column("top_n", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("terminals", sa.Column("safe_n", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("terminals", sa.Column("asset", TEXT, nullable=True))


def _let_assignments_return() -> None:
    """The start joins the key, so that an officer can be given a ward again."""
    op.rename_table("assignments", "assignments_before")
    op.create_table(
        "assignments",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("officer", TEXT, nullable=False),
        sa.Column("place", TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("facility", "officer", "place", "since"),
        comment="Which ward an officer is responsible for, and when.",
    )
    op.execute("INSERT INTO assignments SELECT facility, officer, place, since, until FROM assignments_before")
    op.drop_table("assignments_before")


def _fill() -> None:
    """What the new columns would hold if they had always been there."""
    op.execute("UPDATE terminals SET top_n = last_n")
    op.execute("INSERT INTO stays SELECT facility, id, 0, place FROM records WHERE kind = 'person'")
    connection = op.get_bind()
    sums: dict[tuple[str, str], list[int]] = {}
    rows = connection.execute(sa.text('SELECT facility, "partition", id, version, body FROM records'))
    for facility, partition, record, version, body in rows:
        term = hashlib.sha256(f"{record}\n{version}\n".encode() + bytes(body)).digest()
        found = sums.setdefault((facility, partition), [0, 0])
        found[0] += 1
        found[1] = (found[1] + int.from_bytes(term, "big")) % 2**256
    fill = sa.text('UPDATE partitions SET present = :n, digest = :d WHERE facility = :f AND "partition" = :p')
    for (facility, partition), (count, total) in sums.items():
        connection.execute(fill, {"n": count, "d": total.to_bytes(32, "big"), "f": facility, "p": partition})
