"""A terminal on a file (``headless.Terminal``) in the hands of its officers: the product's own terminal under torment."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson

from headless import Broken, Frozen, HeadlessError, Offline, Problem, Queued, Terminal
from torture.chain import Item
from torture.held import Row, short
from torture.journal import Journal, packed
from torture.listening import Listening
from torture.plan import Pace, Plan
from torture.town import SECRET
from torture.wire import Answer
from torture.work import Board, Work

NAPS = 0.3
"""At most so many seconds of a wait are slept: the torture is a rude guest."""


class SteadyClock:
    """The device's clock, wrong by ``wrong`` milliseconds."""

    def __init__(self, boot: str) -> None:
        self.boot = boot
        self.wrong = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(milliseconds=self.wrong)

    def monotonic(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, NAPS))


class Steady:
    """The terminal with its file, as ``Work`` wants a terminal to be."""

    def __init__(self, name: str, journal: Journal, ports: Callable[[], list[int]], seed: str, folder: Path) -> None:
        self.name, self.journal = name, journal
        self.chance = random.Random(seed)
        self._ports = ports
        self.path = folder / f"{name}.sqlite3"
        self.clock = SteadyClock("0b2fbb34-7a4d-4a53-9a7c-5d2f0d3c1e11")
        self.tags: dict[str, str] = {}
        self.counted = 0
        self._noted: set[tuple[int, int]] = set()
        self._known: dict[str, Any] = {}
        self.gone = self.revoked = False
        self.frozen: str | None = None
        self.terminal = self._open()

    def end(self, why: str) -> None:
        """This terminal is never heard of again."""
        self.journal.note("gone", why=why)
        self.gone = True

    def changed(self) -> None:
        """What was read of the file may be another by now."""
        self._known.clear()

    def _remembered(self, name: str, read: Callable[[], Any]) -> Any:
        """Rows and session are asked for at every turn; they change only by what goes over the line."""
        if name not in self._known:
            self._known[name] = read()
        return self._known[name]

    def _open(self) -> Terminal:
        self.line = Listening(self.journal)
        url = f"http://127.0.0.1:{self.chance.choice(self._ports())}"
        made = Terminal(self.path, url, transport=self.line, clock=self.clock)
        if self.path.exists() and made.session is not None:
            self.line.officer = made.session.officer
        return made

    def reopen(self, image: Path | None = None) -> None:
        """Closes and opens the file again, on another port perhaps; an older image of it, if one is given."""
        self.terminal.close()
        if image is not None:
            shutil.copyfile(image, self.path)
        self.terminal = self._open()
        self.changed()

    # As Work wants a terminal to be

    @property
    def seat(self) -> Any:
        session = None if self.gone else self._remembered("session", lambda: self.terminal.session)
        return None if session is None else SimpleNamespace(number=session.number, officer=session.officer)

    @property
    def device(self) -> Any:
        return SimpleNamespace(now=lambda: int(self.clock.now().timestamp() * 1000), wrong=self.clock.wrong)

    @property
    def held(self) -> Any:
        return SimpleNamespace(rows=self._remembered("rows", self._rows))

    def _rows(self) -> dict[str, Row]:
        return {row["id"]: Row(row["partition"], row["version"], row["seq"], b"", row) for row in self.terminal.rows()}

    @property
    def chain(self) -> Any:
        return SimpleNamespace(last=self.counted, items=[])

    def capture(
        self, kind: str, verb: str, record: str, fields: Any, *, tag: str = "good", observed: int | None = None,
        recorded: int | None = None, **other: Any,
    ) -> Item | None:  # fmt: skip
        """Queues an operation; None when it cannot be."""
        if self.seat is None or self.frozen:
            return None
        seen_at = None if observed is None else datetime.fromtimestamp(observed / 1000, UTC)
        op = self.terminal.capture(kind, verb, record, fields, observed_at=seen_at, **other)
        self.tags[op] = tag
        self._note(self.terminal.queue(record=record))
        return Item(0, op, b"", b"", {}, tag)

    def asked(self, _what: str, method: str, path: str, body: Any = None) -> Answer | None:
        """A request in the officer's name; None when it got no whole answer. The line writes down what it hears."""
        try:
            return Answer(200, orjson.dumps(self.terminal.ask(method, path, body)), None, 0)
        except Problem as problem:
            return Answer(problem.status, orjson.dumps(problem.body), None, float(problem.retry_after or 0))
        except HeadlessError:
            return None
        finally:
            self.changed()

    def note_queue(self) -> None:
        """Whatever is new in the queue goes into the journal: what was wrapped again."""
        self._note(self.terminal.queue())

    def note_wrapped(self) -> None:
        """The same, if there is anything."""
        top = (self.terminal.identity.incarnation, self.terminal.store.captured())
        if top[1] and top not in self._noted:
            self.note_queue()

    def _note(self, operations: list[Queued]) -> None:
        for queued in operations:
            place = (queued.incarnation, queued.n)
            if place in self._noted:
                continue
            self._noted.add(place)
            self.counted += 1
            self.journal.note(
                "captured", incarnation=queued.incarnation, n=queued.n, op=queued.op, raw=packed(queued.raw),
                hash=queued.hash, tag=self.tags.get(queued.op, "good"), why=None,
            )  # fmt: skip

    def forget_after(self, last: int, incarnation: int) -> None:
        """An older image stands: numbers beyond its last one are free again."""
        self._noted = {place for place in self._noted if place[0] != incarnation or place[1] <= last}


class SteadyWork(Work):
    """The same work; what is seen of a record is what the terminal itself shows."""

    light: Any

    def mine(self, record: str) -> tuple[int, dict[str, Any], str] | None:
        row = self.light.terminal.view(record)
        if row is None or row.get("partition") is None:
            return None
        state = str(row["state"])
        return int(row["version"]), {"state": state, **row["doc"]}, state

    def previous(self, record: str) -> list[str]:
        """The terminal names it by itself."""
        return []

    def poison(self) -> Item | None:
        """It writes no such thing."""
        return None


class SteadyHand:
    """One terminal on a file, its officers and its thread."""

    def __init__(
        self,
        steady: Steady,
        board: Board,
        wards: Any,
        numbers: list[str],
        plan: Plan,
        pace: Pace,
        over: threading.Event,
    ) -> None:
        self.light, self.numbers, self.plan, self._pace, self._over = steady, numbers, plan, pace, over
        self.work = SteadyWork(steady, board, wards)  # type: ignore[arg-type]
        self.chance = steady.chance
        self.error: BaseException | None = None
        self._image: tuple[Path, int, int] | None = None
        self._thread = threading.Thread(target=self._live, name=steady.name, daemon=True)

    @property
    def counted(self) -> int:
        return self.light.counted

    def start(self) -> None:
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """Whether the thread has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _live(self) -> None:
        try:
            while not self._over.is_set():
                before = self.counted
                self._day()
                self._over.wait(min(max(self._pace.ahead(self.counted - before), 0.02), 0.5))
        except BaseException as error:  # noqa: BLE001 - it is raised in the driver's own thread
            self.error = error
            self._over.set()

    def _day(self) -> None:
        from torture.hands import acts_of

        if self.light.gone:
            self._over.wait(0.2)
            return
        self._trouble()
        if self.light.seat is None and not self.light.revoked:
            self._try(lambda: self.light.terminal.sign_in(self.chance.choice(self.numbers), SECRET))
        acts = acts_of(self.plan, self.work)
        for _ in range(self.chance.randint(1, 5)):
            self.chance.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()
        self._try(lambda: self.light.terminal.push(self.chance.choice((3, 20, 500))))
        self.light.note_wrapped()
        if self.light.seat is not None and self.chance.random() < 0.12:
            self._try(lambda: self.light.terminal.pull(self.chance.choice((20, 500))))

    def _trouble(self) -> None:
        chance, on = self.chance, self.plan.on
        if on("clocks") and chance.random() < self.plan.rare(0.03):
            self.light.clock.wrong = chance.choice((0, -3_600_000, 3_600_000, 90_000))
        if on("swap") and chance.random() < self.plan.rare(0.03) and not self.light.revoked:
            self._try(lambda: self.light.terminal.sign_in(chance.choice(self.numbers), SECRET))
        if chance.random() < self.plan.rare(0.05):
            self.light.reopen()
        if on("restore") and chance.random() < self.plan.rare(0.02):
            self.light.terminal.prune()
        if on("repair") and chance.random() < self.plan.rare(0.01) and self.light.seat is not None:
            self._try(self.light.terminal.repair)
        if on("copies") and not self.light.revoked:
            self._copies()

    def _copies(self) -> None:
        light, often = self.light, self.plan.rare(0.01)
        draw = self.chance.random()
        if draw < often:
            light.terminal.close()
            place = light.path.with_suffix(".image")
            shutil.copyfile(light.path, place)
            light.reopen()
            self._image = (place, light.terminal.identity.incarnation, light.terminal.store.captured())
            light.journal.note("copied", incarnation=self._image[1], last=self._image[2])
        elif draw < 1.5 * often and self._image is not None:
            place, incarnation, last = self._image
            self._image = None
            identity = light.terminal.identity
            if identity.incarnation != incarnation or identity.frozen is not None:
                return
            light.journal.note("went_back", incarnation=incarnation, last=last, had=light.terminal.store.captured())
            light.forget_after(last, incarnation)
            light.reopen(place)

    def _try(self, step: Callable[[], object]) -> bool:
        """A step that may fail for a reason which the protocol knows; whether it went well."""
        light = self.light
        light.changed()
        try:
            step()
            return True
        except Frozen:
            return self._renew()
        except Offline:
            return False
        except Broken as broken:
            light.journal.note("broken", why=str(broken))
        except Problem as problem:
            light.revoked = light.revoked or problem.code == "terminal.revoked"
            light.revoked = light.revoked and problem.code != "evacuation.not_ordered"
            if problem.code == "incarnation.taken":
                light.end(problem.code)
            if problem.code in ("session.expired", "session.missing"):
                light.terminal.store.close_session()
        except HeadlessError as error:
            light.journal.note("headless", why=f"{type(error).__name__}: {error}")
        finally:
            light.changed()
        return False

    def _renew(self) -> bool:
        light = self.light
        try:
            light.terminal.renew()
            light.note_queue()
        except Frozen:
            light.end("incarnation.taken")
        except HeadlessError as error:
            light.journal.note("headless", why=f"renew: {type(error).__name__}: {error}")
        return False

    # Quiet

    def hush(self) -> None:
        """It listens to no stream, and offers by itself what no server took."""

    def settle_down(self) -> bool:
        """One more try to empty the queue; whether there is nothing left that could be sent."""
        light = self.light
        if light.gone:
            return True
        if light.revoked:
            done = self._try(self._evacuate)
            return done or light.gone
        done = self._try(light.terminal.push)
        light.note_queue()
        return done and not light.terminal.waiting()

    def _evacuate(self) -> None:
        done = self.light.terminal.evacuate()
        if done.receipt is not None:
            self.light.end("wiped")

    @property
    def waits(self) -> bool:
        """Whether anything is in custody."""
        return not (self.light.gone or self.light.revoked) and bool(self.light.terminal.held())

    def read(self) -> bool:
        """Pulls to the end, and repairs."""
        light = self.light
        if light.gone or light.revoked:
            return True
        for _ in range(5):
            for number in self.numbers:
                if light.seat is None:
                    self._try(partial(light.terminal.sign_in, number, SECRET))
            if light.seat is not None and self._try(light.terminal.pull):
                return True
        return False

    def dump(self) -> None:
        """What it holds at the end."""
        light = self.light
        ended = light.gone or light.revoked
        rows: dict[str, dict[str, list[Any]]] = {}
        for row in [] if ended else light.terminal.rows():
            rows.setdefault(row["partition"], {})[row["id"]] = [row["version"], short(orjson.dumps(row))]
        seat = light.seat
        light.journal.note(
            "final", incarnation=0 if ended else light.terminal.identity.incarnation, queue=[], rows=rows,
            reader=None if ended or seat is None else seat.officer, revoked=light.revoked, gone=light.gone, frozen=None,
        )  # fmt: skip
