"""What must not matter to the engine: how often it runs, whether it was started anew, in what order news arrives."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.calendars import DAY_MS, HOUR_MS, MINUTE_MS
from backend.domain.rules.model import Before, Counted, Each, End, Lasting, OnEvent, Period, Rule, Scheduled, Windows
from backend.kernel.clock import to_text
from backend.kernel.events import Event
from tests.support.story import START, Story, match, rule, rungs

ADMITTED, TALKED, LEFT = match("admission.accepted"), match("talk.recorded"), match("person.released")
RULES: tuple[Rule, ...] = (
    rule("A09", OnEvent((ADMITTED,), Each.PERSON), within=6 * HOUR_MS, warn=4 * HOUR_MS, done=(TALKED,),
         chain=rungs(LEAD=0, DIR=60)),
    rule("L04", OnEvent((match("mood.abnormal"),), Each.PERSON), repeats=2 * HOUR_MS, done=(TALKED,)),
    rule("T11", Lasting((match("risk.changed", risk="grade1"),), (match("risk.changed", risk="grade3"), LEFT), Each.PERSON,
         5 * HOUR_MS, 7 * HOUR_MS), done=(match("risk.assessed"),)),
    rule("L01", Before((match("talk.follow_up"),), (LEFT,), Each.PERSON, "on", 9 * HOUR_MS), within=None, done=(TALKED,)),
    rule("P15", Counted((match("yard.exercised"),), (), (), Each.PLACE, Period.DAY, 60, "minutes", 16 * HOUR_MS)),
    rule("P17", Scheduled(Period.SHIFT, Each.WARD, HOUR_MS, 3 * HOUR_MS), until=End.SHIFT, within=None),
    rule("P09", OnEvent((match("shift.began"),), Each.FACILITY), done=(match("handover.signed"),)),
    rule("P01", Windows(15 * MINUTE_MS, 60 * MINUTE_MS, ()), within=None, done=()),
)  # fmt: skip
PERSONS, CELLS = ("p1", "p2", "p3"), ("c1", "c2")
happenings = st.tuples(
    st.integers(0, 60 * 60).map(lambda minute: START + minute * MINUTE_MS),
    st.sampled_from([
        ("admission.accepted", {}), ("talk.recorded", {}), ("mood.abnormal", {}), ("risk.changed", {"risk": "grade1"}),
        ("risk.changed", {"risk": "grade3"}), ("risk.assessed", {}), ("talk.follow_up", {"on": 11}),
        ("talk.follow_up", {"on": 30}), ("yard.exercised", {"minutes": 40}), ("patrol.visited", {"cell": True}),
        ("person.released", {}), ("handover.signed", {}),
    ]),
    st.sampled_from(PERSONS),
    st.sampled_from(CELLS),
)  # fmt: skip
stories = st.lists(happenings, max_size=25).map(lambda each: sorted(each, key=lambda one: one[0]))
UNTIL = START + 5 * DAY_MS // 2


def event(at: int, name: str, facts: dict[str, Any], person: str, cell: str) -> Event:
    said = {key: to_text(at + value * HOUR_MS) if key == "on" else value for key, value in facts.items()}
    placed = name.startswith(("yard", "patrol"))
    about = None if placed or name == "handover.signed" else person
    return Event(name, at, about, cell if placed else None, said)


def told(happened: list[Any], ticks: list[int], *, restarts: bool = False) -> Story:
    """The story with a tick at each of some moments and one at its end."""
    story = Story(RULES)
    story.ward("W", *CELLS)
    for person, cell in zip(PERSONS, (*CELLS, "c1"), strict=True):
        story.person(person, cell)
    left = list(enumerate(happened))
    for tick in [*sorted(ticks), UNTIL]:
        while left and left[0][1][0] <= tick:
            at, (moment, (name, facts), person, cell) = left.pop(0)
            story.hears(story.version("any", f"r{at}", moment), event(moment, name, facts, person, cell))
        story.until(tick)
        if restarts:
            story.restarted()
    return story


@settings(max_examples=30, deadline=None)
@given(stories, st.lists(st.integers(0, 60 * 60).map(lambda minute: START + minute * MINUTE_MS), max_size=12))
def test_it_does_not_matter_how_often_it_runs(happened: list[Any], ticks: list[int]) -> None:
    """Not even the order of what is done, but for acts of one moment that another moment would have separated."""
    seldom, often = told(happened, []), told(happened, ticks, restarts=True)
    assert seldom.acts == often.acts
    assert dict(seldom.engine.memory.items()) == dict(often.engine.memory.items())


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 600), st.sampled_from(["admission.accepted", "talk.recorded", "risk.changed"]),
                       st.sampled_from(PERSONS)), max_size=10, unique_by=lambda each: (each[0], each[2])),
    st.permutations(range(10)),
)  # fmt: skip
def test_in_what_order_news_arrives_decides_nothing(happened: list[Any], order: list[int]) -> None:
    """What happened in ten hours and arrives in the hour after, in any order: the same duties, the same of them done."""
    ends = []
    for arrival in (range(10), order):
        story = Story(RULES[:2])
        for number in (each for each in arrival if each < len(happened)):
            minute, name, person = happened[number]
            heard = START + 10 * HOUR_MS + arrival.index(number) * MINUTE_MS
            story.happens(name, START + minute * MINUTE_MS, person=person, heard=heard, record=f"r{number}")
        story.until(START + 12 * HOUR_MS)
        ends.append(
            {(each.rule, each.said["person"], each.due, bool(each.at("fulfil"))) for each in story.duties.values()}
        )
    assert ends[0] == ends[1]


def test_memory_does_not_grow_with_history() -> None:
    story = Story(RULES)
    story.ward("W", *CELLS)
    for person in PERSONS:
        story.person(person, "c1")
    sizes = []
    for day in range(60):
        for hour in range(0, 24, 3):
            at = START + day * DAY_MS + hour * HOUR_MS
            story.happens("mood.abnormal", at, person="p1")
            story.happens("talk.recorded", at + MINUTE_MS, person="p1")
            story.happens("yard.exercised", at, place="c1", minutes=20)
        story.until(START + (day + 1) * DAY_MS)
        sizes.append(len(story.engine.memory))
    assert max(sizes[30:]) <= max(sizes[10:30])
