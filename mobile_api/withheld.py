"""What the auditor's views keep from a post that is given no rows of a compartment: a leader medical ones, say; and from an
officer what he is complained of in.

Bytes that could not be read say of no kind that they are of, and are shown to all who may see the view.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from backend.audit.views.operations import readable, text_of
from backend.identity.scopes import GIVEN, given, partition
from backend.kernel.ids import unb64
from backend.records.registry import kinds


class Sight:
    """What some posts are given, wherever it is. ``left_out``: partitions that this officer is not given all the same."""

    def __init__(self, posts: Iterable[str], officer: str = "", left_out: Collection[str] = ()) -> None:
        self._officer, self._left_out = officer, left_out
        self._ends = given(posts)
        held = frozenset(posts)
        self._compartments = {compartment for (_, compartment), to in GIVEN.items() if to & held}

    def partition(self, name: str) -> bool:
        """Whether rows of a partition may be shown."""
        return name not in self._left_out and name.endswith(self._ends.get(name.partition("/")[0], ()))

    def kind(self, name: str | None) -> bool:
        """Whether operations of a kind may be shown; of one that is not known there is nothing to keep."""
        known = kinds().get(name or "")
        return known is None or known.compartment in self._compartments

    def bytes_of(self, raw: str | None) -> bool:
        """Whether an operation's bytes (base64url) may be shown."""
        said: dict[str, Any] = {} if raw is None else readable(unb64(raw)) or {}
        return self.kind(text_of(said, "kind")) and not self._complains(said)

    def record(self, record: str | None) -> bool:
        """Whether operations on a record may be shown, as far as it is a matter."""
        return partition("matter", record or "") not in self._left_out

    def _complains(self, said: dict[str, Any]) -> bool:
        """Whether an operation is of a matter that this officer is left out of, or names him in one, taken or not."""
        fields = said.get("fields")
        against = fields.get("against") if isinstance(fields, dict) else None
        return not self.record(text_of(said, "record")) or (isinstance(against, list) and self._officer in against)
