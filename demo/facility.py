"""The synthetic facility: its places, the persons held and its officers.

Pure data: nothing here reads, writes or knows the server. The same seed gives the same facility, so that a
test, a bench and a demo can name a cell or a person. Every random choice comes from the seed and a text that
names what it is for: a change of one part leaves the others as they were.
"""

import hashlib
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from demo.names import names

_MADE_AT = datetime(2026, 11, 1, tzinfo=UTC)
_CELLS = 8
_HELD = 180
# The last four cells of ward C, up the stairs, are the women's; every other cell is a men's cell.
_WOMENS = {f"C-{n:02d}" for n in range(5, _CELLS + 1)}
# After how many cells a checkpoint stands, and what it is: they are among the cells, a round is one path.
_CHECKPOINTS = ((0, "廊道东端"), (4, "楼梯口"), (6, "放风场门"), (8, "廊道西端"))
_STAFF = (
    ("PAT", 12),
    ("DISC", 8),
    ("MED", 4),
    ("INT", 3),
    ("AUX", 3),
    ("LEAD", 2),
    ("DIR", 1),
    ("AUD", 1),
    ("PROC", 1),
    ("ADM", 1),
)
_OF_ONE_WARD = {"PAT", "DISC", "AUX"}
# How many of a ward are graded. Those of grade 1 are the women's ward's: it is walked more often than the others (rule P02).
_GRADED = (("grade2", 3), ("grade3", 6))
_GRAVE = ("C", 3)
# Nobody is in his first days, in which there is much to do with each.
_HELD_DAYS = (30, 300)


@dataclass(frozen=True)
class Place:
    id: str
    type: str
    code: str
    name: str
    parent: str | None
    position: int
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Person:
    id: str
    number: str
    name: str
    sex: str
    cell: str
    state: str = "held"
    risk: str | None = None
    """As officers have graded it; None: nobody has."""
    days: int = 0
    """How long before the facility's first day he was admitted."""


@dataclass(frozen=True)
class Officer:
    id: str
    number: str
    name: str
    posts: tuple[str, ...]
    wards: tuple[str, ...]
    """Place ids; empty: the whole facility."""


@dataclass(frozen=True)
class Facility:
    id: str
    name: str
    name_en: str
    type: str
    places: tuple[Place, ...]
    persons: tuple[Person, ...]
    officers: tuple[Officer, ...]

    @cached_property
    def held(self) -> Counter[str]:
        """How many persons are held, by cell id."""
        return Counter(person.cell for person in self.persons)

    def wards(self) -> tuple[Place, ...]:
        return tuple(place for place in self.places if place.type == "ward")

    def route(self, ward: Place) -> tuple[Place, ...]:
        """The ward's cells and checkpoints in walking order."""
        return tuple(sorted((p for p in self.places if p.parent == ward.id), key=lambda p: p.position))

    def staff(self, post: str, ward: Place) -> tuple[Officer, ...]:
        """Who holds the post in the ward, or in the whole facility."""
        return tuple(o for o in self.officers if post in o.posts and (not o.wards or ward.id in o.wards))


def build(seed: int = 20261122) -> Facility:
    places = _places(seed)
    cells = [place for place in places if place.type == "cell"]
    wards = [place for place in places if place.type == "ward"]
    everybody = iter(names(random.Random(f"{seed}/names"), sum(n for _, n in _STAFF) + _HELD))
    officers = _officers(seed, wards, everybody)
    return Facility(
        "DEMO",
        "巡安演示看守所",
        "Roundsman Demo Detention Centre (synthetic)",
        "KSS",
        places,
        _graded(seed, cells, _persons(seed, cells, everybody)),
        officers,
    )


def made_id(seed: int, what: str) -> str:
    """A UUIDv7 (RFC 9562) of a fixed time, whose random part comes from the seed and the thing's own name:
    one more cell does not change the ids of all that follow it."""
    noise = int.from_bytes(hashlib.sha256(f"{seed}/{what}".encode()).digest())
    milliseconds = int(_MADE_AT.timestamp()) * 1000
    value = milliseconds << 80 | 7 << 76 | (noise >> 62 & 0xFFF) << 64 | 2 << 62 | noise & (1 << 62) - 1
    return str(uuid.UUID(int=value))


def _tag(seed: int, code: str) -> str:
    """Seven bytes, the first 04 (NXP), as an NTAG has them."""
    return "04" + hashlib.sha256(f"{seed}/tag/{code}".encode()).hexdigest()[:12].upper()


def _along(letter: str) -> Iterator[tuple[str, str, str]]:
    """Type, code and name of what one passes in the ward, in walking order."""
    for passed in range(_CELLS + 1):
        for n, (after, name) in enumerate(_CHECKPOINTS, 1):
            if after == passed:
                yield "checkpoint", f"{letter}-CP{n}", name
        if passed < _CELLS:
            code = f"{letter}-{passed + 1:02d}"
            yield "cell", code, f"{passed + 1:02d}室" + ("（女）" if code in _WOMENS else "")


def _places(seed: int) -> tuple[Place, ...]:
    places = []
    for number, letter in enumerate("ABC", 1):
        ward = Place(made_id(seed, f"place/{letter}"), "ward", letter, f"{letter}监区", None, number, ())
        places.append(ward)
        for step, (kind, code, name) in enumerate(_along(letter), 1):
            here = made_id(seed, f"place/{code}")
            places.append(Place(here, kind, code, ward.name + name, ward.id, step, (_tag(seed, code),)))
    return tuple(places)


def _officers(seed: int, wards: list[Place], everybody: Iterator[str]) -> tuple[Officer, ...]:
    officers: list[Officer] = []
    for post, count in _STAFF:
        for n in range(count):
            number = f"{100001 + len(officers)}"
            where = (wards[n % len(wards)].id,) if post in _OF_ONE_WARD else ()
            officers.append(Officer(made_id(seed, f"officer/{number}"), number, next(everybody), (post,), where))
    return tuple(officers)


def _persons(seed: int, cells: list[Place], everybody: Iterator[str]) -> tuple[Person, ...]:
    rng = random.Random(f"{seed}/persons")
    sizes = [rng.randint(5, 10) for _ in cells]
    while sum(sizes) != _HELD:
        n = rng.randrange(len(sizes))
        step = 1 if sum(sizes) < _HELD else -1
        sizes[n] = min(10, max(5, sizes[n] + step))
    # Numbers are given at arrival and cells later: cell mates do not have numbers in a row.
    numbers = iter(rng.sample(range(101, 101 + 2 * _HELD), _HELD))
    persons = []
    for cell, size in zip(cells, sizes, strict=True):
        for _ in range(size):
            number = f"2026-{next(numbers):06d}"
            sex = "f" if cell.code in _WOMENS else "m"
            persons.append(Person(made_id(seed, f"person/{number}"), number, next(everybody), sex, cell.id))
    return tuple(persons)


def _graded(seed: int, cells: list[Place], persons: tuple[Person, ...]) -> tuple[Person, ...]:
    """The persons with the grades of risk that some of each ward have."""
    ward = {cell.id: cell.code[0] for cell in cells}
    grades: dict[str, str] = {}
    for letter in sorted(set(ward.values())):
        those = [person.id for person in persons if ward[person.cell] == letter]
        wanted = [("grade1", _GRAVE[1] if letter == _GRAVE[0] else 0), *_GRADED]
        risks = [grade for grade, count in wanted for _ in range(count)]
        grades |= zip(random.Random(f"{seed}/risks/{letter}").sample(those, len(risks)), risks, strict=True)
    rng = random.Random(f"{seed}/days")
    return tuple(replace(person, risk=grades.get(person.id), days=rng.randint(*_HELD_DAYS)) for person in persons)
