"""What a rule of duty is: "when X, who must do Y within Z", as a value. Durations are milliseconds.

Periods of a day, week or month are those of the legal time of the People's Republic, UTC+8 (``backend.domain.calendars``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from backend.kernel.events import Scalar
from backend.kernel.kind import Text


class Basis(StrEnum):
    """How far a rule rests on law: the last column of the table of duty rules."""

    READ = "V"
    """Read in the primary text. A facility may only tighten it."""
    PARTIAL = "P"
    PRACTICE = "R"
    RECALLED = "M"
    LOCAL = "D"
    """A local default of ours: shown as such, and not as law."""


class Each(StrEnum):
    """For what a rule asks a duty of its own: what the event is about."""

    PERSON = "person"
    PLACE = "place"
    """The place of the event itself: a cell, a yard, a room."""
    WARD = "ward"
    RECORD = "record"
    """The record that raised the event: an incident, a fault, a complaint."""
    FACILITY = "facility"


class Period(StrEnum):
    """What a count or a schedule runs over."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    SHIFT = "shift"
    """From one change of shift to the next, by the roster."""


@dataclass(frozen=True, slots=True)
class Match:
    """An event of a name whose facts have one of the values given for each; no facts named: any."""

    event: str
    where: Mapping[str, tuple[Scalar, ...]]


@dataclass(frozen=True, slots=True)
class OnEvent:
    """A duty for each such event."""

    on: tuple[Match, ...]
    each: Each


@dataclass(frozen=True, slots=True)
class Lasting:
    """A state that lasts from one of ``begins`` to one of ``ends``: a duty once it has lasted ``after``; with ``every``,
    again and again so long after the last time that it was done; with ``lasts``, it ends of itself so long after it began."""

    begins: tuple[Match, ...]
    ends: tuple[Match, ...]
    each: Each
    after: int
    every: int | None
    lasts: int | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """A moment that an event names in a fact: a duty from ``lead`` before it, due at it. A later event of the same subject
    moves it; one of ``ends`` calls it off."""

    on: tuple[Match, ...]
    ends: tuple[Match, ...]
    each: Each
    moment: str
    lead: int


@dataclass(frozen=True, slots=True)
class Counted:
    """How often, or how much of the fact ``sum`` in all, is to happen in each period: fewer than ``least`` by ``by`` after
    its start make a duty, due at the end of the period. A subject counts at all from one of ``begins`` to one of ``ends`` (a
    person who is held); without ``begins`` every cell with somebody in it does, every ward of such cells, the facility."""

    on: tuple[Match, ...]
    begins: tuple[Match, ...]
    ends: tuple[Match, ...]
    each: Each
    period: Period
    least: int
    sum: str | None
    by: int


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A duty in each period, ``at`` after its start; ``random``: at a moment drawn within ``spread`` after that, which is not
    told before it comes."""

    period: Period
    each: Each
    at: int
    spread: int


@dataclass(frozen=True, slots=True)
class Windows:
    """Patrols of a ward at most ``most`` apart (at least ``least``), in staggered windows. ``risks``: only where somebody of
    such a grade is lodged; none: everywhere. The shortest interval of all rules that hold in a ward wins."""

    least: int
    most: int
    risks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gated:
    """A planned act that is refused: the kind's own judge does it and names the rule."""

    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the rule waits for before it can fire: a kind, a connector, a later part of the product."""

    missing: Text


@dataclass(frozen=True, slots=True)
class Gives:
    """It asks nothing by itself, but states how long there is for what the rule ``to`` asks: a local number for an article
    that has none. ``backend.domain.rules.composing`` lays it over that rule; where both have one the shorter holds."""

    to: str


@dataclass(frozen=True, slots=True)
class Kept:
    """The server itself keeps it, always and everywhere: there is nothing to ask of anybody. ``how`` says by what."""

    how: Text


Trigger = OnEvent | Lasting | Before | Counted | Scheduled | Windows | Gated | Waiting | Gives | Kept


class End(StrEnum):
    """Where a duty's time ends when it is not a number of hours."""

    DAY = "day"
    SHIFT = "shift"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Rung:
    """Who is told when a duty is still open ``after`` its due time."""

    after: int
    posts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tightening:
    """What a facility may change of a rule, and which way: ``value`` names it (``within``, ``every``, ``most``, ``least``,
    ``lead``, ``warn``); a legal row only takes values that are ``shorter`` (or ``longer``, ``more``, ``fewer``)."""

    value: str
    direction: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of a pack. ``id`` is that of the table, with a part behind a dot where one line of it is read as several rules
    (``T11.grade1``); ``scope``: types of facilities. ``within``: how long there is from the
    trigger, or ``until`` the end of a period, whichever comes first; ``warn``: after so long its posts are reminded.
    ``done``: events on the same subject that fulfil it, None: only its own completion. ``loud``: it rings; the rest is shown.
    ``repeats``: asked again so long after it was due, until it is done. ``reading``: how the line of the table was read.
    ``local``: which of its values are ours, where its source names none.
    """

    id: str
    scope: frozenset[str]
    text: Text
    source: str
    basis: Basis
    effective: date
    posts: tuple[str, ...]
    loud: bool
    trigger: Trigger
    within: int | None
    until: End | None
    warn: int | None
    done: tuple[Match, ...] | None
    repeats: int | None
    chain: tuple[Rung, ...]
    tighter: tuple[Tightening, ...]
    reading: Text
    local: frozenset[str] = frozenset()

    @property
    def row(self) -> str:
        """The line of the table that it was read from."""
        return self.id.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Pack:
    """Rules that are in force together. ``signed``: by whom and when the facility's lawyer confirmed it; None: "to
    confirm", and shown so. ``digest``: of its files and the overrides that were laid over them."""

    name: str
    version: str
    rules: Mapping[str, Rule]
    signed: str | None
    digest: str
