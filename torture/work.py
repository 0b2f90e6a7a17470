"""What officers do: operations drawn from a chance, honest ones and others, on a terminal in memory."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from torture.chain import Item
from torture.keys import uuid7
from torture.light import Light
from torture.town import WARD_POSTS, Town, persons, places, post, tag

BY_SESSION: dict[str, Any] = {"method": "session", "evidence": [], "challenge": None}
MINUTE = 60_000
WALKERS = frozenset({"PAT", "DISC", "AUX", "LEAD", "DIR", "MED"})
BECOMES = {
    ("dynamic_info", "handle"): "handled", ("dynamic_info", "withdraw"): "removed", ("person", "release"): "released",
    ("duty", "acknowledge"): "acknowledged", ("duty", "complete"): "completed", ("duty", "cancel"): "cancelled",
}  # fmt: skip
"""The state in which a verb leaves its record, as its own officer sees it before the server has said so."""
OBSERVATIONS = ("asleep", "calm", "talking", "low_mood", "agitated", "dispute", "unwell", "damage")


@dataclass
class Board:
    """What terminals know of each other by talk: recent operations, persons, what lies in escrow."""

    town: Town
    recent: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=60))
    """(op, terminal)"""
    people: list[str] = field(default_factory=list)
    born: deque[tuple[str, dict[str, Any], str]] = field(default_factory=lambda: deque(maxlen=8))
    """(person, fields, op) of those just made, perhaps not yet sent."""
    escrowed: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    refused: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    newer: float = 0.0
    """How often a stop is written in the form that the servers learn in the middle of the run."""


class Work:
    """The work at one terminal."""

    def __init__(self, light: Light, board: Board, wards: dict[str, tuple[str, ...]]) -> None:
        self.light, self.board, self.town = light, board, board.town
        self.wards = wards
        self.chance = light.chance

    # Times

    def _times(self) -> dict[str, int]:
        now = self.light.device.now()
        late = self.chance.random() < 0.1
        return {"recorded": now, "observed": now - self.chance.randint(*((31, 300) if late else (0, 29))) * MINUTE}

    # Rounds

    def _ward(self) -> str:
        seat = self.light.seat
        assert seat is not None
        mine = self.wards.get(seat.number, ()) if post(seat.number) in WARD_POSTS else ("A", "B", "C")
        foreign = not mine or self.chance.random() < 0.03
        return self.chance.choice(("A", "B", "C") if foreign else mine)

    def round(self, after: list[str] | None = None) -> list[Item]:
        """A round: opened, some stops, mostly closed."""
        seat = self.light.seat
        if seat is None or post(seat.number) not in WALKERS:
            return []
        ward, record = self._ward(), uuid7(self.chance, self.light.device.now())
        fields: dict[str, Any] = {"area": self.town.ids[ward], "companions": []}
        opened = self.do("patrol.round", "open", record, fields, after=list(after or []))
        if opened is None or opened.op is None:
            return []
        done = [opened]
        stops = [code for code, (kind, above) in places().items() if above == ward]
        for code in self.chance.choices(stops, k=self.chance.randint(1, 7)):
            item = self.visit(record, code, [opened.op])
            done += [item] if item else []
        if self.chance.random() < 0.8:
            fields = {"result": "completed", "reason": None, "visits": len(done) - 1}
            item = self.do(
                "patrol.round", "close", record, fields, base=1, after=[opened.op], signoff=BY_SESSION, **self._seen(
                    "patrol.round", "close", {}, {"state": "open"})
            )  # fmt: skip
            done += [item] if item else []
        return done

    def visit(self, round_: str, code: str, after: list[str], headcount: int = 2, **other: Any) -> Item | None:
        """A stop."""
        cell = {
            "headcount": headcount, "response": self.chance.choice(("spoke", "moving", "breathing")),
            "observation": self.chance.choice(OBSERVATIONS),
        }  # fmt: skip
        fields = {
            "round": round_, "place": self.town.ids[code],
            "tag": {"uid": tag(code), "medium": "nfc", "counter": self.chance.randint(0, 999)},
            "cell": None if code.endswith("K") else cell, "note": self.chance.choice((None, "巡视正常", "note")),
        }  # fmt: skip
        record = uuid7(self.chance, self.light.device.now())
        if self.board.newer and self.chance.random() < self.board.newer:
            other |= {"schema": 2}
        return self.do("patrol.visit", "record", record, fields, after=after, **other)

    def do(self, kind: str, verb: str, record: str, fields: Any, *, tag: str = "good", **other: Any) -> Item | None:
        times = self._times()
        item = self.light.capture(
            kind, verb, record, fields, tag=tag, recorded=times["recorded"], observed=times["observed"], **other
        )
        if item is not None and item.op is not None and tag == "good":
            self.board.recent.append((item.op, self.light.name))
        return item

    def _seen(self, kind: str, verb: str, fields: dict[str, Any], doc: dict[str, Any]) -> dict[str, Any]:
        """The key ``seen``, where the verb wants it."""
        rule: dict[str, Any] = dict(self.town.verbs.get(kind, {}).get(verb, {}))
        names = [*(fields if rule.get("edits") else ()), *rule.get("watches", ())]
        return {"seen": {name: doc.get(name) for name in names}} if names else {}

    # Shared records

    def mine(self, record: str) -> tuple[int, dict[str, Any], str] | None:
        """A record as its officer sees it: the version held, and the document and state with his own unsent work upon it."""
        row, seat = self.light.held.rows.get(record), self.light.seat
        if row is None or seat is None:
            return None
        doc = {"state": row.said["state"], **row.said["doc"]}
        state = str(row.said["state"])
        for item in self.light.chain.items[-400:]:
            said = item.said
            if said is None or said["record"] != record or item.lost or said["officer"] != seat.officer:
                continue
            made = item.outcome.get("version", 0) if item.outcome and item.status in ("applied", "merged") else 0
            if made > row.version or item.status in (None, "held"):
                doc |= said["fields"]
                state = BECOMES.get((said["kind"], said["verb"]), state)
        return row.version, {**doc, "state": state}, state

    def previous(self, record: str) -> list[str]:
        """This terminal's last operation on a record."""
        for item in reversed(self.light.chain.items):
            if item.said is not None and item.said["record"] == record and item.op is not None:
                return [item.op]
        return []

    def edit(self, kind: str, verb: str, record: str, fields: dict[str, Any], **other: Any) -> Item | None:
        """An edit of a record that is held, with what was seen."""
        known = self.mine(record)
        if known is None:
            return None
        base, doc, _ = known
        changes = {name: value for name, value in fields.items() if doc.get(name) != value}
        if not changes:
            return None
        seen = self._seen(kind, verb, changes, doc)
        return self.do(kind, verb, record, changes, base=base, after=self.previous(record), **seen, **other)

    def step(
        self, kind: str, verb: str, record: str, fields: dict[str, Any], known: tuple[int, dict[str, Any], str], **other: Any
    ) -> Item | None:  # fmt: skip
        """A transition of a record that is held, resting on what was seen."""
        base, doc, _ = known
        seen = self._seen(kind, verb, fields, doc)
        return self.do(
            kind, verb, record, fields, base=base, after=self.previous(record), tag="step", **seen, **other
        )  # fmt: skip

    def person(self) -> Item | None:
        """The desk changes a person; some of them again and again, so that changes meet."""
        seat = self.light.seat
        if seat is None or post(seat.number) != "INT":
            return None
        hot = [self.town.ids[name] for name in list(persons())[:6]]
        record = self.chance.choice(hot if self.chance.random() < 0.5 else self.board.people)
        cells = [self.town.ids[code] for code, (kind, _) in places().items() if kind == "cell"]
        serial = f"{self.light.name}-{self.light.chain.last}"
        fields: dict[str, Any] = self.chance.choice((
            {"name": f"姓名{serial}"}, {"number": f"N-{serial}"}, {"name": f"姓名{serial}", "number": f"M-{serial}"},
        ))  # fmt: skip
        known = self.mine(record)
        if known is not None and known[1].get("state") == "held" and self.chance.random() < 0.35:
            fields = {"cell": self.chance.choice(cells)}
        return self.edit("person", "change", record, fields)

    def arrival(self) -> Item | None:
        """A person comes in."""
        seat = self.light.seat
        if seat is None or post(seat.number) != "INT":
            return None
        cells = [self.town.ids[code] for code, (kind, _) in places().items() if kind == "cell"]
        record = uuid7(self.chance, self.light.device.now())
        number = f"2027-{self.light.name}-{self.light.chain.last}"
        fields = {
            "number": number,
            "name": f"新人{number}",
            "sex": "m",
            "cell": self.chance.choice(cells),
            "state": "held",
        }
        item = self.do("person", "create", record, fields)
        if item is not None and item.op is not None:
            self.board.people.append(record)
            self.board.born.append((record, fields, item.op))
        return item

    # What meets what others do

    def early(self) -> Item | None:
        """A change of a person whose arrival another terminal may not have sent yet."""
        seat = self.light.seat
        if seat is None or post(seat.number) != "INT" or not self.board.born:
            return None
        record, doc, _ = self.chance.choice(list(self.board.born))
        if record in self.light.held.rows or self.previous(record):
            return None
        fields = {"name": f"改名{self.light.name}-{self.light.chain.last}"}
        return self.do("person", "change", record, fields, base=1, **self._seen("person", "change", fields, doc))

    def dependent(self) -> list[Item]:
        """A round that needs another terminal's operation, one that was refused, or one that never comes."""
        draw = self.chance.random()
        others = [op for op, name in list(self.board.recent) if name != self.light.name]
        if draw < 0.6 and others:
            needed = self.chance.choice(others)
        elif draw < 0.85 and self.board.refused:
            needed = self.chance.choice(list(self.board.refused))
        else:
            needed = uuid7(self.chance, self.light.device.now())
        return self.round([needed])

    def settle(self) -> Item | None:
        """Settles a dispute that is held: whole, in part, or blind to one of its values."""
        seat = self.light.seat
        if seat is None or not self.town.can("conflict", "settle"):
            return None
        rows = [row for row in self.light.held.rows.values() if row.said["kind"] == "conflict"]
        rows = [row for row in rows if row.said["state"] != "settled" or self.chance.random() < 0.1]
        if not rows:
            return None
        said = self.chance.choice(sorted(rows, key=lambda row: str(row.said["id"]))).said
        doc = said["doc"]
        saw = [each["op"] for each in doc["candidates"]]
        choice: dict[str, str] = {}
        for name in doc["server"]:
            bids = [each["op"] for each in doc["candidates"] if name in each["fields"]]
            choice[name] = self.chance.choice([*bids, "server"])
        if not choice:
            return None
        if len(choice) > 1 and self.chance.random() < 0.3:
            choice.pop(self.chance.choice(sorted(choice)))
        if len(saw) > 1 and self.chance.random() < 0.2:
            saw.pop()
        fields = {"saw": saw, "server": doc["server"], "choice": choice, "reason": f"核实 {self.light.name}"}
        return self.do(
            "conflict",
            "settle",
            said["id"],
            fields,
            base=said["version"],
            after=self.previous(said["id"]),
            tag="settle",
        )

    def word_on_escrow(self) -> Item | None:
        """A leader releases or dismisses."""
        seat = self.light.seat
        if seat is None or post(seat.number) not in ("LEAD", "DIR") or not self.board.escrowed:
            return None
        verb = self.chance.choice(("release", "dismiss"))
        if not self.town.can("escrow", verb):
            return None
        op = self.chance.choice(list(self.board.escrowed))
        record = uuid7(self.chance, self.light.device.now())
        return self.do("escrow", verb, record, {"op": op, "reason": "已核实"}, tag="word")

    # What no honest terminal does

    def bad(self) -> Item | None:
        """Read and refused."""
        seat = self.light.seat
        if seat is None:
            return None
        record = uuid7(self.chance, self.light.device.now())
        item = self.chance.choice((
            lambda: self.visit(record, "A1", [], headcount=999, tag="bad"),
            lambda: self.do("patrol.visit", "erase", record, {}, tag="bad"),
            lambda: self.do("tea.cup", "drink", record, {"sugar": 2}, tag="bad"),
            lambda: self.do("patrol.round", "open", record, {"area": self.town.ids["A"]}, tag="bad"),
        ))()  # fmt: skip
        if item is not None and item.op is not None:
            self.board.refused.append(item.op)
        return item

    def poison(self) -> Item | None:
        """Bytes that are no operation."""
        if self.light.seat is None or self.light.gone or self.light.frozen:
            return None
        return self.light.put(poison(self.chance), None, "poison")


def poison(chance: random.Random) -> bytes:
    """Bytes that cannot be read as an operation."""
    deep = b'{"a":' * 40 + b"1" + b"}" * 40
    return chance.choice((
        b"{", b"[1,2]", b'"text"', b"\xff\xfe\x00", b'{"op":1,"op":2}', b'{"a":"\\ud800"}', b'{"a":"\\u0000"}',
        b'{"n":9007199254740993}', b'{"n":1e400}', b'{"n":1.5}', b'{"n":-' + b"9" * 400 + b"}", deep,
        b'{"a":"' + b"x" * 65_600 + b'"}', b'{"op":"not an id"}', b"nul", b" ",
    ))  # fmt: skip
