"""Who is on duty, when and where: patterns and rosters, with what was changed of them, make stints. Pure.

A pattern says which shifts there are and in what order they follow; a roster row puts an officer and a post on it, so many
days into its cycle; swaps, leave and acting leaders change single days and hours of that. A shift belongs to the day on
which it begins, also where it ends on the next. At most 24 hours long, it never reaches beyond that.

Nobody serves twice at a time: of two stints that meet, the one that began earlier stands and the other begins when it ends;
of two that begin together the longer stands. Acting for a leader goes before everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import TypeVar

from backend.domain.calendars import DAY_MINUTES, DAY_MS, MINUTE_MS, Calendar, day_of, days, start_of
from backend.domain.posts import WARD_POSTS
from backend.kernel.kind import Text

FREE = "-"
"""Stands in a cycle for a day without a shift."""
_ONE = timedelta(days=1)


class Worked(StrEnum):
    """On which days of its cycle a pattern is worked at all."""

    ALL = "all"
    WORKDAYS = "workdays"
    """By the calendar: not on holidays, but on make-up workdays."""
    FREE_DAYS = "free_days"
    """On weekends and holidays alone."""


WORKED: Mapping[str, Text] = {
    Worked.ALL.value: Text("每天", "every day"),
    Worked.WORKDAYS.value: Text("仅工作日（含调休上班）", "workdays alone, those in lieu too"),
    Worked.FREE_DAYS.value: Text("仅休息日和节假日", "weekends and holidays alone"),
}


@dataclass(frozen=True, slots=True)
class Span:
    """A shift of a pattern: from a time of day, minutes after midnight, for so many minutes (1 to 1440)."""

    code: str
    name: str
    starts: int
    minutes: int

    def on(self, day: date) -> tuple[int, int]:
        """When it begins on a day, and when it ends."""
        begins = start_of(day) + self.starts * MINUTE_MS
        return begins, begins + self.minutes * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Pattern:
    """``cycle``: the code of each day's shift, or FREE, from ``anchor`` on and back; ``main_from``: since when the changes of
    its shifts are the facility's, None: they are not."""

    id: str
    name: str
    spans: Mapping[str, Span]
    cycle: tuple[str, ...]
    worked: Worked
    anchor: date
    main_from: date | None

    def span(self, day: date, offset: int, calendar: Calendar) -> Span | None:
        """The shift of a day for somebody so many days into the cycle; None: he is free."""
        if self.worked is not Worked.ALL and calendar.is_workday(day) != (self.worked is Worked.WORKDAYS):
            return None
        return self.spans.get(self.cycle[((day - self.anchor).days + offset) % len(self.cycle)])


@dataclass(frozen=True, slots=True)
class Row:
    """An officer's place on a pattern. ``places``: his area of responsibility (责任田), none: the whole facility; ``since``
    and ``until``: its first and last day."""

    id: str
    officer: str
    post: str
    pattern: str
    offset: int
    places: tuple[str, ...]
    since: date
    until: date | None

    def holds(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True)
class Swap:
    """Two officers serve each other's stints of these days. ``seq``: later ones stand over earlier ones."""

    id: str
    seq: int
    officers: tuple[str, str]
    days: frozenset[date]


@dataclass(frozen=True, slots=True)
class Leave:
    """An officer is away from one moment to another; ``stand_in`` serves his hours."""

    id: str
    officer: str
    since: int
    until: int
    stand_in: str | None


@dataclass(frozen=True, slots=True)
class Acting:
    """An officer acts at a post while he holds it; ``instead``: in the hours of that officer's stints there, None: all the
    time."""

    id: str
    officer: str
    post: str
    since: int
    until: int
    instead: str | None


@dataclass(frozen=True, slots=True)
class Holder:
    """An officer with the posts that he holds, and the wards that he is assigned to with since and until when (None: it
    lasts)."""

    officer: str
    posts: tuple[str, ...]
    wards: tuple[tuple[str, int, int | None], ...]

    def areas(self, post: str, since: int, until: int) -> tuple[str, ...] | None:
        """What he answers for at a post in some hours, none: the whole facility; None where he has no ward for it."""
        if post not in WARD_POSTS:
            return ()
        return tuple(ward for ward, begins, ends in self.wards if begins < until and (ends or until) > since) or None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that stints follow from. ``holders``: who serves a post that nobody is rostered at; ``posted``: officer and post →
    the periods in which he held it; ``gone``: officer → since when he serves no longer, whatever else is said of him."""

    patterns: Mapping[str, Pattern] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    swaps: tuple[Swap, ...] = ()
    leaves: tuple[Leave, ...] = ()
    actings: tuple[Acting, ...] = ()
    holders: tuple[Holder, ...] = ()
    posted: Mapping[tuple[str, str], tuple[tuple[int, int], ...]] = field(default_factory=dict)
    gone: Mapping[str, int] = field(default_factory=dict)
    calendar: Calendar = Calendar()


@dataclass(frozen=True, slots=True)
class Stint:
    """An officer serves a post from one moment to another (milliseconds, the end not included).

    ``places``: his area of responsibility, none: the whole facility; ``shift``: its name, empty where nobody is rostered at
    the post; ``acting``: at a post that is not his; ``instead``: for whom he serves by a swap, in a leave or as acting.
    """

    officer: str
    post: str
    places: tuple[str, ...]
    since: int
    until: int
    shift: str
    acting: bool = False
    instead: str | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """From one change of shift of the facility to the next."""

    name: str
    since: int
    until: int


USUAL = (Span("D", "白班", 8 * 60, 12 * 60), Span("N", "夜班", 20 * 60, 12 * 60))
"""The shifts of a facility that has entered none: a local default."""


def stints(plan: Plan, first: date, last: date) -> list[Stint]:
    """The stints of some days, both included, and those that reach into them: by their beginnings."""
    begin, end = start_of(first), start_of(last + _ONE)
    plan = _near(plan, first - 2 * _ONE, last + _ONE)
    found = _with_acting(_once(_asked(plan, first, last)), plan)
    found = [part for each in found for part in within(each, each.since, plan.gone.get(each.officer, each.until))]
    return sorted((each for each in found if each.since < end and each.until > begin), key=_order)


def clashes(plan: Plan, first: date, last: date) -> list[tuple[Stint, Stint]]:
    """Stints of one officer that meet on some days, both included: the one that stands, and the one that gives way."""
    begin, end = start_of(first), start_of(last + _ONE)
    found, standing = [], dict[str, Stint]()
    for each in sorted(_asked(_near(plan, first - 2 * _ONE, last + _ONE), first, last), key=_precedence):
        before = standing.get(each.officer) if each.shift else None
        if (
            before is not None
            and each.since < before.until
            and each.since < end
            and min(each.until, before.until) > begin
        ):
            found.append((before, each))
        if each.shift and (before is None or before.until < each.until):
            standing[each.officer] = each
    return found


def _asked(plan: Plan, first: date, last: date) -> list[Stint]:
    """Stints as rosters, swaps and leaves say, also where they meet."""
    found = _swapped(_rostered(plan, first - 2 * _ONE, last), plan.swaps)
    found += _unrostered(plan, first - _ONE, last)
    return _without_leaves(found, plan.leaves)


def _near(plan: Plan, first: date, last: date) -> Plan:
    """What matters for some days: years of leave that has been taken cost nothing."""
    begin, end = start_of(first), start_of(last + _ONE)
    return replace(
        plan,
        rows=tuple(each for each in plan.rows if each.since <= last and (each.until is None or each.until >= first)),
        swaps=tuple(each for each in plan.swaps if any(first <= day <= last for day in each.days)),
        leaves=tuple(each for each in plan.leaves if each.since < end and each.until > begin),
        actings=tuple(each for each in plan.actings if each.since < end and each.until > begin),
    )


def _order(stint: Stint) -> tuple[int, int, str, str]:
    return stint.since, -stint.until, stint.officer, stint.post


def _precedence(stint: Stint) -> tuple[int, int, str, str, str]:
    """Of two stints alike, what was taken over by a swap or in a leave comes after one's own."""
    return *_order(stint), stint.instead or ""


def _rostered(plan: Plan, first: date, last: date) -> Iterator[Stint]:
    for day in days(first, last):
        for row in plan.rows:
            pattern = plan.patterns.get(row.pattern)
            if pattern is None or not row.holds(day):
                continue
            span = pattern.span(day, row.offset, plan.calendar)
            if span is not None:
                yield Stint(row.officer, row.post, row.places, *span.on(day), span.name)


def _unrostered(plan: Plan, first: date, last: date) -> Iterator[Stint]:
    """Whoever is on no roster that day serves those of his posts that nobody is rostered at, all day long."""
    for day in days(first, last):
        rows = [row for row in plan.rows if row.holds(day)]
        posts, officers = {row.post for row in rows}, {row.officer for row in rows}
        begins, ends = start_of(day), start_of(day) + DAY_MS
        for holder in plan.holders:
            for post in () if holder.officer in officers else holder.posts:
                places = None if post in posts else holder.areas(post, begins, ends)
                if places is not None:
                    yield Stint(holder.officer, post, places, begins, ends, "")


def _swapped(found: Iterable[Stint], swaps: Sequence[Swap]) -> list[Stint]:
    of: dict[date, list[Swap]] = {}
    for swap in sorted(swaps, key=lambda each: each.seq):
        for day in swap.days:
            of.setdefault(day, []).append(swap)
    return [_given(each, of.get(day_of(each.since), ())) for each in found]


def exchanged(found: Iterable[Stint], swap: Swap) -> list[Stint]:
    """Stints with those of two officers on the days of a swap exchanged; done twice, it changes nothing."""
    return _swapped(found, (swap,))


def _given(stint: Stint, swaps: Iterable[Swap]) -> Stint:
    for swap in swaps:
        one, other = swap.officers
        if stint.officer in swap.officers:
            stint = _taken(stint, other if stint.officer == one else one)
    return stint


def _taken(stint: Stint, officer: str) -> Stint:
    """A stint that another officer serves; one that comes back to its own is served for nobody."""
    owner = stint.instead or stint.officer
    return replace(stint, officer=officer, instead=None if owner == officer else owner)


def without(stint: Stint, since: int, until: int) -> list[Stint]:
    """What is left of a stint outside some hours: none, one or two parts."""
    if until <= stint.since or stint.until <= since:
        return [stint]
    before = [replace(stint, until=since)] if stint.since < since else []
    return [*before, replace(stint, since=until)] if until < stint.until else before


def within(stint: Stint, since: int, until: int) -> list[Stint]:
    """The part of a stint that lies in some hours: none, or one."""
    begins, ends = max(stint.since, since), min(stint.until, until)
    if begins >= ends:
        return []
    return [stint if (begins, ends) == (stint.since, stint.until) else replace(stint, since=begins, until=ends)]


def _without_leaves(found: list[Stint], leaves: Sequence[Leave]) -> list[Stint]:
    """Nobody who is away himself stands in for another."""
    of: dict[str, list[Leave]] = {}
    for leave in leaves:
        of.setdefault(leave.officer, []).append(leave)
    stood = [
        _taken(part, leave.stand_in)
        for each in found
        for part, leave in _lost(each, of.get(each.officer, ()))
        if leave.stand_in is not None
    ]
    return [part for each in (*found, *stood) for part in _left(each, of.get(each.officer, ()))]


def _lost(stint: Stint, leaves: Iterable[Leave]) -> Iterator[tuple[Stint, Leave]]:
    """What leaves take of a stint; of two that meet the first takes what both would."""
    left = [stint]
    for leave in leaves:
        for part in left:
            for taken in within(part, leave.since, leave.until):
                yield taken, leave
        left = [rest for part in left for rest in without(part, leave.since, leave.until)]


def _left(stint: Stint, leaves: Iterable[Leave]) -> list[Stint]:
    left = [stint]
    for leave in leaves:
        left = [rest for part in left for rest in without(part, leave.since, leave.until)]
    return left


def _once(found: Iterable[Stint]) -> list[Stint]:
    """Stints of which no two of one officer meet, but where nobody is rostered at his posts, which he serves together."""
    kept, reached = [], dict[str, int]()
    for each in sorted(found, key=_precedence):
        if not each.shift:
            kept.append(each)
            continue
        begins = max(each.since, reached.get(each.officer, each.since))
        if begins < each.until:
            kept.append(each if begins == each.since else replace(each, since=begins))
            reached[each.officer] = each.until
    return kept


def _with_acting(found: list[Stint], plan: Plan) -> list[Stint]:
    """Who acts does nothing else in those hours, and he for whom he acts is not on duty."""
    for acting in sorted(plan.actings, key=lambda each: (each.since, each.id)):
        held = plan.posted.get((acting.officer, acting.post), ())
        hours = [part for part in _hours(found, acting) for part in _common(part, held)]
        for since, until in hours:
            cleared: list[Stint] = []
            for each in found:
                served = each.officer == acting.officer or (each.officer == acting.instead and each.post == acting.post)
                cleared += without(each, since, until) if served else [each]
            found = cleared
        found += [
            Stint(acting.officer, acting.post, (), since, until, "", acting=True, instead=acting.instead)
            for since, until in hours
        ]
    return found


def _hours(found: Iterable[Stint], acting: Acting) -> Iterator[tuple[int, int]]:
    if acting.instead is None:
        yield acting.since, acting.until
        return
    for each in found:
        if each.officer == acting.instead and each.post == acting.post:
            yield from _common((each.since, each.until), ((acting.since, acting.until),))


def _common(part: tuple[int, int], periods: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What a time has in common with some periods."""
    for since, until in periods:
        begins, ends = max(part[0], since), min(part[1], until)
        if begins < ends:
            yield begins, ends


def turns(plan: Plan, first: date, last: date) -> list[Shift]:
    """The facility's shifts that begin on some days, both included, in their order: each lasts until the next begins."""
    begins = {}
    for day in days(first, last + 2 * _ONE):
        for span in sorted(_main(plan, day), key=lambda each: each.starts):
            begins[span.on(day)[0]] = span.name
    moments = sorted(begins)
    found = [Shift(begins[at], at, then) for at, then in zip(moments, moments[1:], strict=False)]
    return [each for each in found if each.since < start_of(last + _ONE)]


def _main(plan: Plan, day: date) -> Iterable[Span]:
    """The shifts of the facility on a day: those of the pattern that became its main one last."""
    since = [(each.main_from, each.id) for each in plan.patterns.values() if each.main_from and each.main_from <= day]
    return plan.patterns[max(since)[1]].spans.values() if since else USUAL


def covers_a_day(spans: Iterable[Span]) -> bool:
    """Whether shifts follow each other round a day without a gap and without meeting."""
    order = sorted(spans, key=lambda each: each.starts)
    ends = [(each.starts + each.minutes) % DAY_MINUTES for each in order]
    begins = [each.starts for each in order]
    return bool(order) and sum(each.minutes for each in order) == DAY_MINUTES and ends == [*begins[1:], begins[0]]


_MOST_DAYS = 400
"""Days that a roster keeps worked out."""
_T = TypeVar("_T")


def _remembered(kept: dict[date, list[_T]], day: date, work_out: Callable[[], list[_T]]) -> list[_T]:
    found = kept.get(day)
    if found is None:
        if len(kept) >= _MOST_DAYS:
            kept.clear()
        found = kept[day] = work_out()
    return found


class Roster:
    """Answers for every moment, past and to come, worked out day by day as it is asked.

    ``above``: place → the place that it lies in. ``known``: whether anybody is on a roster at all.
    """

    def __init__(self, plan: Plan, above: Mapping[str, str | None]) -> None:
        self.plan = plan
        self.calendar = plan.calendar
        self.known = bool(plan.rows)
        self._above = above
        self._ways: dict[str | None, frozenset[str]] = {}
        self._days: dict[date, list[Stint]] = {}
        self._turns: dict[date, list[Shift]] = {}

    def on_duty(self, at: int, posts: Iterable[str] = (), place: str | None = None) -> list[Stint]:
        """Who serves at a moment, by officer: at some posts (none named: at any), answering for a place, for what it lies in
        or for a part of it (None: for any)."""
        wanted, way = frozenset(posts), self._way(place)
        found = [
            each
            for each in self._day(day_of(at))
            if each.since <= at < each.until
            and (not wanted or each.post in wanted)
            and (place is None or not each.places or any(own in way or place in self._way(own) for own in each.places))
        ]
        return sorted(found, key=lambda each: (each.officer, each.post))

    def stints(self, since: int, until: int) -> list[Stint]:
        """All stints that reach into some time, whole, by their beginnings."""
        if until <= since:
            return []
        found = stints(self.plan, day_of(since), day_of(until - 1))
        return [each for each in found if each.since < until and each.until > since]

    def shift_at(self, at: int) -> Shift:
        """The facility's shift at a moment."""
        return next(each for each in self._round(day_of(at)) if each.since <= at < each.until)

    def shifts(self, since: int, until: int) -> list[Shift]:
        """The facility's shifts that reach into some time, whole, in their order."""
        found = turns(self.plan, day_of(since) - _ONE, day_of(max(since, until - 1)))
        return [each for each in found if each.since < until and each.until > since]

    def _day(self, day: date) -> list[Stint]:
        return _remembered(self._days, day, lambda: stints(self.plan, day, day))

    def _round(self, day: date) -> list[Shift]:
        return _remembered(self._turns, day, lambda: turns(self.plan, day - _ONE, day))

    def _way(self, place: str | None) -> frozenset[str]:
        """A place and all that it lies in."""
        found = self._ways.get(place)
        if found is None:
            above: set[str] = set()
            at = place
            while at is not None and at not in above:
                above.add(at)
                at = self._above.get(at)
            found = self._ways[place] = frozenset(above)
        return found
