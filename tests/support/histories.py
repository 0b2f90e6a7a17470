"""Everything that may happen to a facility, step by step by seeded chance: what a verifier must make sense of."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from backend.audit import alarms, backups, epochs
from backend.identity import postings, reports, rotation, terminals
from backend.kernel.clock import to_text
from backend.storage import tables
from backend.storage.engine import sqlite_url
from headless.chain import uuid7
from sync.writing.local import Act
from tests.support import recordings, store, tus
from tests.support.caller import Caller
from tests.support.confirming import add_key, by_hand, signed_by
from tests.support.hand import Hand
from tests.support.world import FACILITY, PERSONS, World

OPERATOR = "the operator"
SIX_DAYS = 6 * 24 * 3_600_000


@dataclass
class History:
    """A world with hands that write. ``owed``: what held operations wait for, with the hand that keeps it back."""

    world: World
    seed: str
    hands: list[Hand] = field(default_factory=list)
    owed: list[tuple[Hand, dict[str, Any]]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.hands += [Hand(self.world).signed_in(name) for name in ("PAT", "DISC")]

    def play(self, steps: int) -> History:
        """So many steps, drawn by chance."""
        for _ in range(steps):
            self.do(self.chance.choice(STEPS))
        return self

    def do(self, *steps: Callable[[History], None]) -> History:
        """These steps."""
        for step in steps:
            self.world.clock.advance(self.chance.choice((0, 1, 700, 60_000)))
            self.done.append(step.__name__)
            step(self)
        return self

    def hand(self) -> Hand:
        return self.chance.choice(self.hands)

    def push(self, hand: Hand, first: int = 1) -> list[dict[str, Any]]:
        """Sends all from ``first`` on; whatever is answered is a part of the history."""
        response = hand.push(first)
        return response.json().get("outcomes", []) if response.status_code == 200 else []


def walks(here: History) -> None:
    """A round, a visit, bytes that are no operation; pushed at once, with what was kept back."""
    hand = here.hand()
    first = 1 if here.chance.random() < 0.5 else max(1, hand.n)
    round_, opened = hand.open()
    hand.visit(round_, here.chance.choice(("C1", "C2", "K")))
    if here.chance.random() < 0.3:
        hand.put(b"poison")
    hand.close_round(round_, after=[opened])
    here.push(hand, first)


def leaves_a_gap(here: History) -> None:
    """Operations of which the first ones are not sent."""
    hand = here.hand()
    for _ in range(here.chance.randint(2, 4)):
        hand.open()
    here.push(hand, hand.n)


def waits(here: History) -> None:
    """An operation that needs one that has not come."""
    hand, needed = here.hand(), uuid7()
    hand.open(after=[needed])
    here.owed.append((here.hand(), {"op": needed}))
    here.push(hand)


def brings_what_was_owed(here: History) -> None:
    """What a held operation waits for."""
    if here.owed:
        hand, said = here.owed.pop()
        hand.open(**said)
        here.push(hand)


def time_runs_out(here: History) -> None:
    """Custody ends for what has waited too long; officers sign in again."""
    here.world.clock.advance(SIX_DAYS)
    here.world.services.commits.end_custody(FACILITY)
    here.hands = [hand.signed_in(("PAT", "DISC")[at]) for at, hand in enumerate(here.hands)]


def desk_moves_a_person(here: History) -> None:
    """A stay ends, another begins."""
    name = here.chance.choice([each for each, cell in PERSONS.items() if cell != "D1"])
    record = here.world.ids[name]
    base = store.one(here.world, tables.records, id=record).version
    cell = here.world.ids[here.chance.choice(("C1", "C2", "D1"))]
    here.world.desk("INT", Act("person", "change", record, {"cell": cell}, base=base))


def desk_takes_a_complaint(here: History) -> None:
    """A person complains of the patrol officer of the other ward, who is left out of it."""
    fields = {
        "person": here.world.ids["p1"], "by": "person", "sort": "complaint", "addressed_to": "procuratorate",
        "sealed": False, "words": "言语侮辱", "against": [here.world.ids["PAT2"]],
        "received_at": to_text(here.world.clock.now()),
    }  # fmt: skip
    here.world.desk("INT", Act("complaint", "receive", uuid7(), fields))


def a_duty_is_reckoned(here: History) -> None:
    """The rules of duty are told of all that there is."""
    here.world.services.clockwork.tick(FACILITY)


def posts_change(here: History) -> None:
    """The medic holds other posts."""
    posts = here.chance.choice((("MED",), ("MED", "DISC"), ("DISC",)))
    postings.change_posts(here.world.services.door, FACILITY, here.world.ids["MED"], posts, OPERATOR)


def desk_decides(here: History) -> None:
    """A person comes, and leaves by a confirmed decision."""
    desk, record = Hand(here.world).signed_in("INT"), uuid7()
    cell = here.world.ids["C1"]
    came = {"number": f"D-{desk.terminal}", "name": "来去", "sex": "m", "cell": cell, "state": "held"}
    left = {"ground": "bail", "document": "取保", "released_at": "2026-11-22T03:14:15.123Z", "note": None}
    opened = desk.write("person", "create", record, came)
    signoff = signed_by(desk, "person", "release", record, 1, left)
    seen = {"state": "held", "cell": cell}
    desk.write("person", "release", record, left, base=1, after=[opened], seen=seen, signoff=signoff)
    here.push(desk)


def a_factor_goes(here: History) -> None:
    """A leader adds a key and takes it away again."""
    ask = by_hand(Hand(here.world).signed_in("LEAD"))
    add_key(ask)
    ask("DELETE", f"/v1/factors/{ask('GET', '/v1/factors', None)['factors'][-1]['factor']}", None)


def desk_disputes(here: History) -> None:
    """A change by one who saw another cell: a conflict."""
    record = here.world.ids["p1"]
    row = store.one(here.world, tables.records, id=record)
    saw, wants = (here.world.ids[code] for code in ("C1", "C2", "D1") if here.world.ids[code] != row.place)
    act = Act("person", "change", record, {"cell": wants}, base=row.version, seen={"cell": saw})
    here.world.desk("INT", act)


def forks(here: History) -> None:
    """A number comes with other bytes; the incarnation ends, the next one begins."""
    hand = here.hand()
    if not store.rows(here.world, tables.operations, terminal=hand.terminal, incarnation=hand.incarnation, n=1):
        return
    name = ("PAT", "DISC")[here.hands.index(hand)]
    hand.frames = []
    for _ in range(3):
        hand.open()
    assert hand.push().status_code == 409
    hand.begin_again()
    hand.signed_in(name)


def is_revoked(here: History) -> None:
    """A terminal is revoked and hands in its queue; another takes its place."""
    at = here.chance.randrange(2)
    hand = here.hands[at]
    hand.open()
    terminals.revoke(here.world.services.door, FACILITY, hand.terminal, "test")
    hand.evacuate()
    here.hands[at] = Hand(here.world).signed_in(("PAT", "DISC")[at])


def attaches_a_file(here: History) -> None:
    """A round with a picture, which comes before it or never; a picture that nothing names is forgotten in time."""
    hand, world = here.hand(), here.world
    content = recordings.picture("JPEG", (16 + len(here.done) % 90, 20))
    if here.chance.random() < 0.7 and store.one(world, tables.terminals, terminal=hand.terminal).state == "active":
        tus.begin_and_add(Caller(world, hand.key), content)
    if here.chance.random() < 0.7:
        hand.changes = {"attachments": [tus.digest(content)]}
        hand.open()
        hand.changes = {}
        here.push(hand, hand.n)
    world.services.tending.tend(FACILITY)


def reports_itself(here: History) -> None:
    """A terminal says how it is."""
    found = terminals.by_id(here.world.services.store, here.hand().terminal)
    here.world.clock.advance(60_000)
    reports.keep(here.world.services.door, found, {"battery": here.chance.randint(0, 100)})


def closes_a_place(here: History) -> None:
    """A place is taken away: its row becomes a tombstone."""
    record = uuid7()
    fields = {"type": "checkpoint", "code": f"X{len(here.done)}", "name": "临时点", "parent": here.world.ids["W"]}
    fields |= {"position": 9, "tags": []}
    here.world.desk("ADM", Act("place", "create", record, fields))
    here.world.desk("ADM", Act("place", "close", record, {"reason": "撤销"}, base=1))


def is_backed_up(here: History) -> None:
    """A copy is made and confirmed; PostgreSQL's own tools cannot copy what is in use."""
    services = here.world.services
    if services.store.sqlite:
        target = here.world.folder / f"copy-{len(here.done)}.sqlite3"
        backups.make(services.store, target)
        backups.confirm(services.door, services.keyring.heads, sqlite_url(target))


def opens_an_epoch(here: History) -> None:
    """Nothing is lost: a failover."""
    services = here.world.services
    epochs.open_epoch(services.door, services.highwater, FACILITY, "failover", OPERATOR)


def shows_a_head_that_is_lost(here: History) -> None:
    """A head of an epoch that has ended, of more leaves than it ever had here; it comes with a push."""
    services, state = here.world.services, store.one(here.world, tables.facilities)
    if state.epoch == 1:
        return
    size = 10_000 + here.chance.randrange(3)
    said = {"facility": FACILITY, "epoch": state.epoch - 1, "size": size, "root": "A" * 43}
    key = services.keyring.head
    header = {"typ": "roundsman-head+jwt", "kid": key.thumbprint}
    head = key.sign(header, said | {"at": "2026-11-22T03:14:15.123Z"})
    hand = here.hand()
    hand.open()
    hand.push(hand.n, None, head=head)


def raises_an_alarm(here: History) -> None:
    """A terminal was shown two heads that do not agree; the one before is settled."""
    services, head = here.world.services, store.one(here.world, tables.facilities).head
    terminal = here.hand().terminal
    if store.rows(here.world, tables.alarms, terminal=terminal):
        alarms.settle(services.door, FACILITY, terminal, "looked into", OPERATOR)
    said = {"held": head, "shown": head, "why": "proof"}
    alarms.raise_alarm(services.door, services.keyring.heads, FACILITY, terminal, said)


def turns_the_key(here: History) -> None:
    """Heads are signed by another key from here on."""
    rotation.rotate(here.world.services.door, here.world.services.keyring.heads)


STEPS: tuple[Callable[[History], None], ...] = (
    walks, walks, leaves_a_gap, waits, brings_what_was_owed, time_runs_out, desk_moves_a_person, desk_disputes, forks,
    is_revoked, closes_a_place, is_backed_up, reports_itself, opens_an_epoch, shows_a_head_that_is_lost,
    raises_an_alarm, turns_the_key, attaches_a_file, posts_change, desk_decides, a_factor_goes,
)  # fmt: skip
