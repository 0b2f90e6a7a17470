"""The tables of who is there: terminals with their chains, officers, sessions, and how they prove themselves."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, false, true

from backend.storage.columns import VOLATILE, count, metadata, moment, words

terminals = Table(
    "terminals",
    metadata,
    words("facility", key=True),
    words("terminal", key=True),
    words("label"),
    words("thumbprint"),
    words("jwk"),
    words("state"),
    Column("incarnation", Integer, nullable=False),
    Column("last_n", BigInteger, nullable=False),
    Column("last_hash", LargeBinary(32), nullable=False),
    Column("captured", BigInteger, nullable=False),
    moment("enrolled_at"),
    count("top_n"),
    count("safe_n"),
    words("asset", null=True),
    comment="Enrolled terminals with the end of their present chain. last_n: up to which no number is missing; top_n: "
    "the highest one received; captured: the highest one they have reported; safe_n: up to which a verified backup has "
    "them; asset: the device's inventory number.",
)
Index("terminals_by_thumbprint", terminals.c.thumbprint, terminals.c.facility, unique=True)

incarnations = Table(
    "incarnations",
    metadata,
    words("facility", key=True),
    words("terminal", key=True),
    Column("incarnation", Integer, primary_key=True),
    words("thumbprint"),
    words("jwk"),
    Column("last_n", BigInteger, nullable=False),
    Column("last_hash", LargeBinary(32), nullable=False),
    Column("top_n", BigInteger, nullable=False),
    Column("captured", BigInteger, nullable=False),
    words("why"),
    moment("ended_at"),
    sqlite_with_rowid=False,
    comment="Incarnations that have ended, with the end of their chain: frozen by a fork, or closed.",
)

segments = Table(
    "segments",
    metadata,
    words("facility", key=True),
    words("terminal", key=True),
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
    words("facility", key=True),
    words("terminal", key=True),
    Column("incarnation", Integer, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    Column("hash", LargeBinary(32), primary_key=True),
    Column("raw", LargeBinary, nullable=False),
    moment("received_at"),
    comment="Operations that came on a number or link that other bytes had taken: quarantined as they were sent.",
)

reports = Table(
    "reports",
    metadata,
    words("facility", key=True),
    words("terminal", key=True),
    moment("at"),
    Column("body", LargeBinary, nullable=False),
    comment="What terminals say of themselves: app version, battery, storage, clock. The newest of each.",
)

alarms = Table(
    "alarms",
    metadata,
    words("facility", key=True),
    words("terminal", key=True),
    moment("at"),
    Column("body", LargeBinary, nullable=False),
    comment="Terminals that were shown heads which do not agree, and have stopped: the newest report of each that nobody "
    "has settled.",
)

pulls = Table(
    "pulls",
    metadata,
    words("facility", key=True),
    words("terminal", key=True),
    words("officer", key=True),
    Column("seq", BigInteger, primary_key=True),
    moment("at"),
    sqlite_with_rowid=False,
    comment="Up to which sequence number a terminal was given all of an officer's scope, and when.",
)

enrolment_codes = Table(
    "enrolment_codes",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    words("facility"),
    moment("expires_at"),
    words("thumbprint", null=True),
    Column("approved", Boolean, nullable=False, server_default=true()),
    comment="One-time codes by their SHA-256; thumbprint: the key that used it; approved: it enrols at once, and the "
    "terminal need not wait for an administrator.",
)

officers = Table(
    "officers",
    metadata,
    words("facility", key=True),
    words("officer", key=True),
    words("number"),
    words("name"),
    words("posts"),
    words("secret"),
    Column("active", Boolean, nullable=False),
    Column("failures", Integer, nullable=False),
    moment("locked_until"),
    moment("revoked_at", null=True),
    Column("temporary", Boolean, nullable=False, server_default=false()),
    count("posted_at"),
    comment="Officers; posts: words with spaces between; secret: Argon2id; temporary: it was set by somebody else, and "
    "its officer must change it first. failures, locked_until: not used (rates); "
    "posted_at: when his posts were changed last, 0: never.",
)
Index("officers_by_number", officers.c.facility, officers.c.number, unique=True)

postings = Table(
    "postings",
    metadata,
    words("facility", key=True),
    words("officer", key=True),
    Column("since", BigInteger, primary_key=True),
    words("posts"),
    sqlite_with_rowid=False,
    comment="Which posts an officer held from a moment on, until the next: words with spaces between.",
)

factors = Table(
    "factors",
    metadata,
    words("facility", key=True),
    words("officer", key=True),
    words("factor", key=True),
    words("sort"),
    words("label"),
    words("credential", null=True),
    Column("key", LargeBinary, nullable=False),
    Column("counter", BigInteger, nullable=False),
    moment("added_at"),
    moment("used_at", null=True),
    moment("removed_at", null=True),
    comment="Second factors of officers; sort: webauthn or totp; credential: WebAuthn's id of it; key: the public key, or "
    "the secret under factor.key; counter: signatures so far, or the last time step that was used.",
)
Index("factors_by_credential", factors.c.facility, factors.c.credential, unique=True)

confirmations = Table(
    "confirmations",
    metadata,
    words("facility", key=True),
    words("confirmation", key=True),
    words("officer"),
    words("session"),
    words("terminal"),
    words("factor"),
    Column("digest", LargeBinary(32), nullable=False),
    Column("proof", LargeBinary, nullable=False),
    moment("given_at"),
    moment("expires_at"),
    words("op", null=True),
    moment("spent_at", null=True),
    comment="Confirmations of decisions by a second factor; digest: of the decision; proof: what the factor answered; "
    "op: the operation that used it.",
)

challenges = Table(
    "challenges",
    metadata,
    words("facility", key=True),
    words("challenge", key=True),
    words("officer"),
    words("terminal"),
    words("purpose"),
    Column("body", LargeBinary, nullable=False),
    moment("until"),
    sqlite_with_rowid=False,
    info=VOLATILE,
    comment="What a factor that is being added, or asked, is to answer, for some minutes.",
)
Index("challenges_by_time", challenges.c.until)

assignments = Table(
    "assignments",
    metadata,
    words("facility", key=True),
    words("officer", key=True),
    words("place", key=True),
    Column("since", BigInteger, primary_key=True),
    moment("until", null=True),
    comment="Which ward an officer is responsible for, and when.",
)

sessions = Table(
    "sessions",
    metadata,
    words("facility", key=True),
    words("session", key=True),
    words("officer"),
    words("terminal"),
    moment("started_at"),
    moment("expires_at"),
    moment("ended_at", null=True),
    Column("generation", BigInteger, nullable=False, server_default="1"),
    comment="An officer on a terminal; generation: of its newest refresh token.",
)
Index("sessions_by_officer", sessions.c.facility, sessions.c.officer, sessions.c.expires_at)

spent = Table(
    "spent",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    moment("until"),
    sqlite_with_rowid=False,
    info=VOLATILE,
    comment="Proofs that are good for one request: SHA-256 of key and jti, kept while their nonce may live.",
)
Index("spent_by_time", spent.c.until)

rates = Table(
    "rates",
    metadata,
    words("facility", key=True),
    words("subject", key=True),
    Column("count", Integer, nullable=False),
    moment("until"),
    sqlite_with_rowid=False,
    info=VOLATILE,
    comment="How often something was tried, and until when that counts; facility: empty for what is counted before one "
    "is known.",
)
