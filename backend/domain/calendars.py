"""Days as the law counts them: Beijing's, UTC+8 without daylight saving, with public holidays and make-up workdays (调休).

Moments are milliseconds since 1970 UTC, days are ``datetime.date``, times of day are minutes after midnight. Which days are
worked is announced by the State Council each autumn for the next year (全国年节及纪念日放假办法; the table is that of the
library chinesecalendar). Of a year that is not in the table Monday to Friday are taken as worked, and ``Calendar.knows``
says that this is a guess. What a facility enters for a day stands over the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum

import chinese_calendar

from backend.kernel.kind import Text

BEIJING = timezone(timedelta(hours=8))
"""中国标准时间, the legal time of the whole country; no daylight saving since 1991."""
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
DAY_MINUTES = 24 * 60
_OFFSET_MS = 8 * HOUR_MS
_EPOCH = date(1970, 1, 1)
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


def day_of(at: int) -> date:
    """The day in Beijing on which a moment lies."""
    return _EPOCH + timedelta(days=(at + _OFFSET_MS) // DAY_MS)


def start_of(day: date) -> int:
    """The moment at which a day begins in Beijing."""
    return (day - _EPOCH).days * DAY_MS - _OFFSET_MS


def day_start(at: int) -> int:
    """The moment at which the day of a moment begins."""
    return at - (at + _OFFSET_MS) % DAY_MS


def week_start(at: int) -> int:
    """The moment at which the week of a moment begins: Monday, 00:00."""
    return day_start(at) - day_of(at).weekday() * DAY_MS


def month_start(at: int) -> int:
    """The moment at which the month of a moment begins."""
    return start_of(day_of(at).replace(day=1))


def next_month(at: int) -> int:
    """The moment at which the month after that of a moment begins."""
    return month_start(month_start(at) + 31 * DAY_MS)


def minute_of(at: int) -> int:
    """The time of day in Beijing, in minutes after midnight."""
    return (at + _OFFSET_MS) % DAY_MS // MINUTE_MS


def days(first: date, last: date) -> Iterator[date]:
    """The days from one to another, both included; none where the second comes before the first."""
    for step in range((last - first).days + 1):
        yield first + timedelta(days=step)


def local(at: int) -> datetime:
    """A moment as Beijing's clocks show it."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(BEIJING)


def read_time(text: str) -> int:
    """``08:30`` → minutes after midnight. Raises ValueError for any other form."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("not a time of day as hh:mm")
    return int(found[1]) * 60 + int(found[2])


class DayKind(StrEnum):
    """What a day is."""

    WORKDAY = "workday"
    """A day that is worked: Monday to Friday, or a Saturday or Sunday in lieu of a holiday (调休)."""
    REST = "rest"
    """A weekend."""
    HOLIDAY = "holiday"
    """A public holiday, or a day that is free because of one."""


DAY_KINDS: Mapping[str, Text] = {
    DayKind.WORKDAY.value: Text("工作日（含调休上班）", "workday, also one in lieu"),
    DayKind.REST.value: Text("休息日", "day of rest"),
    DayKind.HOLIDAY.value: Text("节假日", "public holiday"),
}


def announced(day: date) -> bool:
    """Whether the national table covers the year of a day."""
    return day.year in _YEARS


_YEARS = frozenset(day.year for day in chinese_calendar.holidays)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The national table with what a facility has said of single days over it."""

    own: Mapping[date, DayKind] = field(default_factory=dict)

    def kind(self, day: date) -> DayKind:
        """What a day is; of a year that nobody knows, what its weekday says."""
        if day in self.own:
            return self.own[day]
        if day in chinese_calendar.holidays:
            return DayKind.HOLIDAY
        worked = day in chinese_calendar.workdays or day.weekday() < 5
        return DayKind.WORKDAY if worked else DayKind.REST

    def knows(self, day: date) -> bool:
        """Whether what is said of a day is more than what its weekday says."""
        return day in self.own or announced(day)

    def is_workday(self, day: date) -> bool:
        return self.kind(day) is DayKind.WORKDAY
