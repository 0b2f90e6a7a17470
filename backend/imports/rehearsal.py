"""A rehearsal: each record is judged by its own kind before anybody makes it, so that a preview and the sync agree."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from backend.imports.draft import Draft
from backend.kernel.acceptor import Acceptor
from backend.kernel.kind import Deed, Head, Mark
from backend.kernel.problems import Problem, field_problems
from backend.records.registry import kinds


@cache
def _acceptor(kind: str, verb: str) -> Acceptor:
    return Acceptor(kinds()[kind].verbs[verb].schema)


class Rehearsal:
    """Knows the records that there are, and those that were rehearsed (``backend.kernel.kind.Known``)."""

    def __init__(self, heads: Mapping[str, Head], now: int, facility_type: str = "") -> None:
        self._heads = dict(heads)
        self._now = now
        self._type = facility_type

    def record(self, record: str) -> Head | None:
        return self._heads.get(record)

    def headcount(self, _cell: str) -> int:
        return 0

    def residents(self, cell: str) -> list[Head]:
        return [head for head in self._heads.values() if head.kind == "person" and head.place == cell]

    def places(self, ward: str) -> list[Head]:
        return [head for head in self._heads.values() if head.kind == "place" and head.place == ward]

    def facility_type(self) -> str:
        return self._type

    def posts(self) -> frozenset[str]:
        return frozenset()

    def forced(self) -> bool:
        return False

    def play(self, draft: Draft) -> tuple[Mark, ...] | list[Problem]:
        """What is remarkable about a record; or what is wrong, each with the name of its field."""
        verb = kinds()[draft.kind].verbs[draft.verb]
        if messages := _acceptor(draft.kind, draft.verb).errors(dict(draft.fields)):
            return field_problems(messages)
        now = self._now
        deed = Deed("", "", draft.record, draft.verb, 0, "", now, now, now, draft.fields)
        ruling = verb.judge(deed, None, self)
        if isinstance(ruling, Problem):
            return [Problem(ruling.code, (ruling.field or "").removeprefix("fields."), **ruling.detail)]
        self._heads[draft.record] = Head(
            draft.record, draft.kind, 1, 0, ruling.partition, ruling.place, ruling.state, "", b"", ruling.doc, "", 0
        )
        return ruling.marks
