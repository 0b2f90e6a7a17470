"""The board of the duty room: what is overdue, what nobody has received or answered, and who is on duty with how much.

Of a duty it shows what its row shows; whoever asks sees those of his scope alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, func, select, text

from backend.domain.posts import Post
from backend.domain.shifts import Roster, Stint
from backend.facts.duties import MISSED, Duties, Duty
from backend.facts.rosters import Rosters
from backend.identity.officers import Officer
from backend.identity.scopes import Scopes
from backend.kernel.clock import to_text
from backend.storage import tables
from backend.storage.engine import Store

AHEAD_MS = 24 * 3_600_000
RECEIPT_MS = 60_000
ANSWER_MS = 10 * 60_000
"""A duty that opened so long ago and that nobody has acknowledged is shown as such (local default)."""
MOST = 200
"""How many of each sort are shown; the counts are of all."""
_OF_WINDOW = ("opens_at", "due_at", "rule", "state")
_R, _O = tables.records.c, tables.officers.c
_HELD = text("kind = 'person' AND state = 'held'")
_PLAN = text("kind = 'patrol.plan' AND state = 'drawn'")
MOST_PLANS = 400
"""Plans that were changed last: those of the present and the next shift are among them in a facility of 100 wards."""


class Board:
    """Answers over one consistent view each."""

    def __init__(self, store: Store, duties: Duties, rosters: Rosters) -> None:
        self._store = store
        self._duties, self._rosters, self._scopes = duties, rosters, Scopes(store)
        here = (_R.facility == bindparam("f"), tables.LODGED, _HELD)
        self._held = store.prepare(select(func.count()).select_from(tables.records).where(*here))
        known = (_O.facility == bindparam("f"), store.among(_O.officer, "ids"))
        plans = select(_R.id, _R.partition, _R.body).where(_R.facility == bindparam("f"), tables.ASKED, _PLAN)
        self._plans = store.prepare(plans.order_by(_R.seq.desc()).limit(MOST_PLANS))
        self._names = store.prepare(select(_O.officer, _O.number, _O.name).where(*known))

    def read(self, officer: Officer, now: int) -> dict[str, Any]:
        """``{at, shift, overdue, undelivered, unconfirmed, unacknowledged, counts, on_duty, persons, per_officer}``."""
        with self._store.reading() as connection:
            duties = self._seen(connection, officer, now)
            roster = self._rosters.read(connection, officer.facility)
            stints = [each for each in roster.on_duty(now) if each.post != Post.SYS]
            names = self._named(connection, officer.facility, {each.officer for each in stints})
            (persons,), *_ = self._held.tuples(connection, {"f": officer.facility})
        shift = roster.shift_at(now)
        sorts = sorted_out(duties, now)
        serving = {each.officer for each in stints}
        return {
            "at": to_text(now),
            "shift": {"name": shift.name, "since": to_text(shift.since), "until": to_text(shift.until)},
            **{name: [told(duty) for duty in found[:MOST]] for name, found in sorts.items()},
            "counts": {name: len(found) for name, found in sorts.items()},
            "on_duty": loads(stints, names, self._asked(roster, duties, now), now),
            "persons": persons,
            "per_officer": round(persons / len(serving), 1) if serving else None,
        }

    @staticmethod
    def _asked(roster: Roster, duties: Iterable[Duty], now: int) -> list[tuple[Duty, frozenset[str]]]:
        """The duties that are open, each with who is on duty for it: by post and place, or by name."""
        serving: dict[tuple[frozenset[str], str | None], frozenset[str]] = {}
        found = []
        for duty in (each for each in duties if each.opens <= now):
            key = (duty.posts, duty.place)
            if key not in serving:
                posts = duty.posts
                serving[key] = frozenset(each.officer for each in roster.on_duty(now, posts, duty.place) if posts)
            named = {duty.doc["officer"]} if duty.doc["officer"] else frozenset()
            found.append((duty, serving[key] | named))
        return found

    def mine(self, officer: Officer, now: int) -> list[dict[str, Any]]:
        """The duties of the officer's scope that ask him or his posts, open now or within 24 hours."""
        with self._store.reading() as connection:
            duties = self._seen(connection, officer, now)
        asked = [duty for duty in duties if duty.asks(officer.officer, officer.posts) and duty.opens <= now + AHEAD_MS]
        return [told(duty) for duty in asked]

    def windows(self, officer: Officer, now: int) -> list[dict[str, Any]]:
        """The windows of patrol in the officer's wards that are open now or open within 24 hours, the earliest first."""
        with self._store.reading() as connection:
            scope = set(self._scopes.read(connection, officer, now))
            rows = self._plans.tuples(connection, {"f": officer.facility})
            plans = [(plan, orjson.loads(body)["doc"]) for plan, partition, body in rows if partition in scope]
        first, last = to_text(now), to_text(now + AHEAD_MS)
        found = [
            {"plan": plan, "place": doc["place"]} | {name: each[name] for name in _OF_WINDOW}
            for plan, doc in plans
            for each in doc["windows"]
            if first <= each["due_at"] and each["opens_at"] <= last
        ]
        return sorted(found, key=lambda each: (each["opens_at"], each["place"]))

    def _seen(self, connection: Connection, officer: Officer, now: int) -> list[Duty]:
        scope = set(self._scopes.read(connection, officer, now))
        return [duty for duty in self._duties.read(connection, officer.facility, now) if duty.partition in scope]

    def _named(self, connection: Connection, facility: str, officers: Collection[str]) -> dict[str, tuple[str, str]]:
        rows = self._names.tuples(connection, {"f": facility, "ids": self._store.listed(sorted(officers))})
        return {officer: (number, name) for officer, number, name in rows}


def sorted_out(duties: Iterable[Duty], now: int) -> dict[str, list[Duty]]:
    """Duties by what is wrong with them; one may stand under several, none under ``overdue`` before it is due."""
    found: dict[str, list[Duty]] = {"overdue": [], "undelivered": [], "unconfirmed": [], "unacknowledged": []}
    for duty in duties:
        since = max(duty.opens, duty.moved)
        if duty.state == MISSED or duty.due < now:
            found["overdue"].append(duty)
        if duty.state == "unconfirmed":
            found["unconfirmed"].append(duty)
        if duty.state == "issued" and duty.doc["loud"] and not duty.delivered and now >= since + RECEIPT_MS:
            found["undelivered"].append(duty)
        if duty.state == "issued" and now >= since + ANSWER_MS:
            found["unacknowledged"].append(duty)
    return found


def told(duty: Duty) -> dict[str, Any]:
    """A duty as lists show it."""
    names = ("rule", "directive", "asks", "source", "posts", "officer", "person", "place", "opens_at", "due_at")
    shown = {name: duty.doc[name] for name in names}
    also = ("loud", "warn_at", "snoozed_until", "level", "raised")
    return {"duty": duty.id, "state": duty.state} | shown | {name: duty.doc[name] for name in also}


def loads(
    stints: Sequence[Stint],
    names: Mapping[str, tuple[str, str]],
    asked: Iterable[tuple[Duty, frozenset[str]]],
    now: int,
) -> list[dict[str, Any]]:
    """Who is on duty, each once with his posts, and how many duties are open and overdue that he is asked to do, alone or
    with others. It stands beside what was missed: a miss is not one officer's alone."""
    held: dict[str, list[Stint]] = {}
    for stint in stints:
        held.setdefault(stint.officer, []).append(stint)
    counts: dict[str, Counter[str]] = {officer: Counter() for officer in held}
    for duty, officers in asked:
        what = "overdue" if duty.state == MISSED or duty.due < now else "open"
        for officer in officers & held.keys():
            counts[officer][what] += 1
    found = []
    for officer, his in sorted(held.items(), key=lambda each: names.get(each[0], ("", ""))):
        number, name = names.get(officer, ("", ""))
        served = {"posts": sorted({stint.post for stint in his}), "shift": his[0].shift}
        served |= {"places": sorted({place for stint in his for place in stint.places})}
        served |= {"until": to_text(max(stint.until for stint in his))}
        count = {name_: counts[officer][name_] for name_ in ("open", "overdue")}
        found.append({"officer": officer, "number": number, "name": name} | served | count)
    return found
