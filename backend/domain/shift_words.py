"""Words of rosters, and what their documents say as values (``backend.domain.shifts``). Pure.

Documents are those that the kinds ``shift.*`` and ``calendar.day`` have let through.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from backend.domain.calendars import DAY_KINDS, DAY_MINUTES, Calendar, DayKind, read_time
from backend.domain.posts import Post
from backend.domain.shifts import Acting, Leave, Pattern, Row, Span, Swap, Worked
from backend.kernel.clock import from_text
from backend.kernel.kind import Text

ROSTERED: Mapping[str, Text] = {
    Post.INT.value: Text("接待收押提讯岗", "desk"),
    Post.PAT.value: Text("巡控岗", "patrol"),
    Post.DISC.value: Text("管教岗", "cell officer"),
    Post.MED.value: Text("医务岗", "medic"),
    Post.AUX.value: Text("辅警", "auxiliary"),
    Post.LEAD.value: Text("值班领导", "leader on duty"),
    Post.DIR.value: Text("所长", "director"),
}
"""Posts that are served by a roster."""
LEADING: Mapping[str, Text] = {post: ROSTERED[post] for post in (Post.LEAD.value, Post.DIR.value)}
"""Posts at which somebody may act for another."""

LEAVES: Mapping[str, Text] = {
    "annual": Text("年休假", "annual leave"),
    "sick": Text("病假", "sick leave"),
    "family": Text("事假或探亲假", "leave for family or private matters"),
    "training": Text("培训", "training"),
    "assignment": Text("外派或出差", "sent elsewhere"),
    "in_lieu": Text("补休", "time off in lieu"),
    "other": Text("其他", "other"),
}

AS_ANNOUNCED = "announced"
OF_A_DAY: Mapping[str, Text] = {**DAY_KINDS, AS_ANNOUNCED: Text("按国家公布", "as announced for the country")}
"""What a facility may say of a day; the last takes back what it said before."""

SWAPPED = frozenset({"approved"})
"""States of a swap that takes effect."""
AWAY = frozenset({"approved", "over"})
"""States of a leave that takes effect; one that is over ended when its officer came back."""


def span_of(doc: Mapping[str, Any]) -> Span:
    """``{code, name, starts, ends}`` → a shift; one that ends when it began lasts 24 hours. Raises ValueError for times of
    day that there are not."""
    starts, ends = read_time(doc["starts"]), read_time(doc["ends"])
    return Span(doc["code"], doc["name"], starts, (ends - starts) % DAY_MINUTES or DAY_MINUTES)


def pattern_of(record: str, doc: Mapping[str, Any]) -> Pattern:
    """The pattern that a document tells of."""
    spans = {each["code"]: span_of(each) for each in doc["shifts"]}
    main = doc["main_from"]
    return Pattern(
        record, doc["name"], spans, tuple(doc["cycle"]), Worked(doc["worked"]), date.fromisoformat(doc["anchor"]),
        None if main is None else date.fromisoformat(main),
    )  # fmt: skip


def row_of(record: str, doc: Mapping[str, Any]) -> Row:
    """The place on a pattern that a document tells of."""
    last = doc["until"]
    return Row(
        record, doc["officer"], doc["post"], doc["pattern"], doc["offset"], tuple(doc["places"]),
        date.fromisoformat(doc["since"]), None if last is None else date.fromisoformat(last),
    )  # fmt: skip


def swap_of(record: str, seq: int, doc: Mapping[str, Any]) -> Swap:
    """The swap that a document tells of."""
    days = frozenset(date.fromisoformat(day) for day in doc["days"])
    return Swap(record, seq, (doc["officer"], doc["colleague"]), days)


def leave_of(record: str, doc: Mapping[str, Any]) -> Leave:
    """The leave that a document tells of."""
    return Leave(record, doc["officer"], from_text(doc["since"]), from_text(doc["until"]), doc["stand_in"])


def acting_of(record: str, doc: Mapping[str, Any]) -> Acting:
    """The period of acting that a document tells of."""
    since, until = from_text(doc["since"]), from_text(doc["until"])
    return Acting(record, doc["officer"], doc["post"], since, until, doc["instead"])


def calendar_of(said: Mapping[str, str]) -> Calendar:
    """The calendar of a facility that has said of days what they are."""
    return Calendar({date.fromisoformat(day): DayKind(sort) for day, sort in said.items() if sort != AS_ANNOUNCED})
