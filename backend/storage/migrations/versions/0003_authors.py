"""Who made the latest versions of each record: by that an edit is known to have missed another's"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
VERSIONS = """
    SELECT facility, id, version, body FROM versions
    UNION ALL SELECT facility, id, version, body FROM records ORDER BY facility, id, version
"""
FILL = "UPDATE records SET author = :author, since = :since WHERE facility = :facility AND id = :id"


def upgrade() -> None:
    op.add_column("records", sa.Column("author", TEXT, server_default="", nullable=False))
    op.add_column("records", sa.Column("since", sa.Integer(), server_default="0", nullable=False))
    connection = op.get_bind()
    for row in _runs(connection):
        connection.execute(sa.text(FILL), row)


def _runs(connection: sa.Connection) -> Iterator[dict[str, object]]:
    """The author of each record's present version, and the version from which on all are his."""
    rows = connection.execute(sa.text(VERSIONS).execution_options(yield_per=1000))
    for (facility, record), versions in groupby(rows, lambda row: (row.facility, row.id)):
        author, since = None, 0
        for row in versions:
            made = _author(bytes(row.body))
            if made != author:
                author, since = made, row.version
        yield {"author": author, "since": since, "facility": facility, "id": record}


def _author(body: bytes) -> str:
    said = orjson.loads(body)
    released = any(mark["code"] == "escrow.released" for mark in said["marks"])
    return "" if released else f"{said['terminal']}/{said['author']['officer']}"
