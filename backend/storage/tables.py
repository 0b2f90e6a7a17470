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
    sqlite_with_rowid=False,
    comment="One row a facility: its counters, the Merkle log's peaks and signed head; server: the server's own "
    "terminal in it. The row's lock is the facility's write lock.",
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
    comment="Enrolled terminals with the end of their chain; captured: the highest number they have reported.",
)
Index("terminals_by_thumbprint", terminals.c.thumbprint, terminals.c.facility, unique=True)

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
    comment="Officers; posts: words with spaces between; secret: Argon2id.",
)
Index("officers_by_number", officers.c.facility, officers.c.number, unique=True)

assignments = Table(
    "assignments",
    metadata,
    _text("facility", key=True),
    _text("officer", key=True),
    _text("place", key=True),
    _time("since"),
    _time("until", null=True),
    comment="Which ward an officer is responsible for, and when.",
)

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
    comment="Every operation as it was sent, with its outcome as it was answered and its leaf's position.",
)
Index("operations_by_op", operations.c.facility, operations.c.op, unique=True)

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
    comment="The present version of every record; body: the row as it is sent to terminals.",
)
Index("records_by_partition", records.c.facility, records.c.partition, records.c.seq)
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
    sqlite_with_rowid=False,
    comment="Each partition's newest sequence number and how many records it has: a pull asks only those with news.",
)
