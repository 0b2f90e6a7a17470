"""What a handover begins with, and what has happened since an officer was last here: each one page of his scope.

Health is told only as far as reports of the day say it (``dynamic_info``); medical partitions are read by a pull alone,
which keeps who was given them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, func, literal_column, select, text

from backend.audit.views.readings import is_medical
from backend.facts.board import told
from backend.facts.duties import MISSED, Duties
from backend.facts.rosters import Rosters
from backend.identity.officers import Officer
from backend.identity.scopes import Scopes
from backend.kernel.clock import from_text, to_text
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.engine import Store

SICK = frozenset({
    "illness", "injury", "infection", "critical", "head_injury", "intoxication", "withdrawal", "pregnancy", "psychosis",
    "refused_food", "refused_medicine",
})  # fmt: skip
"""Categories of reports by which somebody stands on the sick list that is proposed."""
SICK_MS = 48 * 3_600_000
"""How long a report keeps him there (local default)."""
FARTHEST_MS = 7 * 24 * 3_600_000
"""How far back it is looked when an officer was last here."""
MOST_REPORTS, MOST_CHANGES, MOST_HANDOVERS = 500, 300, 10
MOST_BACK = 20_000
"""How many sequence numbers back it is looked at most, whenever the officer was here: about a day of a large facility."""
FARTHEST_BACK = 10 * MOST_BACK
"""The same for handovers, of which there are few."""
ROUTINE = ("duty", "patrol.visit", "patrol.round", "patrol.plan", "cell_check", "headcount")
"""Kinds that are counted and not listed one by one: there are thousands a day, and duties stand in lists of their own."""
_R, _P, _G, _S = tables.records.c, tables.partitions.c, tables.pulls.c, tables.sessions.c
_F = tables.facilities.c
_HELD = text("kind = 'person' AND state = 'held'")
_HANDOVER = text("kind = 'handover' AND state IN ('offered', 'signed', 'declined', 'reopened')")
Body = Mapping[str, Any]


class Handovers:
    """Answers over one consistent view each."""

    def __init__(self, store: Store, duties: Duties, rosters: Rosters) -> None:
        self._store = store
        self._duties, self._rosters, self._scopes = duties, rosters, Scopes(store)
        here = _R.facility == bindparam("f")
        held = select(_R.place, _R.partition, _R.body).where(here, tables.LODGED, _HELD)
        self._held = store.prepare(held.order_by(_R.place, _R.id))
        below = select(_R.id, _R.place).where(here, tables.LODGED, _R.kind == bindparam("kind"))
        self._places = store.prepare(below)
        reports = select(_R.partition, _R.body).where(here, tables.REPORTED)
        self._reports = store.prepare(reports.order_by(_R.seq.desc()).limit(MOST_REPORTS))
        given = select(_R.partition, _R.body).where(here, tables.ASKED, _HANDOVER, _R.seq > bindparam("after"))
        self._given = store.prepare(given.order_by(_R.seq.desc()).limit(10 * MOST_HANDOVERS))
        used = select(_S.terminal).where(_S.facility == bindparam("f"), _S.officer == bindparam("o")).distinct()
        this = (_G.facility == bindparam("f"), _G.terminal == bindparam("t"), _G.officer == bindparam("o"))
        seen = select(_G.seq).where(*this, _G.at <= bindparam("at")).order_by(_G.seq.desc()).limit(1)
        self._used, self._seen = store.prepare(used), store.prepare(seen)
        moved = (_P.facility == bindparam("f"), store.among(_P.partition, "names"), _P.seq > bindparam("after"))
        self._moved = store.prepare(select(_P.partition).where(*moved))
        changed = (here, store.among(_R.partition, "names"), _R.seq > bindparam("after"))
        rows = select(_R.body).where(*changed).order_by(_R.seq.desc())
        self._told = store.prepare(
            rows.where(_R.kind.not_in([literal_column(f"'{name}'") for name in ROUTINE])).limit(MOST_CHANGES)
        )
        self._persons_changed = store.prepare(rows.where(_R.kind == bindparam("kind")))
        self._counted = store.prepare(select(_R.kind, func.count()).where(*changed).group_by(_R.kind))
        self._newest = store.prepare(select(_F.seq).where(_F.facility == bindparam("f")))

    def draft(self, officer: Officer, now: int, place: str | None) -> dict[str, Any]:
        """The numbers and lists that a handover begins with: of a ward, or of the officer's whole scope.

        ``{place, since, until, duties, risks, sick, counts}``: duties as the board tells them, persons with name and
        number, ``counts`` what the register expects in each cell. Raises Problem ``partition.forbidden``.
        """
        with self._store.reading() as connection:
            scope = self._scope(connection, officer, now, place)
            shift = self._rosters.read(connection, officer.facility).shift_at(now)
            duties = [each for each in self._duties.read(connection, officer.facility, now) if each.opens <= now]
            persons = self._persons(connection, officer.facility, scope)
            sick = self._sick(connection, officer.facility, scope, now)
        known = {body["id"]: body for body in persons}
        return {
            "place": place,
            "since": to_text(shift.since),
            "until": to_text(shift.until),
            "duties": [told(duty) for duty in duties if scope(duty.partition)],
            "risks": [_person(body) for body in persons if body["doc"].get("risk")],
            "sick": [_person(known[each]) | {"categories": sick[each]} for each in sorted(sick) if each in known],
            "counts": _counts(persons),
        }

    def since(self, officer: Officer, now: int, since: int | None) -> dict[str, Any]:
        """What has happened since an officer was last on duty, or since a moment, at most FARTHEST_MS back.

        ``{since, until, handovers, missed, open, persons, kinds, changes}``: ``kinds`` counts what has changed in his scope
        since he was given it last before that, MOST_BACK numbers back at most; ``changes`` lists what is not ROUTINE, the
        newest first, MOST_CHANGES of them.
        """
        with self._store.reading() as connection:
            began = max(since if since is not None else self._left(connection, officer, now), now - FARTHEST_MS)
            names = set(self._scopes.read(connection, officer, now))
            duties = [each for each in self._duties.read(connection, officer.facility, now) if each.partition in names]
            (newest,), *_ = self._newest.tuples(connection, {"f": officer.facility})
            recent = {"f": officer.facility, "after": newest - FARTHEST_BACK}
            given = [body for partition, body in self._given.tuples(connection, recent) if partition in names]
            changes, persons, kinds = self._changes(connection, officer, names, began, newest - MOST_BACK)
        opened = [each for each in duties if each.opens <= now and each.state != MISSED]
        return {
            "since": to_text(began),
            "until": to_text(now),
            "handovers": [_handover(orjson.loads(body)) for body in given[:MOST_HANDOVERS]],
            "missed": [told(each) for each in duties if each.state == MISSED and each.due >= began],
            "open": [told(each) for each in opened],
            "persons": _moves(persons),
            "kinds": kinds,
            "changes": [_change(body) for body in changes],
        }

    def _scope(self, connection: Connection, officer: Officer, now: int, place: str | None) -> Callable[[str], bool]:
        """Whether a partition is the officer's, and lies in a ward if one is named."""
        names = set(self._scopes.read(connection, officer, now))
        if place is None:
            return names.__contains__
        if f"place/{place}/base" not in names:
            raise Problem("partition.forbidden")
        inside = self._inside(connection, officer.facility, place)
        return lambda partition: partition in names and partition.split("/")[1] in inside

    def _inside(self, connection: Connection, facility: str, ward: str) -> set[str]:
        """A ward, the places in it and the persons who are lodged there."""
        below: dict[str | None, list[str]] = defaultdict(list)
        for kind in ("place", "person"):
            for record, place in self._places.tuples(connection, {"f": facility, "kind": kind}):
                below[place].append(record)
        found, todo = {ward}, [ward]
        while todo:
            more = [each for each in below.get(todo.pop(), ()) if each not in found]
            found.update(more)
            todo += more
        return found

    def _persons(self, connection: Connection, facility: str, scope: Callable[[str], bool]) -> list[Body]:
        rows = self._held.tuples(connection, {"f": facility})
        return [orjson.loads(body) for _, partition, body in rows if scope(partition)]

    def _sick(
        self, connection: Connection, facility: str, scope: Callable[[str], bool], now: int
    ) -> dict[str, list[str]]:
        """Person → categories of reports of the last days by which he is to be looked after."""
        found: dict[str, list[str]] = defaultdict(list)
        for partition, row in self._reports.tuples(connection, {"f": facility}):
            body = orjson.loads(row)
            doc = body["doc"]
            if doc is None or not scope(partition) or from_text(body["received_at"]) < now - SICK_MS:
                continue
            if doc["person"] and doc["category"] in SICK and doc["category"] not in found[doc["person"]]:
                found[doc["person"]].append(doc["category"])
        return {person: categories for person, categories in found.items() if categories}

    def _left(self, connection: Connection, officer: Officer, now: int) -> int:
        """When his last stint ended that is over; where there is none, as far back as is looked."""
        roster = self._rosters.read(connection, officer.facility)
        his = [each for each in roster.stints(now - FARTHEST_MS, now) if each.officer == officer.officer]
        return max((each.until for each in his if each.until <= now), default=now - FARTHEST_MS)

    def _changes(
        self, connection: Connection, officer: Officer, names: Iterable[str], since: int, least: int
    ) -> tuple[list[Body], list[Body], dict[str, int]]:
        """Present versions in his scope that the server received since then, the newest first; those of persons; and how
        many of each kind have changed since he was last given them, beyond the number ``least``."""
        key = {"f": officer.facility}
        asked = key | {"after": max(self._given_before(connection, officer, since), least)}
        readable = self._store.listed(sorted(name for name in names if not is_medical(name)))
        moved = [name for (name,) in self._moved.tuples(connection, asked | {"names": readable})]
        if not moved:
            return [], [], {}
        asked |= {"names": self._store.listed(moved)}
        told_ = _received(self._told.tuples(connection, asked), since)
        persons = _received(self._persons_changed.tuples(connection, asked | {"kind": "person"}), since)
        return told_, persons, dict(sorted(self._counted.tuples(connection, asked)))

    def _given_before(self, connection: Connection, officer: Officer, at: int) -> int:
        """Up to which sequence number he had been given everything by then, at any terminal."""
        his = {"f": officer.facility, "o": officer.officer}
        terminals = [terminal for (terminal,) in self._used.tuples(connection, his)]
        rows = (self._seen.first(connection, his | {"t": each, "at": at}) for each in terminals)
        return max((row.seq for row in rows if row is not None), default=0)


def _received(rows: Iterable[Sequence[bytes]], since: int) -> list[Body]:
    bodies = (orjson.loads(body) for (body,) in rows)
    return [body for body in bodies if from_text(body["received_at"]) >= since]


def _person(body: Body) -> dict[str, Any]:
    doc = body["doc"]
    return {"person": body["id"], "number": doc["number"], "name": doc["name"], "cell": doc["cell"],
            "risk": doc.get("risk")}  # fmt: skip


def _counts(persons: Iterable[Body]) -> list[dict[str, Any]]:
    counts = Counter(body["doc"]["cell"] for body in persons)
    return [{"place": cell, "expected": count} for cell, count in sorted(counts.items())]


def _handover(body: Body) -> dict[str, Any]:
    names = ("sort", "place", "since", "until", "outgoing", "incoming", "words")
    return {"handover": body["id"], "state": body["state"]} | {name: body["doc"][name] for name in names}


def _moves(persons: Sequence[Body]) -> dict[str, int]:
    """How many came and left; whoever did both is counted as having left."""
    left = [body for body in persons if body["state"] != "held"]
    came = [body for body in persons if body["state"] == "held" and body["version"] == 1]
    return {"came": len(came), "left": len(left), "changed": len(persons) - len(left) - len(came)}


def _change(body: Body) -> dict[str, Any]:
    doc = body["doc"] or {}
    about = {name: doc.get(name) for name in ("person", "place")}
    return {"record": body["id"], "kind": body["kind"], "state": body["state"], "version": body["version"]} | about | {
        "at": body["observed_at"], "received_at": body["received_at"], "by": body["author"],
        "marks": [mark["code"] for mark in body["marks"]],
    }  # fmt: skip
