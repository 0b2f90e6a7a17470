"""A terminal in memory in the hands of its officers: work, signal, no signal, and what goes wrong with a device."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from torture import cases, reader, renewal
from torture.chain import Item
from torture.ear import Ear
from torture.light import Light
from torture.plan import Pace, Plan
from torture.work import Board, Work

CASES = (
    (1.5, cases.report), (2.0, cases.amend), (1.6, cases.handle), (0.8, cases.talk), (1.0, cases.duty), (0.3, cases.release),
)  # fmt: skip
YEAR = 365 * 86_400_000
NO_SIGNAL = 0.05
"""Seconds before a terminal that got no answer tries again."""


Acts = list[tuple[float, Callable[[], object]]]


def acts_of(plan: Plan, work: Work) -> Acts:
    """What may be done at a terminal under a plan, with its weight."""
    acts: Acts = [(4.0, work.round)]
    if plan.on("edits"):
        acts += [(6.0, work.person), (0.5, work.arrival), (0.5, work.early)]
        acts += [(weight, partial(act, work)) for weight, act in CASES]
    for name, weight, act in (
        ("settle", 2.5, work.settle), ("escrow", 0.7, work.word_on_escrow), ("dependents", 0.8, work.dependent),
        ("bad", 0.5, work.bad), ("poison", 0.4, work.poison),
    ):  # fmt: skip
        if plan.on(name):
            acts.append((weight, act))
    return acts


class Hand:
    """One terminal, its officers and its thread. ``counted`` says how many operations were captured so far."""

    def __init__(
        self, light: Light, work: Work, numbers: list[str], plan: Plan, pace: Pace, over: threading.Event
    ) -> None:  # fmt: skip
        self.light, self.work, self.numbers, self.plan, self._pace, self._over = light, work, numbers, plan, pace, over
        self.chance = light.chance
        self.error: BaseException | None = None
        self._image: renewal.Copy | None = None
        self._ear: Ear | None = None
        self._thread = threading.Thread(target=self._live, name=light.name, daemon=True)

    @property
    def board(self) -> Board:
        return self.work.board

    @property
    def counted(self) -> int:
        return self.light.chain.last

    def start(self) -> None:
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """Whether the thread has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _live(self) -> None:
        try:
            while not self._over.is_set():
                before = self.light.chain.last
                heard = self._day()
                made = max(0, self.light.chain.last - before)
                least = 0.005 if heard and made else NO_SIGNAL
                self._over.wait(min(max(self._pace.ahead(made), least), 0.5))
        except BaseException as error:  # noqa: BLE001 - it is raised in the driver's own thread
            self.error = error
            self._over.set()

    def _day(self) -> bool:
        """Some work without signal, then some minutes with it. Whether there was any."""
        if self.light.gone:
            return False
        self._trouble()
        if self.light.seat is None and not self.light.revoked:
            self.light.sign_in(self.chance.choice(self.numbers))
        for _ in range(self.chance.randint(1, 4)):
            self._capture()
        heard = [self._send() for _ in range(self.chance.randint(1, 3))]
        self._hear()
        if not self.light.revoked and self.light.seat is not None and self.chance.random() < 0.35:
            self._pull()
        return any(heard)

    def _pull(self) -> None:
        limit, pages = self.chance.choice((7, 60, 500, 2000)), self.chance.choice((1, 3, 400))
        whole = self.plan.on("snapshots") and self.chance.random() < 0.6
        reader.pull(self.light, limit, pages, snapshots=whole)

    def _capture(self) -> None:
        acts = acts_of(self.plan, self.work)
        for _ in range(4):
            if self.chance.choices([act for _, act in acts], [weight for weight, _ in acts])[0]():
                return

    # Signal

    def _send(self) -> bool:
        """One push; whether it was answered, or there was nothing to send."""
        light = self.light
        if light.frozen or light.gone:
            return True
        waiting = light.chain.waiting()
        if not waiting:
            return True
        draw = self.chance.random()
        first = waiting[0].n
        last = min(waiting[-1].n, first + self.chance.choice((1, 3, 10, 40, 499)) - 1)
        last = _unbroken(light.chain.items, first, last)
        if self.plan.on("twice") and draw < 0.12:
            return self._twice(first, last)
        if self.plan.on("resend") and draw < 0.3 and first > 1:
            first = _begin_unbroken(light.chain.items, max(1, first - self.chance.randint(1, 30)), first)
        elif self.plan.on("gaps") and draw < 0.3 + self.plan.rare(0.06) and last - first > 2:
            first = self.chance.randint(first + 1, last)
        return light.push(first, last) is not None

    def _twice(self, first: int, last: int) -> bool:
        """The same push on two connections at once."""
        other = threading.Thread(target=lambda: self.light.push(first, last, wire=self.light.second))
        other.start()
        answer = self.light.push(first, last)
        other.join()
        return answer is not None

    def _hear(self) -> None:
        """What was escrowed or refused is talked about; what is held is asked for."""
        for item in self.light.chain.items[-120:]:
            if item.status == "escrowed" and item.op and item.op not in self.board.escrowed:
                self.board.escrowed.append(item.op)
        if self.chance.random() < 0.2:
            self.light.fetch()

    # Trouble

    def _trouble(self) -> None:
        light, chance, on = self.light, self.chance, self.plan.on
        if light.frozen:
            renewal.renew(light)
        if light.revoked or light.frozen:
            return
        if on("clocks") and chance.random() < self.plan.rare(0.03):
            light.device.wrong = chance.choice((0, 0, -3_600_000, 3_600_000, -5 * YEAR, 5 * YEAR, 90_000, -90_000))
            light.journal.note("clock", wrong=light.device.wrong)
        if on("clocks") and chance.random() < self.plan.rare(0.02):
            light.device.restart()
        if on("swap") and chance.random() < self.plan.rare(0.04):
            light.sign_in(chance.choice(self.numbers)) if chance.random() < 0.6 else light.sign_out()
        if on("repair") and chance.random() < self.plan.rare(0.03):
            reader.damage(light)
            reader.repair(light)
        if on("streams") and light.seat is not None and not self._listens and chance.random() < self.plan.rare(0.1):
            self._ear = Ear(light, light.seat, chance.uniform(0.5, 8))
        if on("upgrade") and chance.random() < 0.1:
            light.chain.take_up()
        if on("copies"):
            self._copies()
        if on("loss") and chance.random() < self.plan.rare(0.008):
            self._lose()

    def _copies(self) -> None:
        draw = self.chance.random()
        often = self.plan.rare(0.008)
        if draw < often:
            self._image = renewal.copy(self.light)
        elif draw < 1.4 * often and self._image is not None:
            renewal.go_back(self.light, self._image)
            self._image = None

    def _lose(self) -> None:
        """Some of what waits is destroyed on the device: never sent by it again."""
        if "/v1/sync/outcomes" not in self.light.routes:
            return
        waiting = self.light.chain.waiting()
        if len(waiting) < 4:
            return
        first = self.chance.randrange(len(waiting) - 1)
        gone = waiting[first : first + self.chance.randint(1, 3)]
        for item in gone:
            item.lost = True
        numbers = [item.n for item in gone]
        self.light.journal.note("lost", incarnation=self.light.chain.incarnation, numbers=numbers)

    @property
    def _listens(self) -> bool:
        return self._ear is not None and self._ear.listens

    # Quiet

    def hush(self) -> None:
        """Ends its stream, and offers again what no server took."""
        if self._ear is not None:
            self._ear.close()
        self.light.chain.take_up()

    @property
    def waits(self) -> bool:
        """Whether anything is in custody."""
        return not (self.light.gone or self.light.revoked) and any(
            item.status == "held" and not item.lost for item in self.light.chain.items
        )

    def read(self) -> bool:
        """Pulls to the end, signing in again where a restore has forgotten the session; repairs what is spoilt."""
        light = self.light
        for _ in range(5):
            if light.gone or light.revoked:
                return True
            if (light.seat is not None or self._signed_in()) and reader.pull(
                light, 1000, snapshots=self.plan.on("snapshots")
            ):
                reader.repair(light)
                return True
        return False

    def _signed_in(self) -> bool:
        """Whether one of its officers could sign in: the others may have been revoked."""
        return any(self.light.sign_in(number) for number in self.numbers)

    def dump(self) -> None:
        """What it holds at the end."""
        light = self.light
        queue = [[item.n, item.op, item.status, item.lost] for item in light.chain.items]
        light.journal.note(
            "final", terminal=light.chain.terminal, incarnation=light.chain.incarnation, queue=queue,
            reader=light.seat.officer if light.seat else None, epoch=light.epoch, revoked=light.revoked, gone=light.gone,
            frozen=light.frozen, rows=light.held.dump(), cursors=light.held.cursors, head=light.head,
        )  # fmt: skip

    def settle_down(self) -> bool:
        """One more try to empty the queue; whether there is nothing left that could be sent."""
        light = self.light
        if light.gone:
            return True
        if light.frozen and not renewal.renew(light):
            return False
        waiting = light.chain.waiting()
        while waiting:
            first = waiting[0].n
            light.push(first, _unbroken(light.chain.items, first, min(waiting[-1].n, first + 499)))
            if light.frozen or light.gone:
                return light.gone
            left = light.chain.waiting()
            if len(left) >= len(waiting):
                return False
            waiting = left
        if light.revoked and not light.gone:
            self._ask_for_the_end()
        light.fetch()
        return True

    def _ask_for_the_end(self) -> None:
        """A revoked terminal that has nothing to send asks for its orders: with its last operation, or with none."""
        items = self.light.chain.items
        again = bool(items) and not items[-1].lost and self.chance.random() < 0.5
        self.light.push(len(items) if again else len(items) + 1, len(items))


def _unbroken(items: list[Item], first: int, last: int) -> int:
    """The last number of those that can be sent in one push: what was lost ends it, and 3 MB."""
    size = 0
    for item in items[first - 1 : last]:
        size += len(item.raw) + 80
        if item.lost or item.kept or (size > 3_000_000 and item.n > first):
            return item.n - 1
    return last


def _begin_unbroken(items: list[Item], first: int, last: int) -> int:
    for item in reversed(items[first - 1 : last]):
        if item.lost or item.kept:
            return item.n + 1
    return first
