"""The tables. The facility stands first in every key, so that PostgreSQL can be divided by it.

Times are milliseconds since 1970 UTC. Ids are text; hashes are 32 raw bytes. Text compares by bytes everywhere
(SQLite's BINARY, PostgreSQL's "C"), so that both engines sort alike. Small rows that are found by their key alone stand
in it (``sqlite_with_rowid=False``): a page less to write for each.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, text

from backend.storage.columns import TEXT, VOLATILE, count, metadata, moment, words
from backend.storage.identity_tables import (
    alarms,
    assignments,
    challenges,
    confirmations,
    enrolment_codes,
    factors,
    forks,
    incarnations,
    officers,
    postings,
    pulls,
    rates,
    reports,
    segments,
    sessions,
    spent,
    terminals,
)

__all__ = [
    "metadata",
    "alarms",
    "assignments",
    "challenges",
    "confirmations",
    "enrolment_codes",
    "factors",
    "forks",
    "incarnations",
    "officers",
    "postings",
    "pulls",
    "rates",
    "reports",
    "segments",
    "sessions",
    "spent",
    "terminals",
]
"""Of what stands elsewhere; to all who use them, tables are ``backend.storage.tables``."""

facilities = Table(
    "facilities",
    metadata,
    words("facility", key=True),
    words("name"),
    words("type"),
    words("server"),
    Column("epoch", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("peaks", LargeBinary, nullable=False),
    words("head"),
    count("held"),
    count("safe_size"),
    Column("key", TEXT, nullable=False, server_default=""),
    sqlite_with_rowid=False,
    comment="One row a facility: its counters, the Merkle log's peaks and signed head; server: the server's own "
    "terminal in it; held: operations in custody; safe_size: leaves of this epoch that a verified backup covers; key: "
    "the thumbprint of the key that signs its heads, empty before the first head. The row's lock is the facility's "
    "write lock.",
)

epochs = Table(
    "epochs",
    metadata,
    words("facility", key=True),
    Column("epoch", Integer, primary_key=True),
    moment("opened_at"),
    words("reason"),
    words("operator"),
    Column("previous_size", BigInteger, nullable=False),
    Column("previous_root", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
    comment="Epochs after the first: where the log of the one before ended, and why.",
)

witnesses = Table(
    "witnesses",
    metadata,
    words("facility", key=True),
    Column("epoch", Integer, primary_key=True),
    Column("size", BigInteger, primary_key=True),
    words("source", key=True),
    words("head"),
    moment("seen_at"),
    sqlite_with_rowid=False,
    comment="Signed heads that reach beyond the log they speak of: proof of what a restore has lost. source: the "
    "terminal that showed it, or 'file'.",
)

backups = Table(
    "backups",
    metadata,
    words("facility", key=True),
    Column("epoch", Integer, primary_key=True),
    Column("size", BigInteger, primary_key=True),
    Column("root", LargeBinary(32), nullable=False),
    words("place"),
    moment("verified_at"),
    sqlite_with_rowid=False,
    comment="Copies of the store that were read back and verified up to a size of the log.",
)

leaves = Table(
    "leaves",
    metadata,
    words("facility", key=True),
    Column("epoch", Integer, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
    comment="The Merkle log: the bytes that are hashed, in order.",
)

tree_heads = Table(
    "tree_heads",
    metadata,
    words("facility", key=True),
    Column("epoch", Integer, primary_key=True),
    Column("size", BigInteger, primary_key=True),
    Column("root", LargeBinary(32), nullable=False),
    moment("at"),
    sqlite_with_rowid=False,
    comment="Every head that was signed: what an operation's anchor is looked up in.",
)

nodes = Table(
    "nodes",
    metadata,
    words("facility", key=True),
    Column("epoch", Integer, primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("hash", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
    comment="Roots of the Merkle log's full subtrees of 256 leaves, of 256 of those, and so on (levels 8, 16, 24 …), so "
    "that a proof need not read every leaf.",
)

stays = Table(
    "stays",
    metadata,
    words("facility", key=True),
    words("person", key=True),
    Column("since", BigInteger, primary_key=True),
    words("place", null=True),
    sqlite_with_rowid=False,
    comment="Where a person was, by the moment at which the server learnt of it; null: nowhere in the facility.",
)
Index("stays_by_time", stays.c.facility, stays.c.since)

operations = Table(
    "operations",
    metadata,
    words("facility", key=True),
    words("terminal", key=True),
    Column("incarnation", Integer, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    words("op", null=True),
    words("status"),
    Column("hash", LargeBinary(32), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("outcome", LargeBinary, nullable=False),
    Column("leaf", BigInteger, nullable=False),
    moment("received_at"),
    Column("epoch", Integer, nullable=False, server_default="1"),
    comment="Every operation as it was sent, with its outcome as it was answered and its leaf's epoch and position. "
    "Until a held operation has a final outcome, its receipt stands there.",
)
Index("operations_by_op", operations.c.facility, operations.c.op, unique=True)
REMARKABLE = text("status NOT IN ('applied', 'merged', 'repeated')")
"""What an auditor looks for first. A query must say it to the letter, as with LODGED."""
Index(
    "operations_remarkable",
    operations.c.facility,
    operations.c.status,
    operations.c.received_at,
    sqlite_where=REMARKABLE,
    postgresql_where=REMARKABLE,
)

holds = Table(
    "holds",
    metadata,
    words("facility", key=True),
    words("terminal", key=True),
    Column("incarnation", Integer, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    Column("receipt", LargeBinary, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("leaf", BigInteger, nullable=False),
    moment("received_at"),
    moment("deadline"),
    moment("settled_at", null=True),
    comment="Custody receipts: the one of an operation that waits, or waited, for what it needs.",
)
WAITING = text("settled_at IS NULL")
Index("holds_by_deadline", holds.c.facility, holds.c.deadline, sqlite_where=WAITING, postgresql_where=WAITING)

waits = Table(
    "waits",
    metadata,
    words("facility", key=True),
    words("needs", key=True),
    words("terminal", key=True),
    Column("incarnation", Integer, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
    comment="What each held operation still waits for: ids of operations and records.",
)

disputes = Table(
    "disputes",
    metadata,
    words("facility", key=True),
    words("record", key=True),
    words("conflict"),
    sqlite_with_rowid=False,
    comment="Records under dispute, and the open conflict of each.",
)

records = Table(
    "records",
    metadata,
    words("facility", key=True),
    words("id", key=True),
    words("kind"),
    Column("version", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    words("partition"),
    words("place", null=True),
    words("state"),
    words("terminal"),
    Column("body", LargeBinary, nullable=False),
    words("author"),
    Column("since", Integer, nullable=False),
    comment="The present version of every record; body: the row as it is sent to terminals; author: the terminal and"
    " officer whose operations made all versions from since on, empty for one released from escrow.",
)
Index("records_by_partition", records.c.facility, records.c.partition, records.c.seq)
REMOVED = text("state = 'removed'")
"""Tombstones. A query must say it to the letter, as with LODGED."""
Index(
    "tombstones",
    records.c.facility,
    records.c.partition,
    records.c.seq,
    sqlite_where=REMOVED,
    postgresql_where=REMOVED,
)
LODGED = text("kind IN ('person', 'place')")
"""A query must say this to the letter to be answered by the index: a bound parameter proves nothing to the planner."""
Index(
    "lodged_by_place",
    records.c.facility,
    records.c.place,
    records.c.kind,
    records.c.state,
    records.c.id,
    sqlite_where=LODGED,
    postgresql_where=LODGED,
)
REPORTED = text("kind = 'dynamic_info'")
"""Dynamic information. A query must say it to the letter, as with LODGED."""
Index(
    "reported_by_seq",
    records.c.facility,
    records.c.seq,
    sqlite_where=REPORTED,
    postgresql_where=REPORTED,
)
ASKED = text("kind IN ('duty', 'patrol.plan', 'handover')")
"""What is asked of officers and handed over, by what has become of it. A query must say it to the letter, as with LODGED."""
Index(
    "asked_by_state",
    records.c.facility,
    records.c.kind,
    records.c.state,
    records.c.seq,
    sqlite_where=ASKED,
    postgresql_where=ASKED,
)

versions = Table(
    "versions",
    metadata,
    words("facility", key=True),
    words("id", key=True),
    Column("version", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    comment="Versions that are no longer the present one. A fact has none: its bytes stand once.",
)

partitions = Table(
    "partitions",
    metadata,
    words("facility", key=True),
    words("partition", key=True),
    Column("seq", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    count("present"),
    Column("digest", LargeBinary(32), nullable=True),
    count("floor"),
    sqlite_with_rowid=False,
    comment="Each partition's newest sequence number, how many records it ever had and has now, the digest of those "
    "(sync.digests), and its low-water mark: who holds it only up to before that has missed removals.",
)


files = Table(
    "files",
    metadata,
    words("facility", key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("size", BigInteger, nullable=False),
    words("type"),
    words("terminal"),
    moment("stored_at"),
    comment="Files that have come whole, by the SHA-256 of their bytes, which lie in the folder beside the database. "
    "type: as their content says; terminal: which brought it.",
)
Index("files_by_terminal", files.c.facility, files.c.terminal, files.c.stored_at)

attachments = Table(
    "attachments",
    metadata,
    words("facility", key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    words("terminal", key=True),
    Column("incarnation", Integer, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    words("record", key=True),
    sqlite_with_rowid=False,
    comment="Which files each operation names, whether they have come or not. record: the one that it tells of, once it "
    "has taken effect; empty before that, and where it never does.",
)

uploads = Table(
    "uploads",
    metadata,
    words("facility", key=True),
    words("upload", key=True),
    words("terminal"),
    Column("digest", LargeBinary(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    words("type"),
    Column("received", BigInteger, nullable=False),
    moment("expires_at"),
    words("holder"),
    moment("held_until"),
    info=VOLATILE,
    comment="Files on their way. received: how many bytes have come; holder: the request that is adding some, until when "
    "nobody else may.",
)
Index("uploads_by_terminal", uploads.c.facility, uploads.c.terminal)

engines = Table(
    "engines",
    metadata,
    words("facility", key=True),
    Column("epoch", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    moment("at"),
    words("pack"),
    sqlite_with_rowid=False,
    comment="How far the rules of duty have come in each facility: the last version that they were told of, the moment up "
    "to which their clocks ran, and the digest of the pack that was in force.",
)

watches = Table(
    "watches",
    metadata,
    words("facility", key=True),
    words("key", key=True),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
    comment="What the rules of duty have in mind and nothing more: who is watched, since when, what is asked and open.",
)

exclusions = Table(
    "exclusions",
    metadata,
    words("facility", key=True),
    words("partition", key=True),
    words("officer", key=True),
    sqlite_with_rowid=False,
    comment="Officers who are never given a partition though their posts are: they are complained of in it.",
)
Index("exclusions_by_officer", exclusions.c.facility, exclusions.c.officer)
