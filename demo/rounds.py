"""How rounds are walked in the synthetic facility: one round from now on, or a week of them behind us.

The week is what an office would find in its books: staggered rounds that nobody walks at exact intervals,
some late, a window or two missed, a few broken off. A history without these would leave nothing to look at.

Pure and repeatable, as demo.facility is: each ward has a `Random` of its own, seeded with a text.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from demo.facility import Facility, Officer, Place

LOCAL = timezone(timedelta(hours=8), "Asia/Shanghai")
_SHIFT = timedelta(hours=8)
_ROTATION_FROM = datetime(2026, 1, 1, tzinfo=LOCAL)

# Seconds, by type of place: how long one stands there (least, most, usual), and how long the way to it takes.
_DWELL = {"cell": (6.0, 18.0, 10.0), "checkpoint": (2.0, 7.0, 3.0)}
_PATH = {"cell": (5.0, 8.0), "checkpoint": (6.0, 14.0)}
TO_FIRST_CELL = timedelta(seconds=_PATH["checkpoint"][0] + _DWELL["checkpoint"][0] + _PATH["cell"][0])
"""How long before he can look into the first cell an officer sets out: a window counts from there."""

_LATE = 0.012
_BROKEN_OFF = 0.004
_TAG_UNREADABLE = 0.001
_NOTED = 0.5
# How often someone of a cell is out of it: to an interrogation by day, to a hospital at night.
_AWAY = {"day": 0.012, "noon": 0.004, "night": 0.0008}

# What an officer sees, out of a thousand looks. "none" is not among the responses: a cell that does not
# answer is an emergency, and a history full of false ones would teach people to look past it.
_SEEN = {
    "night": {"asleep": 930, "calm": 50, "talking": 12, "low_mood": 5, "unwell": 3},
    "noon": {"asleep": 600, "calm": 300, "talking": 90, "low_mood": 6, "unwell": 3, "agitated": 1},
    "day": {
        "calm": 560,
        "talking": 400,
        "low_mood": 20,
        "agitated": 8,
        "unwell": 7,
        "dispute": 3,
        "damage": 1,
        "other": 1,
    },
}
_ASLEEP = {"breathing": 85, "moving": 15}
_AWAKE = {"spoke": 60, "moving": 40}
_NOTES = {
    "low_mood": ("一人独坐不语，已谈话安抚", "一人情绪低落，已告知管教", "一人未进食，愿意交谈，继续观察"),
    "agitated": ("一人在室内来回走动，劝说后坐下", "一人高声说话，提醒后平静", "一人要求见管教，已转告"),
    "unwell": ("一人自述头痛，已报医务", "一人咳嗽，已报医务", "一人胃部不适，已报医务"),
    "dispute": ("两人因铺位口角，已分开谈话", "两人因用水争执，已制止"),
    "damage": ("门上观察窗有划痕，已报修", "水龙头松动，已报修"),
    "other": ("室内灯一盏不亮，已报修", "地面有积水，已让值日人员清理"),
}
_REASONS = ("警铃响，前往支援", "协助医务送诊", "配合带人提讯，由接班人员续巡", "所领导临时召集")


@dataclass(frozen=True)
class CellCheck:
    headcount: int
    response: str
    observation: str


@dataclass(frozen=True)
class PlannedVisit:
    place: Place
    observed_at: datetime
    tag: str | None
    """The uid that is read; None where the tag could not be read, and then there is a note."""
    cell: CellCheck | None
    note: str | None


@dataclass(frozen=True)
class PlannedRound:
    ward: Place
    officer: Officer
    companions: tuple[Officer, ...]
    due_at: datetime
    opened_at: datetime
    closed_at: datetime
    visits: tuple[PlannedVisit, ...]
    result: str
    reason: str | None


def on_shift(facility: Facility, ward: Place, at: datetime) -> Officer:
    """The ward's patrol officer at that time: four of them take turns in three shifts a day (四班三运转)."""
    crew = facility.staff("PAT", ward)
    return crew[(at - _ROTATION_FROM) // _SHIFT % len(crew)]


def walk(facility: Facility, ward: Place, start: datetime, officer: Officer, rng: random.Random) -> PlannedRound:
    """One round of the ward, opened at `start`; by day the ward's auxiliary goes along."""
    start = _whole(start)
    at, visits = start, []
    for place in facility.route(ward):
        at += _seconds(rng, *_PATH[place.type])
        visits.append(_visit(facility, place, at, rng))
        least, most, usual = _DWELL[place.type]
        at += timedelta(milliseconds=round(rng.triangular(least, most, usual) * 1000))
    result, reason = "completed", None
    if rng.random() < _BROKEN_OFF:
        result, reason = "interrupted", rng.choice(_REASONS)
        visits = visits[: rng.randrange(1, len(visits))]
        at = visits[-1].observed_at + _seconds(rng, 6, 12)
    companions = () if _time_of_day(start) == "night" else facility.staff("AUX", ward)
    # The sign-off takes its moment too.
    closed_at = at + _seconds(rng, 6, 18)
    return PlannedRound(ward, officer, companions, start, start, closed_at, tuple(visits), result, reason)


def week_of_rounds(
    facility: Facility, end: datetime, seed: int, days: int = 7, every_minutes: int = 20
) -> Iterator[PlannedRound]:
    """The rounds of all wards in the days before `end`, in the order in which they were opened, all closed by
    then. `every_minutes` is the longest time from one window to the next, three quarters of it the shortest.
    One or two windows have no round."""
    end = _whole(end)
    rng = random.Random(f"{seed}/windows")
    windows = [
        (ward, due)
        for ward in facility.wards()
        for due in _windows(end - timedelta(days=days), end, every_minutes, rng)
    ]
    for missed in rng.sample(windows, min(len(windows), rng.randint(1, 2))):
        windows.remove(missed)
    walked = [
        _of_ward(
            facility, ward, [due for where, due in windows if where == ward], end, random.Random(f"{seed}/{ward.code}")
        )
        for ward in facility.wards()
    ]
    return heapq.merge(*walked, key=lambda planned: (planned.opened_at, planned.ward.code))


def _windows(begin: datetime, end: datetime, every_minutes: int, rng: random.Random) -> Iterator[datetime]:
    longest = every_minutes * 60
    # The first one anywhere in an interval: the wards do not start together.
    due = begin + _seconds(rng, 0, longest)
    while due < end:
        yield due
        due += _seconds(rng, longest * 0.75, longest)


def _of_ward(
    facility: Facility, ward: Place, windows: list[datetime], end: datetime, rng: random.Random
) -> Iterator[PlannedRound]:
    free = None
    for due in windows:
        start = due + (_seconds(rng, 180, 420) if rng.random() < _LATE else _seconds(rng, 0, 90))
        # Nobody walks two rounds at once: after a late one the next waits for its end.
        start = max(start, free or start)
        planned = replace(walk(facility, ward, start, on_shift(facility, ward, start), rng), due_at=due)
        if planned.closed_at > end:
            return
        free = planned.closed_at + timedelta(seconds=30)
        yield planned


def _visit(facility: Facility, place: Place, at: datetime, rng: random.Random) -> PlannedVisit:
    notes = []
    tag = place.tags[0]
    unreadable = rng.random() < _TAG_UNREADABLE
    if unreadable:
        notes.append("标签读不出，已报更换")
    cell = None
    if place.type == "cell":
        cell, seen = _look(facility.held[place.id], _time_of_day(at), rng)
        notes += seen
    return PlannedVisit(place, at, None if unreadable else tag, cell, "；".join(notes) or None)


def _look(held: int, when: str, rng: random.Random) -> tuple[CellCheck, list[str]]:
    notes = []
    away = 0
    if rng.random() < _AWAY[when]:
        away = rng.randint(1, 2)
        notes.append(f"{away}人" + ("送医在外" if when == "night" else "提讯在外"))
    observation = _pick(_SEEN[when], rng)
    if observation == "other" or (observation in _NOTES and rng.random() < _NOTED):
        notes.append(rng.choice(_NOTES[observation]))
    response = _pick(_ASLEEP if observation == "asleep" else _AWAKE, rng)
    return CellCheck(held - away, response, observation), notes


def _time_of_day(at: datetime) -> str:
    hour = at.astimezone(LOCAL).hour
    if hour < 6 or hour >= 22:
        return "night"
    return "noon" if 12 <= hour < 14 else "day"


def _pick(weights: dict[str, int], rng: random.Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def _seconds(rng: random.Random, least: float, most: float) -> timedelta:
    return timedelta(milliseconds=round(rng.uniform(least, most) * 1000))


def _whole(at: datetime) -> datetime:
    """Whole milliseconds, as the protocol writes them. A time without a zone is refused: it means another one
    on another machine."""
    if at.tzinfo is None:
        raise ValueError(f"a time with a zone is needed, not {at}")
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
