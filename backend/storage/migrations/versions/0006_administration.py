"""Codes that enrol a terminal at once, or wait for approval"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Codes that were made before enrol at once, as they did."""
    op.add_column("enrolment_codes", sa.Column("approved", sa.Boolean(), server_default=sa.true(), nullable=False))
