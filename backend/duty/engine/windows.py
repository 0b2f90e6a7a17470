"""Patrols in staggered windows (``model.Windows``; docs/adr/0019): the plans of wards, and what becomes of each window.

A plan is issued for each ward in which somebody is lodged and each shift that begins within 24 hours. A window is kept when
every cell in which somebody was lodged all the while was looked into while it was open: only a stop on a round counts, never
a look by video. One that was not kept is asked for as a duty. Stops that arrive later and were made in time set it right.

Of a ward is kept ``{i: [least, most, rule] or null, n: [opens, due, rule] of the window that is next or open, s: whether it
is open, c: when the last one opened that is over, need: cells, seen: {cell: when}, rec: the last stop, plans: [[id, since,
until] …], said: [[plan, opens, when] …] kept windows of which the plan has not been told}``; of a plan ``{l: ward,
w: [[opens, due, rule] …], m: windows that were not kept}``, each of these ``{o, d: opened and due, e: when the next one
opens, lack: cells not looked into in time, owe: cells not at all, at: the last look, duty, late}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backend.domain.calendars import DAY_MS, MINUTE_MS
from backend.domain.rules.model import Rule, Windows
from backend.domain.windows import SHORTEST, Interval, Window, draw, redraw, shortest
from backend.duty.engine.family import DAY_BEGAN, SHIFT_BEGAN, Act, Body, Book, Heard, Quiet, Watcher
from backend.kernel.clock import to_text
from backend.kernel.ids import named

OWNER = "windows"
KIND = "patrol.plan"
VISITED = "patrol.visited"
MOVES = frozenset({"admission.accepted", "person.registered", "cell.moved", "risk.changed", "person.released"})
AHEAD_MS = DAY_MS
"""A plan is issued so long before its shift begins, so that a terminal that is away knows its windows."""
TRANSPORT_MS = MINUTE_MS
"""So long after a window is due the last stops may still be on their way (local default)."""
REMEMBERED_MS = DAY_MS
"""So long after a plan has ended, stops that arrive set its windows right."""
TOLD = 4
"""A plan is told of kept windows four at a time, of a missed one at once."""


def watchers(rules: Sequence[Rule]) -> Sequence[Watcher]:
    """One watcher for all such rules: the shortest interval of a ward can only be seen together."""
    return [_Patrols(OWNER, MOVES | {VISITED, DAY_BEGAN, SHIFT_BEGAN}, {each.id: each for each in rules})]


@dataclass(frozen=True, slots=True)
class _Patrols(Quiet):
    rules: dict[str, Rule] = field(default_factory=dict)

    def begin(self, book: Book) -> None:
        """Every ward has its plans, by the intervals of this pack, as soon as the clock runs."""
        book.keep(f"facility/{book.facility}", {"began": True}, book.now)

    def hear(self, book: Book, heard: Heard) -> None:
        """A stop counts; whoever comes, goes or is graded anew may change a ward's interval."""
        if book.body(f"facility/{book.facility}") is None:
            return
        if heard.event.name == VISITED:
            place = heard.event.place
            ward = book.register.ward_of(place) if place and heard.event.facts.get("cell") else None
            if place and ward:
                _Ward(self.rules, book, ward).visited(place, heard)
            return
        for ward in _concerned(book, heard):
            _Ward(self.rules, book, ward).look()

    def wake(self, book: Book, subject: str, body: Body) -> None:  # noqa: ARG002 - a ward's is read with its plans
        """A window opens or is over; or a plan need not be remembered any more; or a pack has come into force."""
        sort, _, record = subject.partition("/")
        if sort == "record":
            book.forget(subject)
        elif sort == "facility":
            for ward in book.register.wards():
                _Ward(self.rules, book, ward).look("rule")
        else:
            _Ward(self.rules, book, record).woken()


def _concerned(book: Book, heard: Heard) -> Sequence[str]:
    """The wards whose interval an event may change."""
    facts, register = heard.event.facts, book.register
    cells = [facts.get(name) for name in ("cell", "from", "to")]
    if heard.event.name == "risk.changed" and heard.event.person:
        cells.append(register.cell_of(heard.event.person))
    found = {register.ward_of(cell) for cell in cells if isinstance(cell, str)}
    return sorted(ward for ward in found if ward) or register.wards()


class _Ward:
    """A ward while something is done about it."""

    def __init__(self, rules: dict[str, Rule], book: Book, ward: str) -> None:
        self._rules, self._book, self._ward = rules, book, ward
        self._subject = f"place/{ward}"
        body = book.body(self._subject)
        self._body: Body = {**body} if body else _fresh(book.now)

    def look(self, why: str = "risk") -> None:
        """Has plans made as far ahead as they are to be, and drawn anew where the interval has changed."""
        body, interval = self._body, self._interval()
        body["plans"] = [each for each in body["plans"] if each[2] + REMEMBERED_MS > self._book.now]
        was, body["i"] = body["i"], _packed(interval)
        if was != body["i"]:
            self._redraw(interval, why)
        if interval is not None:
            self._extend(interval)
        if not body["s"]:
            body["n"] = self._next()
        self._keep()

    def visited(self, cell: str, heard: Heard) -> None:
        """A cell was looked into."""
        body, when = self._body, heard.when
        for plan, _, _ in body["plans"]:
            self._set_right(plan, cell, heard)
        if not body["s"] or when < body["n"][0]:
            return
        body |= {"seen": {**body["seen"], cell: min(when, body["seen"].get(cell, when))}, "rec": heard.record}
        if self._walked() is not None:
            for duty in self._book.open(self._subject):
                if duty.due < when:
                    self._book.fulfil(duty.id, heard.record, when)
        self._keep()

    def woken(self) -> None:
        """The window opens, or is over."""
        body = self._body
        if body["n"] is None:
            return
        if body["s"]:
            self._conclude()
        else:
            body |= {"s": True, "need": self._lodged(), "seen": {}}
        self._keep()

    def _interval(self) -> Interval | None:
        """The shortest interval that holds here; none where nobody is lodged."""
        register = self._book.register
        persons = [person for cell in register.cells(self._ward) for person in register.persons(cell)]
        risks = {register.risk_of(person) for person in persons}
        return shortest(_intervals(self._rules.values(), risks)) if persons else None

    def _lodged(self) -> list[str]:
        register = self._book.register
        return [cell for cell in register.cells(self._ward) if register.persons(cell)]

    def _plan(self, plan: str) -> Body:
        found = self._book.body(f"record/{plan}")
        return found if found is not None else {"l": self._ward, "w": [], "m": []}

    def _keep_plan(self, plan: str, body: Body) -> None:
        until = next(until for each, _, until in self._body["plans"] if each == plan)
        self._book.keep(f"record/{plan}", body, until + REMEMBERED_MS)

    def _keep(self) -> None:
        body = self._body
        if body["n"] is None:
            wake = None
        elif body["s"]:
            wake = self._over_at()
        else:
            wake = body["n"][0]
        if body["n"] is None and not body["plans"]:
            self._book.forget(self._subject)
        else:
            self._book.keep(self._subject, body, wake)

    def _over_at(self) -> int:
        """When the open window is judged: a little after it was due, but before the next one opens."""
        body = self._body
        after = self._after(body["n"][0])
        over: int = body["n"][1] + TRANSPORT_MS
        return min(over, after[0]) if after else over

    def _windows(self) -> list[Window]:
        return [Window(*each) for plan, _, _ in self._body["plans"] for each in self._plan(plan)["w"]]

    def _after(self, opened: int) -> list[Any] | None:
        """The first window that opens after a moment."""
        for plan, _, until in self._body["plans"]:
            if until > opened:
                for each in self._plan(plan)["w"]:
                    if each[0] > opened:
                        found: list[Any] = each
                        return found
        return None

    def _next(self) -> list[Any] | None:
        return self._after(self._body["c"])

    # Plans

    def _redraw(self, interval: Interval | None, why: str) -> None:
        """The windows that have not opened are drawn anew, in all plans that are not over."""
        now, plans = self._book.now, [each for each in self._body["plans"] if each[2] > self._book.now]
        if not plans:
            return
        windows = self._windows()
        kept = [each for each in windows if each.opens <= now]
        fresh = kept
        if interval is not None:
            fresh = redraw(self._book.draw, self._ward, windows, now, plans[-1][2], interval)
        for plan, since, until in plans:
            mine = [each for each in fresh[len(kept) :] if since < each.due <= until]
            begin = min([now + 1, *(each.opens for each in mine)])
            said = {"from_at": to_text(begin), "windows": _told(mine), "why": why}
            self._book.act(Act(KIND, "redraw", plan, said, now))
            body = self._plan(plan)
            stay = [each for each in body["w"] if each[0] <= now]
            self._keep_plan(plan, {**body, "w": [*stay, *map(_listed, mine)]})

    def _extend(self, interval: Interval) -> None:
        """Plans of the shifts that begin soon."""
        book, windows, now = self._book, self._windows(), self._book.now
        for shift in book.rota.shifts(now, now + AHEAD_MS + 1):
            plans = self._body["plans"]
            since = max(shift.since, now, plans[-1][2] if plans else now)
            if since >= shift.until or shift.since > now + AHEAD_MS:
                continue
            if windows and windows[-1].opens > now:
                fresh = list(draw(self._book.draw, self._ward, windows[-1].opens, shift.until, interval))
            else:
                fresh = [
                    each for each in redraw(self._book.draw, self._ward, windows, now, shift.until, interval)
                    if each not in windows
                ]  # fmt: skip
            self._issue(since, shift.until, fresh)
            windows += fresh

    def _issue(self, since: int, until: int, windows: Sequence[Window]) -> None:
        plan = named(since, f"{self._book.facility}|{self._ward}|{until}|{KIND}")
        said = {
            "place": self._ward, "since": to_text(since), "until": to_text(until), "windows": _told(windows),
        }  # fmt: skip
        self._body["plans"] = [*self._body["plans"], [plan, since, until]]
        self._book.act(Act(KIND, "issue", plan, said, self._book.now, creates=True))
        self._keep_plan(plan, {"l": self._ward, "w": [*map(_listed, windows)], "m": []})

    # What becomes of a window

    def _walked(self) -> int | None:
        """When the last cell was looked into that is to be, if all were in time."""
        body = self._body
        seen = [body["seen"].get(cell) for cell in self._needed()]
        due: int = body["n"][1]
        return None if any(at is None or at > due for at in seen) else max((at for at in seen if at), default=due)

    def _needed(self) -> list[str]:
        """The cells in which somebody was lodged when the window opened, and still is."""
        return [cell for cell in self._body["need"] if self._book.register.persons(cell)]

    def _conclude(self) -> None:
        body, window = self._body, self._body["n"]
        walked, plan = self._walked(), self._plan_of(window[1])
        after = self._after(window[0])
        if plan is not None and walked is not None:
            body["said"] = [*body["said"], [plan, window[0], walked]]
        if plan is not None and walked is None:
            self._missed(plan, window, after)
        other = after is None or self._plan_of(after[1]) != plan
        if len(body["said"]) >= TOLD or (body["said"] and (other or walked is None)):
            self._tell()
        body |= {"s": False, "c": window[0], "need": [], "seen": {}, "n": after}

    def _plan_of(self, due: int) -> str | None:
        return next((plan for plan, since, until in self._body["plans"] if since < due <= until), None)

    def _missed(self, plan: str, window: list[Any], after: list[Any] | None) -> None:
        """It was not kept: the plan says so, and a duty is asked."""
        opens, due, _ = window
        seen, needed = self._body["seen"], self._needed()
        entry = {
            "o": opens, "d": due, "e": after[0] if after else due + AHEAD_MS, "duty": self._ask(plan, window), "late": False,
            "lack": [cell for cell in needed if seen.get(cell, due + 1) > due],
            "owe": [cell for cell in needed if cell not in seen], "at": max(seen.values(), default=opens),
        }  # fmt: skip
        self._judge(plan, opens, "missed", None)
        if not entry["owe"]:
            entry = self._late(plan, entry, self._body["rec"])
        body = self._plan(plan)
        self._keep_plan(plan, {**body, "m": [*body["m"], entry]})

    def _ask(self, plan: str, window: list[Any]) -> str | None:
        opens, due, name = window
        rule = self._rules.get(name)
        if rule is None:
            return None
        ask = self._book.asked(rule, self._subject, due, due=due)
        return self._book.ask(replace(ask, owner=OWNER, opens=opens, place=self._ward, person=None, cause=plan))

    def _late(self, plan: str, entry: Body, record: str) -> Body:
        """All its cells were looked into before the next window opened, though not in time."""
        self._judge(plan, entry["o"], "late", entry["at"])
        self._fulfil(entry, record, entry["at"])
        return {**entry, "late": True}

    def _fulfil(self, entry: Body, record: str, when: int) -> None:
        if entry["duty"]:
            self._book.fulfil(entry["duty"], record, when)

    def _set_right(self, plan: str, cell: str, heard: Heard) -> None:
        """A stop arrives that was made while a window was open which is taken for missed, or before the next one opened."""
        body, when = self._plan(plan), heard.when
        found = [entry for entry in body["m"] if entry["o"] <= when < entry["e"] and cell in entry["lack"]]
        if not found:
            return
        changed = []
        for entry in body["m"]:
            after = self._with_stop(plan, entry, cell, heard) if entry in found else entry
            if after is not None:
                changed.append(after)
        self._keep_plan(plan, {**body, "m": changed})

    def _with_stop(self, plan: str, entry: Body, cell: str, heard: Heard) -> Body | None:
        """The window with that stop; None where it is kept after all."""
        when = heard.when
        in_time = when <= entry["d"]
        entry = {
            **entry, "at": max(entry["at"], when), "owe": [each for each in entry["owe"] if each != cell],
            "lack": [each for each in entry["lack"] if each != cell or not in_time],
        }  # fmt: skip
        if entry["lack"]:
            return entry if entry["owe"] or entry["late"] else self._late(plan, entry, heard.record)
        walked = min(entry["at"], entry["d"])
        self._judge(plan, entry["o"], "kept", walked)
        self._fulfil(entry, heard.record, walked)
        return None

    def _judge(self, plan: str, opens: int, state: str, at: int | None) -> None:
        said = {"opens_at": to_text(opens), "state": state, "at": None if at is None else to_text(at)}
        self._book.act(Act(KIND, "mark", plan, {"windows": [said]}, self._book.now))

    def _tell(self) -> None:
        """The plans are told of the windows that were kept."""
        said, self._body["said"] = self._body["said"], []
        for plan in dict.fromkeys(each[0] for each in said):
            windows = [
                {"opens_at": to_text(opens), "state": "kept", "at": to_text(at)}
                for which, opens, at in said
                if which == plan
            ]
            self._book.act(Act(KIND, "mark", plan, {"windows": windows}, self._book.now))


def _fresh(now: int) -> Body:
    return {"i": None, "n": None, "s": False, "c": now - 1, "need": [], "seen": {}, "plans": [], "said": [], "rec": ""}


def _packed(interval: Interval | None) -> list[Any] | None:
    return None if interval is None else [interval.least, interval.most, interval.rule]


def _listed(window: Window) -> list[Any]:
    return [window.opens, window.due, window.rule]


def _told(windows: Iterable[Window]) -> list[dict[str, str]]:
    return [{"opens_at": to_text(each.opens), "due_at": to_text(each.due), "rule": each.rule} for each in windows]


def _intervals(rules: Iterable[Rule], risks: set[str | None]) -> Iterator[Interval]:
    for rule in rules:
        trigger = rule.trigger
        if isinstance(trigger, Windows) and (not trigger.risks or risks.intersection(trigger.risks)):
            most = max(trigger.most, SHORTEST)
            yield Interval(min(trigger.least, most), most, rule.id)
