"""Officers who are left out of a partition"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "exclusions",
        sa.Column("facility", TEXT, primary_key=True),
        sa.Column("partition", TEXT, primary_key=True),
        sa.Column("officer", TEXT, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("exclusions_by_officer", "exclusions", ["facility", "officer"])
