"""What the engine and its families of triggers say to each other. Everything here is pure: no clock, no database, no chance.

A family is a module with one function ``watchers(rules) -> Sequence[Watcher]``, which is given all rules of the pack whose
trigger is of its sort. A watcher has no memory of its own: whatever it must know later it keeps as a small JSON object
under a subject in its ``Book``, and each of those may name a moment at which it wants to be woken. The engine merges
what it hears and what is due by the time of its own clock (``Book.now``): before a version that reached the server at t is
told of, all that wanted to be woken at t or before is woken, in the order of those moments. So it makes no difference
whether the engine runs every fifteen seconds or every four hours.

Subjects are ``person/<id>``, ``place/<id>`` (a ward is a place), ``record/<id>`` and ``facility/<id>``. All times are
milliseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from backend.domain.rules.model import Each, Rule
from backend.kernel.events import Event, Version
from backend.kernel.kind import Text

Body = dict[str, Any]
"""What is kept under a subject: texts, whole numbers, booleans, nulls, and lists and objects of them. It is small, and it
is never changed in place: ``Book.keep`` is told the next one."""


@dataclass(frozen=True, slots=True)
class Input:
    """A version that the engine has not heard of, with the one before it and the events that its kind finds between them
    (and ``record.marked`` for each mark with a rule)."""

    before: Version | None
    after: Version
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """An event as a watcher is told of it. ``at``: the engine's clock, when the server learnt of it; ``record``, ``kind``,
    ``partition``, ``officer``: of the version that it was found in, empty for ``shift.began`` and ``day.began``."""

    event: Event
    at: int
    record: str = ""
    kind: str = ""
    partition: str = ""
    officer: str = ""

    @property
    def when(self) -> int:
        """When it happened: never after the server learnt of it, whatever a device's clock says."""
        return min(self.event.at, self.at)


@dataclass(frozen=True, slots=True)
class Act:
    """What the server itself does to a record: a verb of a kind at a moment of the engine's clock (its ``observed_at``).

    ``creates``: the verb makes the record. What it rests on is the record as it stands when it is written. ``becomes``: the
    record's state after it, where it changes that: for the acts on the same record that come behind it. ``only``: the
    states in which it has a sense, none named: all; in another one it is left. The versions of acts on other kinds than
    ``duty`` and ``patrol.plan`` may raise events of their own: the engine's clock stands until it has heard them.
    """

    kind: str
    verb: str
    record: str
    fields: Mapping[str, Any]
    at: int
    creates: bool = False
    becomes: str | None = None
    only: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ask:
    """A duty to be asked for. Its id follows from ``owner``, ``subject``, ``part`` and ``due``, so that to ask twice asks once.

    ``rule``: a row of the pack, whose ``done`` events on ``subject`` fulfil it; None: only its own completion, or the
    watcher's ``Book.fulfil``. ``person``, ``place``: what it is about, at most one of them is its partition; neither: the
    facility. ``cause``: the record that gave rise to it. ``officer``: None for any of the posts. ``chain``: moments and who
    is told then if it is still open. ``part`` tells several duties of one subject and moment apart. ``secret``: it is issued
    when it opens and not up to 24 hours ahead.
    """

    owner: str
    subject: str
    opens: int
    due: int
    text: Text
    source: str
    posts: tuple[str, ...]
    rule: str | None = None
    directive: str | None = None
    warn: int | None = None
    chain: tuple[tuple[int, tuple[str, ...]], ...] = ()
    loud: bool = False
    officer: str | None = None
    person: str | None = None
    place: str | None = None
    cause: str | None = None
    part: str = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """A duty that the engine follows. ``state``: ``planned`` (not issued yet), ``issued``, ``acknowledged``, ``missed``."""

    id: str
    owner: str
    subject: str
    part: str
    rule: str | None
    state: str
    opens: int
    due: int
    posts: tuple[str, ...]
    officer: str | None


class Shift(Protocol):
    """A shift of the roster."""

    @property
    def name(self) -> str: ...
    @property
    def since(self) -> int: ...
    @property
    def until(self) -> int: ...


class Stint(Protocol):
    """An officer on duty at a post (``backend.domain.shifts``)."""

    @property
    def officer(self) -> str: ...
    @property
    def post(self) -> str: ...


class Rota(Protocol):
    """Who is on duty when (``backend.facts.rosters``)."""

    def shift_at(self, at: int) -> Shift:
        """The shift in which a moment lies: ``since <= at < until``."""
        ...

    def shifts(self, since: int, until: int) -> Sequence[Shift]:
        """The shifts that touch a time, in their order."""
        ...

    def on_duty(self, at: int, posts: Iterable[str] = (), place: str | None = None) -> Sequence[Stint]:
        """Who is on duty at some posts (none named: at any), responsible for a place."""
        ...


class Presence(Protocol):
    """When the server last heard from officers' terminals."""

    def contact_after(self, officers: Collection[str], since: int) -> int | None:
        """A moment after ``since`` at which a terminal of one of them was in contact; None: they have been away."""
        ...


class Register(Protocol):
    """Who is held where, and which places lie in which, as far as the engine has heard."""

    def held(self) -> Iterable[str]:
        """All persons who are held."""
        ...

    def persons(self, cell: str) -> Sequence[str]:
        """Who is lodged in a cell."""
        ...

    def cell_of(self, person: str) -> str | None: ...

    def risk_of(self, person: str) -> str | None: ...

    def wards(self) -> Sequence[str]:
        """The wards that are open, by their ids."""
        ...

    def since(self, person: str) -> int | None:
        """Since when a person is held, by when the server learnt of it."""
        ...

    def cells(self, ward: str) -> Sequence[str]:
        """The open cells of a ward, in the order of the walk."""
        ...

    def ward_of(self, place: str) -> str | None:
        """The ward that a place lies in, or is; None where it lies in none."""
        ...


class Book(Protocol):
    """What a watcher keeps and does. Each watcher has pages of its own, by its ``owner``."""

    @property
    def facility(self) -> str: ...
    @property
    def now(self) -> int:
        """The engine's clock."""
        ...

    @property
    def register(self) -> Register: ...
    @property
    def rota(self) -> Rota: ...

    def body(self, subject: str) -> Body | None:
        """What is kept under a subject."""
        ...

    def bodies(self) -> Iterator[tuple[str, Body]]:
        """All that is kept, by subject."""
        ...

    def keep(self, subject: str, body: Body, wake: int | None = None) -> None:
        """Keeps this and nothing else under a subject; ``wake``: when the watcher is woken for it, once. A moment that has
        passed wakes at once, after what is being done. ``body`` must not have a key ``at``: that is the moment's."""
        ...

    def forget(self, subject: str) -> None:
        """Keeps nothing under a subject any more; it need not have kept anything."""
        ...

    def subject(self, each: Each, heard: Heard) -> str | None:
        """What an event is about, as a rule counts; None where it does not say: an event without a person or place."""
        ...

    def subjects(self, each: Each) -> Sequence[str]:
        """All there are now: persons held, cells with somebody in them, wards of such cells, the facility; none for
        records."""
        ...

    def asked(self, rule: Rule, subject: str, at: int, heard: Heard | None = None, due: int | None = None) -> Ask:
        """What a rule asks when its trigger is at ``at``: due by its ``within`` and ``until`` unless told, with its texts,
        posts, reminder and chain. Change it with ``dataclasses.replace``."""
        ...

    def ask(self, ask: Ask) -> str:
        """Asks for a duty, issued up to 24 hours before it opens; returns its id. To ask again, or for what was due before
        the engine began in this facility, does nothing."""
        ...

    def open(self, subject: str) -> Sequence[Open]:
        """The watcher's own duties on a subject that are neither done nor called off, the earliest due first."""
        ...

    def fulfil(self, duty: str, record: str, when: int) -> None:
        """An event at ``when`` has done what a duty asks; ``record`` tells of it. Late or missed before, it stays so."""
        ...

    def cancel(self, duty: str, reason: str) -> None:
        """Calls a duty off that is not missed yet; ``reason`` is told to its officers. One that is missed stays."""
        ...

    def draw(self, purpose: str, below: int) -> int:
        """A number from 0 to ``below`` - 1 that follows from the facility's secret, the owner and a purpose: the same whenever
        it is asked for, and not to be guessed."""
        ...

    def act(self, act: Act) -> None:
        """Does something else to a record: makes a plan, opens an incident. Keep its id derived, so that it is done once
        (``backend.kernel.ids.named``)."""
        ...


class Watcher(Protocol):
    """A trigger at work: one rule, or several that can only be seen together (``Windows``).

    ``owner`` names its pages, at most 40 letters, without ``|``: the rule's id, or the family's name. ``names``: the
    events that it is told of.
    """

    @property
    def owner(self) -> str: ...
    @property
    def names(self) -> frozenset[str]: ...

    def begin(self, book: Book) -> None:
        """The engine begins to work by this pack: at the start of a facility, and whenever the pack has changed. What was
        kept under an earlier pack is still there; what rests on the values of the rule is reckoned anew."""
        ...

    def hear(self, book: Book, heard: Heard) -> None:
        """An event whose name it wants to know."""
        ...

    def wake(self, book: Book, subject: str, body: Body) -> None:
        """The moment has come that it kept with a body."""
        ...

    def done(self, book: Book, duty: Open, when: int) -> None:
        """One of its duties was completed or fulfilled, at ``when``."""
        ...


@dataclass(frozen=True, slots=True)
class Quiet:
    """A watcher that does nothing: others derive from it and say what they do."""

    owner: str
    names: frozenset[str] = field(default_factory=frozenset)

    def begin(self, book: Book) -> None:
        """Nothing to begin."""

    def hear(self, book: Book, heard: Heard) -> None:
        """Nothing to hear."""

    def wake(self, book: Book, subject: str, body: Body) -> None:
        """Nothing to wake for."""

    def done(self, book: Book, duty: Open, when: int) -> None:
        """Nothing follows."""


DAY_BEGAN, SHIFT_BEGAN = "day.began", "shift.began"
"""The engine's own events: a day of Beijing's and a shift of the roster have begun. They have no person and no place: a
rule for each person, place or ward hears them once for each that there is."""
