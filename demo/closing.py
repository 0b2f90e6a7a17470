"""What has become of the duties of a shift: told from the rows of the leader's handheld, and checked on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from demo.facility import Facility, Place
from demo.linkage import Linked, missed
from demo.rounds import LOCAL
from demo.stage import Handheld

Row = dict[str, Any]
_TOLD = {"open": "not said yet"}
"""A plan is told of kept windows four at a time."""
STEPS = ("acknowledged", "deployed", "arrived", "handled", "answered", "closed")


class Closing:
    """The rows of a shift that duties are read from."""

    def __init__(self, leader: Handheld, facility: Facility, facts: Linked) -> None:
        self._leader = leader
        self._names = {officer.id: f"{officer.name} ({officer.posts[0]})" for officer in facility.officers}
        self._wards = facility.wards()
        self._facts = facts
        rows = leader.terminal.rows()
        self._of = {row["id"]: row for row in rows}
        self._duties = [row for row in rows if row["kind"] == "duty"]
        self.missed = missed(leader, self._wards[0], facts.window)

    @property
    def report(self) -> Row:
        return self._of[self._facts.report]

    def asked(self) -> list[Row]:
        """The duties that came of the report."""
        return [row for row in self._duties if row["doc"]["cause"] == self._facts.report]

    def handovers(self) -> list[Row]:
        return [self._of[each] for each in self._facts.handovers]

    def windows(self, ward: Place, upto: datetime) -> list[Row]:
        """The windows of a ward that were due by a moment."""
        plans = [row["doc"] for row in self._of.values() if row["kind"] == "patrol.plan"]
        found = [each for doc in plans if doc["place"] == ward.id for each in doc["windows"]]
        return [each for each in found if datetime.fromisoformat(each["due_at"]) <= upto]

    def lines(self, upto: datetime) -> Iterator[str]:
        """The section as it is printed."""
        doc = self.report["doc"]
        yield f"{self._of[self._facts.place]['doc']['code']}: {doc['text']} ({doc['severity']}), state {doc['state']}"
        yield f"  {_at(doc['reported']['at'])}  reported      {self._names[doc['reported']['officer']]}, out of range"
        for step in doc["steps"]:
            yield f"  {_at(step['at'])}  {step['step']:<12}  {self._names[step['officer']]}"
        for row in self.asked():
            yield f"  {self._duty(row)}"
        if self.missed is not None:
            yield from self._window(self.missed)
        for ward in self._wards:
            yield f"{ward.name}  {_counts(self.windows(ward, upto))}"
        yield from self._board()
        for row in self.handovers():
            said = row["doc"]
            yield (f"handover {said['state']}  {_at(said['since'])[:5]}–{_at(said['until'])[:5]}  "
                   f"{' → '.join(self._names[step['by']] for step in said['steps'])}")  # fmt: skip

    def _board(self) -> Iterator[str]:
        """The duty room's board: who is there, and what is not as it should be."""
        board = self._leader.terminal.ask("GET", "/v1/board")
        sorts = "overdue", "unconfirmed", "undelivered", "unacknowledged"
        counts = ", ".join(f"{board['counts'][sort]} {sort}" for sort in sorts)
        yield f"board {board['shift']['name']}: {len(board['on_duty'])} on duty, {board['per_officer']} held for each; {counts}"
        overdue = Counter(each["rule"] or "-" for each in board["overdue"])
        if overdue:
            yield f"  overdue by rule: {', '.join(f'{rule} {count}' for rule, count in sorted(overdue.items()))}"

    def _duty(self, row: Row) -> str:
        doc = row["doc"]
        seen = [f"{_at(step['at'])} {step['step']}" for step in doc["steps"] if step["step"] != "delivered"]
        return f"{doc['rule']:<12} {'+'.join(doc['posts']):<8}  {', '.join(dict.fromkeys(seen))}"

    def _window(self, row: Row) -> Iterator[str]:
        doc = row["doc"]
        yield (f"{self._wards[0].name}, {_at(doc['opens_at'])[:5]}–{_at(doc['due_at'])[:5]} ({doc['rule']}): nobody had "
               "walked it")  # fmt: skip
        for step in doc["steps"]:
            if step["step"] in {"missed", "fulfilled", "completed"}:
                yield f"  {_at(step['at'])}  {step['step'].upper() if step['step'] == 'missed' else step['step']}"
            elif step["step"] == "explained":
                yield f"  {_at(step['at'])}  {step['note']}  {self._names[step['by']]}"

    def claims(self, upto: datetime) -> Iterator[tuple[str, bool]]:
        """What must hold, each with whether it does."""
        doc, asked = self.report["doc"], self.asked()
        posts = sorted({post for row in asked for post in row["doc"]["posts"]})
        steps = [step["step"] for step in doc["steps"]]
        times = [step["at"] for step in doc["steps"]]
        whole = set(steps) == set(STEPS) and steps[-1] == "closed" and times == sorted(times)
        done = {row["state"] for row in asked} == {"completed"} and posts == ["DISC", "LEAD", "MED", "PAT"]
        yield (
            f"one report became {len(asked)} duties of {', '.join(posts)}, all of them done, and is closed",
            whole and done,
        )
        yield "it rang at the nearest officer's handheld, who acknowledged it in time", self._in_time()
        said = [] if self.missed is None else [step["step"] for step in self.missed["doc"]["steps"]]
        kept = self.missed is not None and self.missed["state"] == "completed" and {"missed", "explained"} <= set(said)
        yield "a window that nobody walked was MISSED, and stays so, with its reason, once walked", kept
        away = [each for ward in self._wards[1:] for each in self.windows(ward, upto)]
        right = sum(each["missed"] and each["state"] == "kept" for each in away)
        yield (
            f"{right} windows seemed missed while who walked them was out of range; they are set right",
            right > 0,
        )
        signed = [{step["by"] for step in row["doc"]["steps"]} for row in self.handovers()]
        both = len(signed) == 2 and {row["state"] for row in self.handovers()} == {"signed"}
        yield f"{len(signed)} handovers are signed by two officers each", both and {len(each) for each in signed} == {2}

    def _in_time(self) -> bool:
        """The duty of going there first was done before it was due, by him at whose handheld it rang."""
        (first,) = [row["doc"] for row in self.asked() if row["doc"]["rule"] == "loop.first"]
        acknowledged = next(step for step in self.report["doc"]["steps"] if step["step"] == "acknowledged")
        in_time = bool(acknowledged["at"] <= first["due_at"] and acknowledged["officer"] == first["officer"])
        return in_time and "loop.first" in self._facts.rang


def _at(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(LOCAL):%H:%M:%S}"


def _counts(windows: list[Row]) -> str:
    counted = Counter(each["state"] for each in windows)
    later = sum(each["missed"] and each["state"] == "kept" for each in windows)
    told = ", ".join(f"{count} {_TOLD.get(state, state)}" for state, count in counted.most_common())
    return f"{len(windows)} windows of patrol: {told}" + (
        f"; {later} of them known later than they were due" if later else ""
    )
