"""The engine of the duty rules at work on a store: nothing twice, nothing forgotten, whoever ticks and however often."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import orjson
import pytest

from backend.domain.calendars import DAY_MS, HOUR_MS, MINUTE_MS
from backend.domain.rules.model import Each, Lasting, OnEvent, Pack, Period, Rule, Scheduled
from backend.duty.clockwork import Clockwork, Sources
from backend.duty.engine.family import Act as Deed
from backend.kernel import failpoints
from backend.kernel.clock import from_text
from backend.kernel.ids import uuid7
from backend.storage import tables
from sync.writing.local import Act
from tests.contract.test_talks import talk
from tests.support import store
from tests.support.hand import Hand
from tests.support.story import match, rule, rungs
from tests.support.world import FACILITY, START, World

ADMITTED, TALKED = match("admission.accepted"), match("talk.recorded")
RULES: tuple[Rule, ...] = (
    rule("A09", OnEvent((ADMITTED,), Each.PERSON), within=24 * HOUR_MS, warn=18 * HOUR_MS, done=(TALKED,),
         chain=rungs(LEAD=0, DIR=240), loud=True),
    rule("T11", Lasting((match("risk.changed", risk="grade1"),), (match("person.released"),), Each.PERSON, 6 * HOUR_MS,
         12 * HOUR_MS), posts=("DISC",)),
    rule("P17", Scheduled(Period.DAY, Each.WARD, 9 * HOUR_MS, 0), posts=("PAT",)),
    rule("P09", OnEvent((match("shift.began"),), Each.FACILITY), posts=("LEAD",)),
)  # fmt: skip


class Fixed:
    """A pack that nobody lays anything over."""

    def in_force(self, *_where: Any) -> Pack:
        return Pack("test", "1", {each.id: each for each in RULES}, None, "digest")


def clockwork(world_: World, patience_ms: int = 0) -> Clockwork:
    """As another process would have it: it knows nothing but what is written down."""
    here = world_.services
    packs: Any = Fixed()
    return Clockwork(here.door, Sources(packs, here.rosters, here.contacts, b"k" * 32), here.desk.serve, patience_ms)


def admitted(world_: World, name: str, cell: str = "C1", risk: str | None = None) -> None:
    """Somebody is registered at the desk."""
    world_.ids[name] = uuid7(world_.clock.now())
    fields = {"number": f"2026-{name}", "name": f"测试{name}", "sex": "m", "cell": world_.ids[cell], "state": "held"}
    (outcome,) = world_.desk("INT", Act("person", "create", world_.ids[name], fields | {"risk": risk}))
    assert outcome["status"] == "applied", outcome


def duties(world_: World) -> list[dict[str, Any]]:
    """All duties as they stand."""
    return [orjson.loads(row.body)["doc"] for row in store.rows(world_, tables.records, kind="duty")]


def outline(world_: World) -> Counter[Any]:
    """What has become of each duty, in words that are the same in another installation."""
    names = {id_: name for name, id_ in world_.ids.items()}
    start = START
    return Counter(
        (
            duty["rule"], names.get(duty["person"] or duty["place"]), from_text(duty["due_at"]) - start, duty["state"],
            tuple((step["step"], from_text(step["at"]) - start) for step in duty["steps"]),
        )
        for duty in duties(world_)
    )  # fmt: skip


def taken(world_: World) -> None:
    """The log verifies, and nothing that the server did was refused."""
    store.verified(world_)
    assert {row.status for row in store.rows(world_, tables.operations)} <= {"applied", "merged"}


def lived(world_: World, every: int, hours: int) -> Counter[Any]:
    """So many hours, ticking so often, as another process each time."""
    h = Hand(world_).signed_in("DISC")
    clockwork(world_).tick(FACILITY)
    begun = world_.clock.now()
    for hour in range(0, hours, 4):
        if hour == 8:
            admitted(world_, "a", risk="grade1")
        if hour == 12:
            admitted(world_, "b")
        if hour == 20:
            assert talk(h, person=world_.ids["a"])["status"] == "applied"
        for at in range(begun + hour * HOUR_MS + every, begun + (hour + 4) * HOUR_MS + 1, every):
            world_.clock.set(at)
            clockwork(world_).tick(FACILITY)
    return outline(world_)


def test_a_duty_is_issued_told_up_its_chain_and_done_by_what_is_recorded(both: World) -> None:
    ticks, h = clockwork(both), Hand(both).signed_in("DISC")
    assert ticks.tick(FACILITY) > 0
    both.clock.advance(MINUTE_MS)
    admitted(both, "a")
    assert ticks.tick(FACILITY) == 1
    both.clock.advance(25 * HOUR_MS)
    ticks.tick(FACILITY)
    (duty,) = [each for each in duties(both) if each["person"] == both.ids["a"]]
    assert (duty["rule"], duty["state"], duty["raised"]) == ("A09", "unconfirmed", ["LEAD"])
    h.signed_in("DISC").pull()
    both.clock.advance(6 * MINUTE_MS)
    ticks.tick(FACILITY)
    assert talk(h, person=both.ids["a"])["status"] == "applied"
    both.clock.advance(MINUTE_MS)
    ticks.tick(FACILITY)
    (duty,) = [each for each in duties(both) if each["person"] == both.ids["a"]]
    told = ["issued", "reminded", "escalated", "unconfirmed", "missed", "completed"]
    assert duty["state"] == "completed" and [each["step"] for each in duty["steps"]] == told
    taken(both)


@pytest.mark.parametrize("hours", [32, pytest.param(7 * 24, marks=pytest.mark.slow)])
def test_a_week_lived_is_a_week_replayed(small: World, tmp_path: Any, templates: Any, hours: int) -> None:
    """Every process but the first knows only what is written down; four hours between ticks, or one."""
    slow = lived(small, 4 * HOUR_MS, hours)
    (tmp_path / "other").mkdir()
    with templates.world("sqlite", tmp_path / "other") as other:
        quick = lived(other, HOUR_MS, hours)
    assert len(slow) > 12 and slow == quick
    taken(small)


def test_several_processes_at_once_repeat_nothing(both: World) -> None:
    clockwork(both).tick(FACILITY)
    for round_ in range(3):
        both.clock.advance(5 * HOUR_MS)
        admitted(both, f"a{round_}")
        several = [threading.Thread(target=clockwork(both).tick, args=(FACILITY,)) for _ in range(3)]
        for each in several:
            each.start()
        for each in several:
            each.join()
    found = Counter((each["rule"], each["person"], each["place"], each["due_at"]) for each in duties(both))
    assert set(found.values()) == {1} and sum(1 for each in found if each[0] == "A09") == 7
    steps = [Counter(step["step"] for step in each["steps"]) for each in duties(both)]
    assert all(each[once] <= 1 for each in steps for once in ("issued", "reminded", "missed", "completed"))
    taken(both)


def test_a_process_leaves_it_to_the_one_that_has_just_ticked(small: World) -> None:
    one, other = (clockwork(small, 30_000) for _ in range(2))
    assert one.tick(FACILITY) > 0
    for name in ("a", "b"):
        small.clock.advance(15_000)
        admitted(small, name)
        assert other.tick(FACILITY) == 0 and one.tick(FACILITY) == 1
    small.clock.advance(30_000)
    admitted(small, "c")
    assert other.tick(FACILITY) == 1 and one.tick(FACILITY) == 0
    taken(small)


@pytest.mark.parametrize("where", ["group.planned", "commit.before"])
def test_what_dies_between_is_done_by_the_next(small: World, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    clockwork(small).tick(FACILITY)
    small.clock.advance(MINUTE_MS)
    admitted(small, "a")

    class Killed(BaseException):
        pass

    def die(name: str) -> None:
        if name == where:
            raise Killed

    before = store.one(small, tables.engines), len(duties(small)), store.rows(small, tables.watches)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(failpoints, "hit", die)
        clockwork(small).tick(FACILITY)
    assert (store.one(small, tables.engines), len(duties(small)), store.rows(small, tables.watches)) == before
    assert clockwork(small).tick(FACILITY) == 1
    taken(small)


def test_a_tick_with_nothing_to_do_writes_nothing(small: World) -> None:
    ticks = clockwork(small)
    ticks.tick(FACILITY)
    size = len(store.leaves(small))
    for _ in range(5):
        small.clock.advance(15_000)
        assert ticks.tick(FACILITY) == 0
    assert len(store.leaves(small)) == size


def test_what_has_no_sense_any_more_is_left_and_what_is_refused_stops_nothing(small: World) -> None:
    """The server acts on records as they stand under the lock: nothing of it ever becomes a conflict."""
    clockwork(small).tick(FACILITY)
    now, duty = small.clock.now(), store.rows(small, tables.records, kind="duty")[0].id
    outcomes = small.services.desk.serve(FACILITY, [
        Deed("duty", "cancel", uuid7(now), {"reason": "x"}, now),
        Deed("duty", "cancel", duty, {"reason": "x"}, now, becomes="cancelled", only=frozenset({"issued"})),
        Deed("duty", "remind", duty, {}, now, only=frozenset({"issued"})),
        Deed("duty", "fulfil", duty, {"record": uuid7(now)}, now),
        Deed("duty", "remind", store.rows(small, tables.records, kind="duty")[1].id, {}, now),
    ])  # fmt: skip
    told = [None if each is None else each["status"] for each in outcomes]
    assert told == [None, "applied", None, "rejected", "applied"]
    assert not store.rows(small, tables.disputes)


def test_what_was_held_before_the_engine_began_is_known(small: World) -> None:
    """A person of long ago is asked for by schedules and states, and not by events that are over."""
    admitted(small, "a", risk="grade1")
    small.clock.advance(3 * DAY_MS + 6 * HOUR_MS + 30 * MINUTE_MS)
    clockwork(small).tick(FACILITY)
    rules = {each["rule"] for each in duties(small) if each["person"]}
    assert rules == {"T11"} and {each["rule"] for each in duties(small)} == {"T11", "P17"}
