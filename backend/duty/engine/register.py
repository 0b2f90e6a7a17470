"""Who is held where and which places there are, learnt from the versions of persons and places (``family.Register``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from backend.duty.engine.memory import Body, Memory
from backend.kernel.events import Version

PERSONS, PLACES = "p", "l"
_FARTHEST = 12
"""How deep places lie in each other at most; a ring would be walked for ever."""


class Residents:
    """The register as the engine has heard it. In memory a person is ``{c: cell, r: grade of risk, s: since when}``, a place
    ``{t: type, p: parent, n: position}``; who was released and what was closed is not there."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._lodged: dict[str, set[str]] = defaultdict(set)
        self._below: dict[str, set[str]] = defaultdict(set)
        for key in memory.page(PERSONS):
            self._lodge(_id(key), memory.get(key))
        for key in memory.page(PLACES):
            self._lay(_id(key), memory.get(key))

    def hear(self, version: Version) -> None:
        """Takes a version of a person or place; of other kinds nothing is to be learnt."""
        if version.kind == "person":
            self._person(version)
        elif version.kind == "place":
            self._place(version)

    def held(self) -> Iterable[str]:
        return [_id(key) for key in self._memory.page(PERSONS)]

    def persons(self, cell: str) -> Sequence[str]:
        return sorted(self._lodged.get(cell, ()))

    def cell_of(self, person: str) -> str | None:
        return _word(self._memory.get(f"{PERSONS}|{person}"), "c")

    def risk_of(self, person: str) -> str | None:
        return _word(self._memory.get(f"{PERSONS}|{person}"), "r")

    def since(self, person: str) -> int | None:
        """Since when a person is held, as far as it was heard."""
        body = self._memory.get(f"{PERSONS}|{person}")
        return None if body is None else int(body["s"])

    def wards(self) -> Sequence[str]:
        return [place for place, body in self._places() if body["t"] == "ward"]

    def cells(self, ward: str) -> Sequence[str]:
        found = [(body["n"], place) for place, body in self._inside(ward) if body["t"] == "cell"]
        return [place for _, place in sorted(found)]

    def every_cell(self) -> Sequence[str]:
        """All open cells, by their ids."""
        return [place for place, body in self._places() if body["t"] == "cell"]

    def ward_of(self, place: str) -> str | None:
        at: str | None = place
        for _ in range(_FARTHEST):
            body = None if at is None else self._memory.get(f"{PLACES}|{at}")
            if body is None or body["t"] == "ward":
                return at if body is not None else None
            at = body["p"]
        return None

    def _places(self) -> list[tuple[str, Body]]:
        found = ((_id(key), self._memory.get(key)) for key in self._memory.page(PLACES))
        return [(place, body) for place, body in found if body is not None]

    def _inside(self, place: str, depth: int = 0) -> list[tuple[str, Body]]:
        found: list[tuple[str, Body]] = []
        for below in self._below.get(place, ()) if depth < _FARTHEST else ():
            body = self._memory.get(f"{PLACES}|{below}")
            if body is not None:
                found += [(below, body), *self._inside(below, depth + 1)]
        return found

    def _person(self, version: Version) -> None:
        key = f"{PERSONS}|{version.id}"
        before = self._memory.get(key)
        if before is not None:
            self._lodged[before["c"]].discard(version.id)
        if version.state != "held" or not version.doc.get("cell"):
            self._memory.drop(key)
            return
        since = before["s"] if before is not None else version.received_at
        body = {"c": version.doc["cell"], "r": version.doc.get("risk"), "s": since}
        self._memory.put(key, body)
        self._lodge(version.id, body)

    def _place(self, version: Version) -> None:
        key = f"{PLACES}|{version.id}"
        before = self._memory.get(key)
        if before is not None:
            self._below[before["p"] or ""].discard(version.id)
        if version.state != "open":
            self._memory.drop(key)
            return
        doc = version.doc
        body = {"t": doc["type"], "p": doc["parent"], "n": doc["position"]}
        self._memory.put(key, body)
        self._lay(version.id, body)

    def _lodge(self, person: str, body: Body | None) -> None:
        if body is not None:
            self._lodged[body["c"]].add(person)

    def _lay(self, place: str, body: Body | None) -> None:
        if body is not None:
            self._below[body["p"] or ""].add(place)


def _id(key: str) -> str:
    return key.rpartition("|")[2]


def _word(body: Body | None, name: str) -> str | None:
    found = None if body is None else body[name]
    return None if found is None else str(found)
