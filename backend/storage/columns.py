"""What tables are made of: columns of the few sorts that there are, and the model that they all belong to."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, MetaData, Text

metadata = MetaData()
VOLATILE = {"volatile": True}
"""Of a table whose rows prove nothing and may be lost: written by ``backend.storage.scratch``, without a leaf."""
TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def words(name: str, *, key: bool = False, null: bool = False) -> Column[str]:
    """Text that compares by bytes."""
    return Column(name, TEXT, primary_key=key, nullable=null and not key)


def count(name: str) -> Column[int]:
    """A number that begins at 0."""
    return Column(name, BigInteger, nullable=False, server_default="0")


def moment(name: str, *, null: bool = False) -> Column[int]:
    """Milliseconds since 1970 UTC."""
    return Column(name, BigInteger, nullable=null)
