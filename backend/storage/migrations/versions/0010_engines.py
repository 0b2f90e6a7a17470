"""Where the rules of duty keep how far they have come"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "engines",
        sa.Column("facility", TEXT, primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("pack", TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "watches",
        sa.Column("facility", TEXT, primary_key=True),
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
