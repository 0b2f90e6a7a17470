"""What a leader sees when the shift is over, and what an auditor asks of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from demo.facility import Facility, Place
from demo.rounds import LOCAL
from headless import Terminal

Row = dict[str, Any]


@dataclass(frozen=True)
class Words:
    """The kinds' texts as the server gives them (GET /v1/kinds)."""

    marks: dict[str, dict[str, str]]
    labels: dict[str, dict[str, str]]

    @classmethod
    def read(cls, kinds: dict[str, Any]) -> Words:
        marks = dict(kinds["marks"])
        labels: dict[str, dict[str, str]] = {}
        for kind in kinds["kinds"]:
            marks |= kind["marks"]
            labels |= {f"{kind['name']}.{name}": text for name, text in kind["labels"].items()}
        return cls(marks, labels)

    def visit(self, name: str, value: str) -> str:
        return self.labels[f"patrol.visit.cell.{name}.{value}"]["zh"]


def at(row: Row) -> datetime:
    """When it was seen, local time."""
    return datetime.fromisoformat(row["observed_at"]).astimezone(LOCAL)


class Board:
    """The rows that a leader's terminal holds of one shift."""

    def __init__(self, terminal: Terminal, facility: Facility, begin: datetime) -> None:
        self.facility = facility
        self.rounds = _since(begin, terminal.rows("patrol.round"))
        self.visits = _since(begin, terminal.rows("patrol.visit"))

    def of(self, ward: Place) -> tuple[list[Row], list[Row]]:
        """Rounds and stops of a ward."""
        rounds = [row for row in self.rounds if row["doc"]["area"] == ward.id]
        places = {place.id for place in self.facility.route(ward)}
        return rounds, [row for row in self.visits if row["doc"]["place"] in places]

    def lines(self, words: Words, now: datetime) -> Iterator[str]:
        """The board, ward by ward."""
        for ward in self.facility.wards():
            rounds, visits = self.of(ward)
            results = Counter(row["doc"]["result"] or "open" for row in rounds)
            told = ", ".join(f"{count} {result}" for result, count in results.most_common())
            yield f"{ward.name}  {len(rounds)} rounds ({told}), {len(visits)} stops"
            yield from self._marks(rounds + visits, words)
            yield from self._cells(ward, visits, words, now)

    def early(self, terminal: str) -> tuple[int, int]:
        """Stops of a terminal that claim a time before the head they name was signed, and all of its stops."""
        mine = [row for row in self.visits if row["terminal"] == terminal]
        return sum(row["proven_from"] is not None and row["observed_at"] < row["proven_from"] for row in mine), len(
            mine
        )

    def _marks(self, rows: list[Row], words: Words) -> Iterator[str]:
        counted = Counter(mark["code"] for row in rows for mark in row["marks"])
        for code, count in counted.most_common():
            yield f"    {count:3} × {words.marks[code]['zh']} ({code})"
        if not counted:
            yield "    no marks"

    def _cells(self, ward: Place, visits: list[Row], words: Words, now: datetime) -> Iterator[str]:
        seen = {row["doc"]["place"]: row for row in sorted(visits, key=at)}
        said = []
        for cell in (place for place in self.facility.route(ward) if place.type == "cell"):
            row = seen.get(cell.id)
            looked = None if row is None else row["doc"]["cell"]
            if row is None or looked is None:
                said.append(f"{cell.code} not seen")
                continue
            minutes = max(0, (now - at(row)) // timedelta(minutes=1))
            sight = words.visit("observation", looked["observation"])
            said.append(f"{cell.code} {at(row):%H:%M} ({minutes:2} min) {looked['headcount']:2}人 {sight}")
        for left in range(0, len(said), 2):
            yield "    " + "    ".join(said[left : left + 2])


def _since(begin: datetime, rows: list[Row]) -> list[Row]:
    """By receipt: a handheld's own clock may be wrong, the server's is not."""
    return [row for row in rows if datetime.fromisoformat(row["received_at"]) > begin]
