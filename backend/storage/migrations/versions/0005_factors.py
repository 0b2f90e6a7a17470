"""Second factors, confirmations, posts by their time"""

# ruff: noqa: E501 - declarations as Alembic writes them

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
FILL = "INSERT INTO postings (facility, officer, since, posts) SELECT facility, officer, 0, posts FROM officers"
"""Nothing tells since when they had them: always."""


def upgrade() -> None:
    op.add_column("officers", sa.Column("posted_at", sa.BigInteger(), server_default="0", nullable=False))
    _add_postings()
    _add_factors()
    _add_confirmations()
    op.get_bind().execute(sa.text(FILL))


def _add_postings() -> None:
    op.create_table(
        "postings",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("officer", TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("posts", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("facility", "officer", "since"),
        comment="Which posts an officer held from a moment on, until the next: words with spaces between.",
        sqlite_with_rowid=False,
    )


def _add_factors() -> None:
    op.create_table(
        "factors",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("officer", TEXT, nullable=False),
        sa.Column("factor", TEXT, nullable=False),
        sa.Column("sort", TEXT, nullable=False),
        sa.Column("label", TEXT, nullable=False),
        sa.Column("credential", TEXT, nullable=True),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("facility", "officer", "factor"),
        comment="Second factors of officers; sort: webauthn or totp; credential: WebAuthn's id of it; key: the public key, or the secret under factor.key; counter: signatures so far, or the last time step that was used.",
    )
    op.create_index("factors_by_credential", "factors", ["facility", "credential"], unique=True)


def _add_confirmations() -> None:
    op.create_table(
        "confirmations",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("confirmation", TEXT, nullable=False),
        sa.Column("officer", TEXT, nullable=False),
        sa.Column("session", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("factor", TEXT, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("op", TEXT, nullable=True),
        sa.Column("spent_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("facility", "confirmation"),
        comment="Confirmations of decisions by a second factor; digest: of the decision; proof: what the factor answered; op: the operation that used it.",
    )
    op.create_table(
        "challenges",
        sa.Column("facility", TEXT, nullable=False),
        sa.Column("challenge", TEXT, nullable=False),
        sa.Column("officer", TEXT, nullable=False),
        sa.Column("terminal", TEXT, nullable=False),
        sa.Column("purpose", TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facility", "challenge"),
        comment="What a factor that is being added, or asked, is to answer, for some minutes.",
        sqlite_with_rowid=False,
    )
    op.create_index("challenges_by_time", "challenges", ["until"])
