"""Who is asked what when dynamic information is reported, and how long each step of the loop may take (岗位联动).

The guidance of 2018 has one event give several posts their own tasks, and has those nearest go first; it gives neither the
table nor the times. Both are local defaults of ours and not law, except where a row of the duty rules is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from backend.domain.posts import Post
from backend.kernel.kind import Text

SOURCE = "mps2018, 三(一)1 岗位联动; 本机默认 local default"

MINUTE, HOUR = 60_000, 3_600_000


@dataclass(frozen=True, slots=True)
class Times:
    """How long the steps may take, in milliseconds: ``acknowledge``, ``deploy`` (None: nobody is asked to) and ``handle`` from
    when the server learnt of it, ``answer`` from the handling, ``close`` from the answer. A step that is late is told to the
    leader at once, and to the director after ``late`` more."""

    acknowledge: int | None
    deploy: int | None
    handle: int
    answer: int
    close: int
    late: int


TIMES: Mapping[str, Times] = {
    "urgent": Times(MINUTE, 5 * MINUTE, 30 * MINUTE, HOUR, 24 * HOUR, 5 * MINUTE),
    "important": Times(5 * MINUTE, 30 * MINUTE, 4 * HOUR, 4 * HOUR, 24 * HOUR, 15 * MINUTE),
    "ordinary": Times(None, None, 24 * HOUR, 24 * HOUR, 72 * HOUR, HOUR),
}
"""Severity → the times of its steps."""

MOST_ASKED = 3
"""Officers who are asked by name, the nearest first, each after the one before has let his time pass; then all of the
posts are."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a post has to do of its own because of a report, and how long it has; None: as long as the handling may take."""

    asks: Text
    within: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """``first``: the posts that handle it, the nearest of which is asked first. ``others``: post → its own work."""

    first: tuple[str, ...]
    others: Mapping[str, Work]


_TALK = Work(Text("了解原因，当日谈话，复核风险", "find out why, talk the same day, look at the risk again"), 12 * HOUR)
_CARE = Work(Text("查看伤病，救治并记录", "look at the injury or illness, treat and record it"))
_WATCH = Work(Text("加强巡视该监室", "patrol that cell more closely"))
_FILE = Work(Text("登记入档，按规定通知办案单位", "file it, tell the case organ as the rules say"), 12 * HOUR)
_COMFORT = Work(Text("关注情绪，安排同室看护", "watch the mood, have cell mates keep watch"))
_SEARCH = Work(Text("清查监室及随身物品", "search the cell and what is carried"))
_REPAIR = Work(Text("安排维修，修复前专人看守", "have it repaired, guard it until then"), 12 * HOUR)


def _route(first: tuple[str, ...], **others: Work) -> Route:
    return Route(first, others)


_OF_CELL = _route((Post.DISC,))
_OF_DESK = _route((Post.INT,))
_AFTER_DESK = _route((Post.DISC,), INT=_FILE)
_ON_SPOT = (Post.PAT, Post.DISC)

ROUTES: Mapping[str, Route] = {
    "dispute": _route(_ON_SPOT, DISC=_TALK, MED=_CARE),
    "self_harm": _route(_ON_SPOT, DISC=_TALK, MED=_CARE),
    "escape": _route(_ON_SPOT, DISC=_SEARCH),
    "climbing": _route(_ON_SPOT, DISC=_TALK),
    "alone": _route(_ON_SPOT),
    "danger_area": _route(_ON_SPOT),
    "cell_watch": _route(_ON_SPOT),
    "headcount": _route(_ON_SPOT),
    "contraband": _route((Post.DISC, Post.PAT), PAT=_SEARCH),
    "damage": _route((Post.PAT,), LEAD=_REPAIR),
    "conduct": _OF_CELL,
    "mood": _route((Post.DISC,), PAT=_WATCH),
    "relations": _OF_CELL,
    "request": _OF_CELL,
    "counselling": _route((Post.DISC,), MED=_COMFORT),
    "illness": _route((Post.MED,), PAT=_WATCH),
    "injury": _route((Post.MED,), DISC=_TALK),
    "head_injury": _route((Post.MED,), PAT=_WATCH, DISC=_TALK),
    "intoxication": _route((Post.MED,), PAT=_WATCH),
    "withdrawal": _route((Post.MED,), PAT=_WATCH),
    "refused_food": _route((Post.MED,), DISC=_TALK),
    "refused_medicine": _route((Post.MED,), DISC=_TALK),
    "infection": _route((Post.MED,), PAT=_WATCH),
    "outbreak": _route((Post.MED,), PAT=_WATCH),
    "critical": _route((Post.MED,), INT=_FILE),
    "pregnancy": _route((Post.MED,), INT=_FILE, DISC=_COMFORT),
    "psychosis": _route((Post.MED,), INT=_FILE, DISC=_COMFORT, PAT=_WATCH),
    "death": _route((Post.MED, Post.PAT), INT=_FILE),
    "force_used": _route((Post.LEAD,), MED=_CARE),
    "weapon_used": _route((Post.LEAD,), MED=_CARE),
    "family_event": _route((Post.DISC,), PAT=_WATCH),
    "heavy_sentence": _route((Post.DISC,), PAT=_WATCH, MED=_COMFORT, INT=_FILE),
    "punishment": _route((Post.DISC,), PAT=_WATCH),
    "leave_return": _AFTER_DESK,
    "before_release": _AFTER_DESK,
    "interrogation": _AFTER_DESK,
    "lawyer_visit": _AFTER_DESK,
    "family_visit": _AFTER_DESK,
    "stage_change": _AFTER_DESK,
    "judgment": _AFTER_DESK,
    "term_change": _AFTER_DESK,
    "other": _route((Post.LEAD,)),
}
"""Category → who handles it and what the others have to do; what is not named here is the desk's (``route``)."""


def route(category: str) -> Route:
    """Who handles reports of a category. Papers and requests are the desk's."""
    return ROUTES.get(category, _OF_DESK)


AREAS: Mapping[str, tuple[str, ...]] = {
    "gate": (Post.INT,),
    "room": (Post.INT,),
    "yard": (Post.PAT,),
}
"""Type of the place → posts that are there and are asked with those of the category: the desk at gates and in the rooms
for interrogations and visits, the patrol in the yard."""


def first(category: str, area: str | None) -> tuple[str, ...]:
    """The posts that handle a report, those of its area before those of its category."""
    return tuple(dict.fromkeys((*AREAS.get(area or "", ()), *route(category).first)))


def others(category: str, severity: str) -> Iterator[tuple[str, Text, int]]:
    """Post, what it has to do of its own, and within how many milliseconds. What is ordinary concerns those alone who
    handle it."""
    if severity != "ordinary":
        for post, work in route(category).others.items():
            yield str(post), work.asks, work.within or TIMES[severity].handle
