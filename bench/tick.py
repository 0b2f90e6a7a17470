"""What a tick of the duty rules costs: CPU of one core, in a large facility, after a short history and after a long one.

2,000 persons in 200 cells of 10 wards, 120 officers, 200 rules at work: those of the product's pack, and copies of them
under other names until there are so many. History is lived with a tick an hour; then each tick of fifteen seconds brings
stops of rounds and changes of risk, and is measured by itself, reading, reckoning and writing. What is printed of it are the
median, the 95th part in a hundred, and the most.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from sqlalchemy import func, select

from backend.domain.calendars import DAY_MS, HOUR_MS
from backend.domain.posts import Post
from backend.domain.rules.model import Gated, Gives, Kept, Pack, Rule, Waiting
from backend.domain.rules.reading import base
from backend.duty.clockwork import Clockwork, Sources
from backend.identity import facilities, officers
from backend.identity.officers import NewOfficer, Officer
from backend.kernel.clock import ManualClock
from backend.kernel.ids import uuid7
from backend.settings import Settings
from backend.storage import tables
from mobile_api.services import EXTENSION, Services
from sync.writing.local import Act
from tools.process import UNHURRIED
from wsgi import create_app

FACILITY = "BENCH"
START = 1_795_276_800_000
WARDS, CELLS, PERSONS, RULES = 10, 20, 2_000, 200
STAFF = {"PAT": 40, "DISC": 40, "MED": 6, "INT": 8, "AUX": 14, "LEAD": 8, "DIR": 2, "AUD": 1, "ADM": 1}
TICK_MS = 15_000
TICKS = 41
AT_ONCE = 200
_IDLE = (Waiting, Gated, Gives, Kept)
_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass(frozen=True)
class Measured:
    """CPU milliseconds of each tick; how many records and watches there were."""

    ticks: Sequence[float]
    records: int
    watches: int

    def at(self, part: float) -> float:
        """The tick below which so large a part of them lies."""
        return sorted(self.ticks)[min(len(self.ticks) - 1, int(len(self.ticks) * part))]


class Fixed:
    """The pack of the bench, whatever a facility says."""

    def __init__(self) -> None:
        product = base()
        working = [each for each in product.rules.values() if not isinstance(each.trigger, _IDLE)]
        rules = {rule.id: rule for rule in _many(working)}
        self.pack = Pack("bench", "1", rules, None, "bench")

    def in_force(self, *_where: Any) -> Pack:
        return self.pack


def _many(working: Sequence[Rule]) -> Iterator[Rule]:
    for at in range(RULES):
        rule, copy = working[at % len(working)], at // len(working)
        yield replace(rule, id=f"{rule.id}~{copy}") if copy else rule


class House:
    """The facility and what happens in it."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(START)
        environ = UNHURRIED | {"ROUNDSMAN_DATA": str(folder), "ROUNDSMAN_LOG_LEVEL": "ERROR"}
        app = create_app(Settings.read(environ), self.clock)
        self.services: Services = app.extensions[EXTENSION]
        self.chance = random.Random(5)
        self.cells: list[tuple[str, int, str]] = []
        self.persons: list[str] = []
        here, packs = self.services, Fixed()
        facilities.found(here.door, FACILITY, "大型看守所", "KSS", here.keyring.head)
        self._populate()
        sources = Sources(packs, here.rosters, here.contacts, b"k" * 32)  # type: ignore[arg-type]
        self.clockwork = Clockwork(here.door, sources, here.desk.serve)
        self._rounds = [self._round(ward) for ward in range(WARDS)]

    def _populate(self) -> None:
        wards = [uuid7(START) for _ in range(WARDS)]
        new = [
            NewOfficer(
                uuid7(START), f"{post}{at}", f"{post} {at}", (Post(post),), "a secret of the bench",
                (wards[at % WARDS],) if post in {"PAT", "DISC", "AUX"} else (),
            )
            for post, count in STAFF.items()
            for at in range(count)
        ]  # fmt: skip
        officers.add(self.services.door, FACILITY, new, _CHEAP)
        self.staff = {each.number: Officer(FACILITY, each.officer, each.number, each.name, each.posts) for each in new}
        self._do("ADM0", [_place(ward, "ward", f"W{at}", None, 0) for at, ward in enumerate(wards)])
        for at, ward in enumerate(wards):
            mine = [(uuid7(START), at, ward) for _ in range(CELLS)]
            self._do("ADM0", [_place(cell, "cell", f"{at}-{n}", ward, n) for n, (cell, *_) in enumerate(mine)])
            self.cells += mine
        self.persons = [uuid7(START) for _ in range(PERSONS)]
        held = [_person(each, at, self.cells[at % len(self.cells)][0]) for at, each in enumerate(self.persons)]
        for first in range(0, PERSONS, AT_ONCE):
            self._do("INT0", held[first : first + AT_ONCE])

    def _do(self, number: str, acts: Sequence[Act]) -> None:
        done = self.services.desk.act(self.staff[number], acts)
        wrong = [each for each in done if each["status"] not in {"applied", "merged"}]
        if wrong:
            raise RuntimeError(f"not applied: {wrong[0]}")

    def _round(self, ward: int) -> str:
        round_ = uuid7(self.clock.now())
        area = next(id_ for _, at, id_ in self.cells if at == ward)
        self._do(f"PAT{ward}", [Act("patrol.round", "open", round_, {"area": area, "companions": []})])
        return round_

    def stops(self, count: int) -> None:
        """Some cells of a ward are looked into."""
        ward = self.chance.randrange(WARDS)
        mine = [cell for cell, at, _ in self.cells if at == ward]
        cell = {"headcount": PERSONS // len(self.cells), "response": "moving", "observation": "calm"}
        fields = {"round": self._rounds[ward], "tag": None, "cell": cell, "note": "bench"}
        chosen = self.chance.sample(mine, count)
        visits = [Act("patrol.visit", "record", uuid7(self.clock.now()), fields | {"place": each}) for each in chosen]
        self._do(f"PAT{ward}", visits)

    def changes(self, count: int) -> None:
        """Some persons are graded anew."""
        heads = [self.chance.choice(self.persons) for _ in range(count)]
        with self.services.store.reading() as connection:
            rows = select(tables.records.c.id, tables.records.c.version).where(tables.records.c.id.in_(heads))
            versions = {row.id: row.version for row in connection.execute(rows)}
        risk = self.chance.choice(["grade1", "grade2", "grade3", None])
        acts = [Act("person", "change", each, {"risk": risk}, versions[each]) for each in versions]
        self._do("INT0", acts)

    def live(self, days: int) -> None:
        """A history: a tick an hour, with twenty stops and two changes."""
        for _ in range(days * DAY_MS // HOUR_MS):
            self.clock.advance(HOUR_MS)
            self.stops(CELLS)
            self.changes(2)
            self.clockwork.tick(FACILITY)

    def measure(self, ticks: int) -> Measured:
        """Ticks of fifteen seconds, each with four stops and one change before it."""
        self.clockwork.tick(FACILITY)
        found = [_cpu(lambda: self.clockwork.tick(FACILITY)) for _ in self._busy(ticks)]
        with self.services.store.reading() as connection:
            records, watches = (
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (tables.records, tables.watches)
            )
        return Measured(found, records, watches)

    def _busy(self, ticks: int) -> Iterator[None]:
        for _ in range(ticks):
            self.clock.advance(TICK_MS)
            self.stops(4)
            self.changes(1)
            yield


def _place(id_: str, type_: str, code: str, parent: str | None, position: int) -> Act:
    fields: dict[str, Any] = {
        "type": type_,
        "code": code,
        "name": code,
        "parent": parent,
        "position": position,
        "tags": [],
    }
    return Act("place", "create", id_, fields)


def _person(id_: str, at: int, cell: str) -> Act:
    fields = {"number": f"B-{at}", "name": f"测试{at}", "sex": "m", "cell": cell, "state": "held"}
    risk = {0: "grade1", 1: "grade2", 2: "grade2", 3: "grade3"}.get(at % 40)
    return Act("person", "create", id_, fields | {"risk": risk, "admitted_at": "2026-09-01T00:00:00.000Z"})


def _cpu(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return (time.process_time() - begun) * 1e3


def run(days: Sequence[int], ticks: int, say: Callable[[str], None]) -> None:
    """Lives so many days in all, measuring after each of them."""
    with tempfile.TemporaryDirectory(prefix="roundsman-bench-") as folder:
        house = House(Path(folder))
        first = _cpu(lambda: house.clockwork.tick(FACILITY))
        say(f"{PERSONS} persons, {sum(STAFF.values())} officers, {RULES} rules; the first tick took {first:.0f} ms")
        lived = 0
        for upto in days:
            house.live(upto - lived)
            lived = upto
            found = house.measure(ticks)
            say(
                f"after {upto:3} days, {found.records:8} records, {found.watches:6} watches: CPU of a tick "
                f"{found.at(0.5):.1f} ms, 95 % {found.at(0.95):.1f}, most {found.at(1):.1f}"
            )
        house.services.store.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.tick", description="CPU of a tick of the duty rules.")
    parser.add_argument("--days", default="1,60", help="after how many days it is measured")
    parser.add_argument("--ticks", type=int, default=TICKS)
    asked = parser.parse_args()
    run([int(each) for each in asked.days.split(",")], asked.ticks, print)


if __name__ == "__main__":
    main()
