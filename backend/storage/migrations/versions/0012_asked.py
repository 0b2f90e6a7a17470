"""Duties, plans of patrols and handovers, by what has become of them; sessions by officer"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ASKED = sa.text("kind IN ('duty', 'patrol.plan', 'handover')")


def upgrade() -> None:
    op.create_index(
        "asked_by_state",
        "records",
        ["facility", "kind", "state", "seq"],
        sqlite_where=ASKED,
        postgresql_where=ASKED,
    )
    op.create_index("sessions_by_officer", "sessions", ["facility", "officer", "expires_at"])
