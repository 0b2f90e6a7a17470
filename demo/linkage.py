"""What one report sets in motion: played on four handhelds of the shift, with the window of patrol that is missed meanwhile,
and the handovers with which a shift begins and ends."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from demo.facility import Facility, Officer, Place
from demo.seed import SEED
from demo.stage import Handheld, StoryClock
from headless import duties, handing
from headless.chain import rfc3339, uuid7

Actor = Iterator[datetime]
_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_PATROL = frozenset({"P01", "P02", "P05"})


class Stage(Protocol):
    """What of the shift is needed here (`demo.shift.Shift`)."""

    facility: Facility
    clock: StoryClock
    begin: datetime
    end: datetime

    def say(self, who: str, text: str) -> None: ...

    def tick(self) -> None: ...


@dataclass
class Linked:
    """What happened that the end is asked about. ``report``: the record; ``window``: when the one opened that was missed;
    ``handovers``: those that were signed."""

    report: str = ""
    place: str = ""
    window: str = ""
    rang: tuple[str, ...] = ()
    handovers: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Crew:
    """A handheld with whom it is in the hands of."""

    handheld: Handheld
    officer: Officer


class Linkage:
    """A fight in a ward: reported without signal, routed, acknowledged, deployed, handled, answered, closed."""

    def __init__(self, stage: Stage, ward: Place, reporter: Crew, patrol: Crew, medic: Crew, leader: Crew) -> None:
        self._stage = stage
        self._ward = ward
        self._reporter, self._patrol, self._medic, self._leader = reporter, patrol, medic, leader
        self._busy: datetime | None = None
        self.facts = Linked()

    def keeps_busy(self, opens: datetime) -> bool:
        """Whether the ward's patrol does something else than to walk the window that opens at a moment."""
        return opens == self._busy

    def play(self, since: datetime) -> Actor:
        """From the first window of the ward that opens some minutes after a moment."""
        yield since
        windows = windows_of(self._patrol.handheld, self._ward, since + 6 * _MINUTE)
        opens = datetime.fromisoformat(windows[0]["opens_at"]).astimezone(since.tzinfo)
        self.facts.window = windows[0]["opens_at"]
        self._busy = opens
        yield opens - 4 * _MINUTE
        self._report()
        yield opens - 2 * _MINUTE
        self._back()
        yield opens - 2 * _MINUTE + 8 * _SECOND
        self._rings()
        yield opens - 2 * _MINUTE + 26 * _SECOND
        self._does(self._patrol, "acknowledge", {})
        yield opens - 50 * _SECOND
        self._does(self._leader, "deploy", {
            "officers": [], "posts": ["MED"], "instruction": "到场验伤，双方分开", "until": None,
        })  # fmt: skip
        self._does(self._patrol, "arrive", {})
        yield opens + 75 * _SECOND
        self._does(self._medic, "arrive", {})
        yield opens + 6 * _MINUTE
        self._does(self._patrol, "handle", {"disposal": "两人已隔开，分别谈话，一人换铺"})
        yield opens + 7 * _MINUTE
        self._finishes(self._medic, "已验伤，均无需送医")
        yield opens + 9 * _MINUTE
        self._does(self._patrol, "answer", {"answer": "两人均无伤，已和解，同室人员情绪平稳"})
        yield opens + 12 * _MINUTE
        self._finishes(self._reporter, "已与两人谈话，原因为铺位，风险未变")
        self._does(self._leader, "close", {"conclusion": "处置得当"})
        self._stage.say(self._leader.handheld.label, "closes it")

    def _report(self) -> None:
        """Without signal: the other side of the wall."""
        handheld, officer = self._reporter.handheld, self._reporter.officer
        handheld.sync()
        handheld.radio.cut = True
        cell = next(each for each in self._stage.facility.route(self._ward) if each.code.endswith("05"))
        held = [person.id for person in self._stage.facility.persons if person.cell == cell.id]
        pair = random.Random(f"{SEED}/fight").sample(held, 2)
        self.facts.report, self.facts.place = uuid7(), cell.id
        handheld.terminal.capture("dynamic_info", "report", self.facts.report, {
            "category": "dispute", "severity": "urgent", "person": pair[0], "place": cell.id, "involved": pair[1:],
            "text": "两人因铺位动手",
        })  # fmt: skip
        self._stage.say(
            handheld.label, f"{officer.name} ({officer.posts[0]}) reports a fight in {cell.code}, out of range"
        )

    def _back(self) -> None:
        handheld = self._reporter.handheld
        handheld.radio.cut = False
        handheld.sync()
        self._spread()
        asked = [
            row["doc"]
            for row in self._leader.handheld.terminal.rows("duty")
            if row["doc"]["cause"] == self.facts.report
        ]
        told = "; ".join(sorted(f"{'+'.join(doc['posts'])} {doc['asks']['en'].partition(': ')[2]}" for doc in asked))
        self._stage.say(
            handheld.label, f"is back: the report is there, and asks {len(asked)} things of the posts: {told}"
        )

    def _rings(self) -> None:
        """What the nearest officer's handheld does by itself."""
        handheld = self._patrol.handheld
        ringing = {due.record: due for due in duties.ringing(handheld.terminal) if (due.rule or "").startswith("loop.")}
        self.facts.rang = tuple(sorted(due.rule or "" for due in ringing.values()))
        self._stage.say(handheld.label, f"rings for {self._patrol.officer.name}, who was seen nearest: "
                        f"{', '.join(self.facts.rang)}")  # fmt: skip

    def _does(self, crew: Crew, verb: str, fields: dict[str, Any]) -> None:
        """One step of the report, with what his terminal shows of it."""
        crew.handheld.sync()
        crew.handheld.terminal.edit("dynamic_info", verb, self.facts.report, fields)
        self._send(crew)

    def _finishes(self, crew: Crew, result: str) -> None:
        """The work of his own post."""
        crew.handheld.sync()
        post = crew.officer.posts[0]
        for row in crew.handheld.terminal.rows("duty"):
            doc = row["doc"]
            if doc["cause"] == self.facts.report and doc["posts"] == [post] and row["state"] != "completed":
                duties.complete(crew.handheld.terminal, row["id"], result, self.facts.report)
        self._send(crew)

    def _send(self, crew: Crew) -> None:
        crew.handheld.sync()
        self._spread()

    def _spread(self) -> None:
        """What follows from it reaches everybody who has a part in it: in service a stream tells them at once."""
        self._stage.tick()
        for crew in (self._reporter, self._patrol, self._medic, self._leader):
            crew.handheld.sync()

    def explain(self) -> None:
        """The leader says why the window was missed: beside the miss, which stays."""
        handheld = self._leader.handheld
        handheld.sync()
        duty = missed(handheld, self._ward, self.facts.window)
        if duty is not None:
            said = {"why": "other", "note": "处置监室打架，当值一人，离岗六分钟"}
            handheld.terminal.edit("duty", "explain", duty["id"], said)
            handheld.sync()


def missed(handheld: Handheld, ward: Place, opens: str) -> dict[str, Any] | None:
    """The duty that a window of a ward became when nobody had walked it, as a handheld holds it."""
    found = [row for row in handheld.terminal.rows("duty") if row["doc"]["place"] == ward.id]
    return next((row for row in found if row["doc"]["opens_at"] == opens and row["doc"]["rule"] in _PATROL), None)


def windows_of(handheld: Handheld, ward: Place, since: datetime) -> list[dict[str, Any]]:
    """The ward's windows that open from a moment on, as the handheld holds them, the first one first."""
    plans = [row["doc"] for row in handheld.terminal.rows("patrol.plan") if row["doc"]["place"] == ward.id]
    found = [window for plan in plans for window in plan["windows"] if window["opens_at"] >= rfc3339(since)]
    return sorted(found, key=lambda window: str(window["opens_at"]))


def hand_over(
    stage: Stage, ward: Place, handheld: Handheld, pair: tuple[Officer, Officer], hours: tuple[datetime, datetime]
) -> str:
    """Both sign on one handheld: what the outgoing officer leaves, in his words, with the numbers of the register."""
    out, in_ = pair
    handheld.sign_in(in_)
    session = handheld.terminal.session
    assert session is not None
    handheld.sign_in(out)
    handheld.sync()
    draft = handheld.terminal.ask("GET", f"/v1/handover/draft?place={ward.id}")
    second = {"officer": session.officer, "session": session.session}
    record, _ = handing.offer(handheld.terminal, _left(ward, draft, hours), second)
    handheld.sync()
    stage.tick()
    held = sum(each["expected"] for each in draft["counts"])
    stage.say(handheld.label, f"{out.name} hands {ward.name} over to {in_.name} (open duties {len(draft['duties'])}, persons "
              f"at risk {len(draft['risks'])}, held {held}): both sign on it")  # fmt: skip
    return record


def _left(ward: Place, draft: Mapping[str, Any], hours: tuple[datetime, datetime]) -> dict[str, Any]:
    since, until = map(rfc3339, hours)
    return {
        "sort": "shift", "place": ward.id, "since": since, "until": until, "incoming": None,
        "duties": [{"duty": each["duty"], "words": None} for each in draft["duties"]],
        "risks": [{"person": each["person"], "words": f"{each['risk']}，按计划巡视"} for each in draft["risks"]],
        "sick": [{"person": each["person"], "words": "、".join(each["categories"])} for each in draft["sick"]],
        "counts": [{"place": each["place"], "counted": each["expected"]} for each in draft["counts"]],
        "rollcall": None, "words": None,
    }  # fmt: skip
