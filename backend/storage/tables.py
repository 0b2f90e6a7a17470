"""The tables. The facility stands first in every key, so that PostgreSQL can be divided by it.

Times are milliseconds since 1970 UTC. Ids are text; hashes are 32 raw bytes. Text compares by bytes everywhere
(SQLite's BINARY, PostgreSQL's "C"), so that both engines sort alike. Small rows that are found by their key alone stand
in it (``sqlite_with_rowid=False``): a page less to write for each.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData()


def _text(name: str, *, key: bool = False, null: bool = False) -> Column[str]:
    kind = Text().with_variant(Text(collation="C"), "postgresql")
    return Column(name, kind, primary_key=key, nullable=null and not key)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _time(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


facilities = Table(
    "facilities",
    metadata,
    _text("facility", key=True),
    _text("name"),
    _text("type"),
    _text("server"),
    Column("epoch", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("peaks", LargeBinary, nullable=False),
    _text("head"),
    _count("held"),
    _count("safe_size"),
    sqlite_with_rowid=False,
    comment="One row a facility: its counters, the Merkle log's peaks and signed head; server: the server's own "
    "terminal in it; held: operations in custody; safe_size: leaves of this epoch that a verified backup covers. "
    "The row's lock is the facility's write lock.",
)

epochs = Table(
    "epochs",
    metadata,
    _text("facility", key=True),
    Column("epoch", Integer, primary_key=True),
    _time("opened_at"),
    _text("reason"),
    _text("operator"),
    Column("previous_size", BigInteger, nullable=False),
    Column("previous_root", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
    comment="Epochs after the first: where the log of the one before ended, and why.",
)

witnesses = Table(
    "witnesses",
    metadata,
    _text("facility", key=True),
    Column("epoch", Integer, primary_key=True),
    Column("size", BigInteger, primary_key=True),
    _text("source", key=True),
    _text("head"),
    _time("seen_at"),
    sqlite_with_rowid=False,
    comment="Signed heads that reach beyond the log they speak of: proof of what a restore has lost. source: the "
    "terminal that showed it, or 'file'.",
)

backups = Table(
    "backups",
    metadata,
    _text("facility", key=True),
    Column("epoch", Integer, primary_key=True),
    Column("size", BigInteger, primary_key=True),
    Column("root", LargeBinary(32), nullable=False),
    _text("place"),
    _time("verified_at"),
    sqlite_with_rowid=False,
    comment="Copies of the store that were read back and verified up to a size of the log.",
)

leaves = Table(
    "leaves",
    metadata,
    _text("facility", key=True),
    Column("epoch", Integer, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
    comment="The Merkle log: the bytes that are hashed, in order.",
)

tree_heads = Table(
    "tree_heads",
    metadata,
    _text("facility", key=True),
    Column("epoch", Integer, primary_key=True),
    Column("size", BigInteger, primary_key=True),
    Column("root", LargeBinary(32), nullable=False),
    _time("at"),
    sqlite_with_rowid=False,
    comment="Every head that was signed: what an operation's anchor is looked up in.",
)

terminals = Table(
    "terminals",
    metadata,
    _text("facility", key=True),
    _text("terminal", key=True),
    _text("label"),
    _text("thumbprint"),
    _text("jwk"),
    _text("state"),
    Column("incarnation", Integer, nullable=False),
    Column("last_n", BigInteger, nullable=False),
    Column("last_hash", LargeBinary(32), nullable=False),
    Column("captured", BigInteger, nullable=False),
    _time("enrolled_at"),
    _count("top_n"),
    _count("safe_n"),
    _text("asset", null=True),
    comment="Enrolled terminals with the end of their present chain. last_n: up to which no number is missing; top_n: "
    "the highest one received; captured: the highest one they have reported; safe_n: up to which a verified backup has "
    "them; asset: the device's inventory number.",
)
Index("terminals_by_thumbprint", terminals.c.thumbprint, terminals.c.facility, unique=True)

incarnations = Table(
    "incarnations",
    metadata,
    _text("facility", key=True),
    _text("terminal", key=True),
    Column("incarnation", Integer, primary_key=True),
    _text("thumbprint"),
    _text("jwk"),
    Column("last_n", BigInteger, nullable=False),
    Column("last_hash", LargeBinary(32), nullable=False),
    Column("top_n", BigInteger, nullable=False),
    Column("captured", BigInteger, nullable=False),
    _text("why"),
    _time("ended_at"),
    sqlite_with_rowid=False,
    comment="Incarnations that have ended, with the end of their chain: frozen by a fork, or closed.",
)

segments = Table(
    "segments",
    metadata,
    _text("facility", key=True),
    _text("terminal", key=True),
    Column("incarnation", Integer, primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("prior", LargeBinary(32), nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("last_hash", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
    comment="Runs of a chain that were received beyond a gap; prior: the hash that each claims for the one before it.",
)

forks = Table(
    "forks",
    metadata,
    _text("facility", key=True),
    _text("terminal", key=True),
    Column("incarnation", Integer, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    Column("hash", LargeBinary(32), primary_key=True),
    Column("raw", LargeBinary, nullable=False),
    _time("received_at"),
    comment="Operations that came on a number or link that other bytes had taken: quarantined as they were sent.",
)

reports = Table(
    "reports",
    metadata,
    _text("facility", key=True),
    _text("terminal", key=True),
    _time("at"),
    Column("body", LargeBinary, nullable=False),
    comment="What terminals say of themselves: app version, battery, storage, clock. The newest of each.",
)

pulls = Table(
    "pulls",
    metadata,
    _text("facility", key=True),
    _text("terminal", key=True),
    _text("officer", key=True),
    Column("seq", BigInteger, primary_key=True),
    _time("at"),
    sqlite_with_rowid=False,
    comment="Up to which sequence number a terminal was given all of an officer's scope, and when.",
)

enrolment_codes = Table(
    "enrolment_codes",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    _text("facility"),
    _time("expires_at"),
    _text("thumbprint", null=True),
    comment="One-time codes by their SHA-256; thumbprint: the key that used it.",
)

officers = Table(
    "officers",
    metadata,
    _text("facility", key=True),
    _text("officer", key=True),
    _text("number"),
    _text("name"),
    _text("posts"),
    _text("secret"),
    Column("active", Boolean, nullable=False),
    Column("failures", Integer, nullable=False),
    _time("locked_until"),
    _time("revoked_at", null=True),
    comment="Officers; posts: words with spaces between; secret: Argon2id.",
)
Index("officers_by_number", officers.c.facility, officers.c.number, unique=True)

assignments = Table(
    "assignments",
    metadata,
    _text("facility", key=True),
    _text("officer", key=True),
    _text("place", key=True),
    Column("since", BigInteger, primary_key=True),
    _time("until", null=True),
    comment="Which ward an officer is responsible for, and when.",
)

stays = Table(
    "stays",
    metadata,
    _text("facility", key=True),
    _text("person", key=True),
    Column("since", BigInteger, primary_key=True),
    _text("place", null=True),
    sqlite_with_rowid=False,
    comment="Where a person was, by the moment at which the server learnt of it; null: nowhere in the facility.",
)
Index("stays_by_time", stays.c.facility, stays.c.since)

sessions = Table(
    "sessions",
    metadata,
    _text("facility", key=True),
    _text("session", key=True),
    _text("officer"),
    _text("terminal"),
    _time("started_at"),
    _time("expires_at"),
    _time("ended_at", null=True),
    comment="An officer on a terminal.",
)

operations = Table(
    "operations",
    metadata,
    _text("facility", key=True),
    _text("terminal", key=True),
    Column("incarnation", Integer, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    _text("op", null=True),
    _text("status"),
    Column("hash", LargeBinary(32), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("outcome", LargeBinary, nullable=False),
    Column("leaf", BigInteger, nullable=False),
    _time("received_at"),
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
    _text("facility", key=True),
    _text("terminal", key=True),
    Column("incarnation", Integer, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    Column("receipt", LargeBinary, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("leaf", BigInteger, nullable=False),
    _time("received_at"),
    _time("deadline"),
    _time("settled_at", null=True),
    comment="Custody receipts: the one of an operation that waits, or waited, for what it needs.",
)
WAITING = text("settled_at IS NULL")
Index("holds_by_deadline", holds.c.facility, holds.c.deadline, sqlite_where=WAITING, postgresql_where=WAITING)

waits = Table(
    "waits",
    metadata,
    _text("facility", key=True),
    _text("needs", key=True),
    _text("terminal", key=True),
    Column("incarnation", Integer, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
    comment="What each held operation still waits for: ids of operations and records.",
)

disputes = Table(
    "disputes",
    metadata,
    _text("facility", key=True),
    _text("record", key=True),
    _text("conflict"),
    sqlite_with_rowid=False,
    comment="Records under dispute, and the open conflict of each.",
)

records = Table(
    "records",
    metadata,
    _text("facility", key=True),
    _text("id", key=True),
    _text("kind"),
    Column("version", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    _text("partition"),
    _text("place", null=True),
    _text("state"),
    _text("terminal"),
    Column("body", LargeBinary, nullable=False),
    _text("author"),
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

versions = Table(
    "versions",
    metadata,
    _text("facility", key=True),
    _text("id", key=True),
    Column("version", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    comment="Versions that are no longer the present one. A fact has none: its bytes stand once.",
)

partitions = Table(
    "partitions",
    metadata,
    _text("facility", key=True),
    _text("partition", key=True),
    Column("seq", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    _count("present"),
    Column("digest", LargeBinary(32), nullable=True),
    _count("floor"),
    sqlite_with_rowid=False,
    comment="Each partition's newest sequence number, how many records it ever had and has now, the digest of those "
    "(sync.digests), and its low-water mark: who holds it only up to before that has missed removals.",
)
