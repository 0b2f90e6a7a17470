"""The terminals' side: their journals, read back."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SCAN = json.JSONDecoder().raw_decode
_EVENTS = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Captured:
    """An operation as its terminal made it."""

    terminal: str
    incarnation: int
    n: int
    op: str | None
    raw: bytes
    hash: str
    tag: str
    why: str | None
    us: int
    ms: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome as it was told: its bytes, and what they say."""

    terminal: str
    incarnation: int
    n: int
    epoch: int
    raw: bytes
    said: _EVENTS
    route: str
    us: int


@dataclass
class Life:
    """A terminal's life."""

    who: str
    terminal: str = ""
    server_key: _EVENTS = field(default_factory=dict)
    genesis: dict[int, str] = field(default_factory=dict)
    thumbprint: dict[int, str] = field(default_factory=dict)
    captured: dict[tuple[int, int], list[Captured]] = field(default_factory=dict)
    told: list[Outcome] = field(default_factory=list)
    pulls: list[_EVENTS] = field(default_factory=list)
    taken: list[_EVENTS] = field(default_factory=list)
    heard: dict[int, list[_EVENTS]] = field(default_factory=dict)
    """What was heard on each stream, by the moment at which it was asked for (us)."""
    pushes: list[_EVENTS] = field(default_factory=list)
    lost: set[tuple[int, int]] = field(default_factory=set)
    went_back: list[tuple[int, int, int, int]] = field(default_factory=list)
    """(incarnation, last number of the copy, numbers it had, us)"""
    heads: set[str] = field(default_factory=set)
    final: _EVENTS = field(default_factory=dict)
    wiped: bool = False
    gone: str | None = None
    """Why it was never heard of again."""
    asked: int = 0
    """When its last push was sent (us)."""
    sent: dict[tuple[int, int], int] = field(default_factory=dict)
    """(incarnation, number) → when it was first sent (us)."""
    answers: list[_EVENTS] = field(default_factory=list)
    """What pushes said beside their outcomes: us, sent, incarnation, epoch, next, missing, safe_upto, order."""


@dataclass
class History:
    """All lives, what the director did, and every event in its order."""

    lives: dict[str, Life]
    director: list[_EVENTS]
    events: list[_EVENTS]

    @property
    def upgraded(self) -> int:
        """When the servers' newer version was about to start (us); beyond all times, if it never was."""
        return next((event["us"] for event in self.director if event["what"] == "upgraded"), 1 << 62)

    @property
    def season(self) -> int:
        """The server's time after a long while has gone by on it (ms); 0, if it never did."""
        return next((event["ms"] + event["shift"] for event in self.director if event["what"] == "season"), 0)

    @property
    def founded(self) -> _EVENTS:
        return next(event for event in self.director if event["what"] == "founded")


def read(folder: Path) -> History:
    """Reads every journal in a folder."""
    lives, director, events = {}, [], []
    for path in sorted(folder.glob("*.jsonl")):
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        events += lines
        if path.stem == "director":
            director = lines
            continue
        life = Life(path.stem)
        for event in lines:
            _take(life, event)
        lives[life.terminal or path.stem] = life
    events.sort(key=lambda event: event["us"])
    return History(lives, director, events)


def _take(life: Life, event: _EVENTS) -> None:
    taker = _TAKERS.get(event["what"])
    if taker is not None:
        taker(life, event)


def _enrolled(life: Life, event: _EVENTS) -> None:
    life.terminal, life.server_key = event["terminal"], event["server_key"]
    _begun(life, event)
    life.heads.add(event["head"])


def _begun(life: Life, event: _EVENTS) -> None:
    life.genesis[event["incarnation"]] = event["genesis"]
    life.thumbprint[event["incarnation"]] = event["thumbprint"]


def _captured(life: Life, event: _EVENTS) -> None:
    key = (event["incarnation"], event["n"])
    made = Captured(
        life.terminal, *key, event["op"], base64.b64decode(event["raw"]), event["hash"], event["tag"],
        event.get("why"), event["us"], event["ms"],
    )  # fmt: skip
    life.captured.setdefault(key, []).append(made)


def _told(life: Life, event: _EVENTS) -> None:
    text = event["answer"]
    answer = json.loads(text)
    life.heads.add(answer["head"])
    said = {name: answer.get(name) for name in ("epoch", "next", "missing", "safe_upto", "order")}
    life.answers.append(
        said | {"us": event["us"], "sent": life.asked, **{name: event[name] for name in ("incarnation", "route")}}
    )
    for raw, outcome in sliced(text, '"outcomes":['):
        life.told.append(
            Outcome(
                life.terminal,
                event["incarnation"],
                outcome["n"],
                answer["epoch"],
                raw,
                outcome,
                event["route"],
                event["us"],
            )
        )


def sliced(text: str, begin: str) -> list[tuple[bytes, _EVENTS]]:
    """The objects of an array in a JSON text, each with the very bytes in which it stands there."""
    at = text.index(begin) + len(begin)
    found = []
    while text[at] != "]":
        if text[at] == ",":
            at += 1
        said, end = _SCAN(text, at)
        found.append((text[at:end].encode(), said))
        at = end
    return found


def _pulled(life: Life, event: _EVENTS) -> None:
    life.pulls.append(event)
    life.heads.add(event["head"])


def _taken(life: Life, event: _EVENTS) -> None:
    life.taken.append(event)


def _heard(life: Life, event: _EVENTS) -> None:
    life.heard.setdefault(event["begun"], []).append(event)


def _lost(life: Life, event: _EVENTS) -> None:
    life.lost |= {(event["incarnation"], n) for n in event["numbers"]}


def _went_back(life: Life, event: _EVENTS) -> None:
    life.went_back.append((event["incarnation"], event["last"], event["had"], event["us"]))


def _final(life: Life, event: _EVENTS) -> None:
    life.final = event


def _pushed(life: Life, event: _EVENTS) -> None:
    life.asked = event["us"]
    life.pushes.append(event)
    for n in range(event["first"], event["last"] + 1):
        life.sent.setdefault((event["incarnation"], n), event["us"])


def _wiped(life: Life, _event: _EVENTS) -> None:
    life.wiped = True


def _gone(life: Life, event: _EVENTS) -> None:
    life.gone = event["why"]


_TAKERS = {
    "enrolled": _enrolled, "renewed": _begun, "captured": _captured, "told": _told, "pulled": _pulled, "taken": _taken,
    "heard": _heard, "lost": _lost, "went_back": _went_back, "final": _final, "wiped": _wiped, "gone": _gone,
    "push": _pushed,
}  # fmt: skip
