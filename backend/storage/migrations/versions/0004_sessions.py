"""Refresh tokens, spent proofs, rates, temporary secrets"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("sessions", sa.Column("generation", sa.BigInteger(), server_default="1", nullable=False))
    op.add_column("officers", sa.Column("temporary", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "spent",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
        comment="Proofs that are good for one request: SHA-256 of key and jti, kept while their nonce may live.",
    )
    op.create_index("spent_by_time", "spent", ["until"])
    op.create_table(
        "rates",
        sa.Column("facility", TEXT, primary_key=True),
        sa.Column("subject", TEXT, primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
        comment="How often something was tried, and until when that counts; facility: empty for what is counted before "
        "one is known.",
    )
