"""An index over what was reported, by which alerts are listed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

REPORTED = sa.text("kind = 'dynamic_info'")


def upgrade() -> None:
    op.create_index("reported_by_seq", "records", ["facility", "seq"], sqlite_where=REPORTED, postgresql_where=REPORTED)
