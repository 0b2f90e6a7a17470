"""The life of a duty after it was asked for: issued ahead, reminded of, told up its chain, unconfirmed, missed, done.

In memory a duty is ``{o: owner, s: subject, x: part, r: rule, st: state, f: opens, u: due, po: posts, of: officer, i: what is
issued (until then), w: [person, place, cause], ch: [posts of each rung], as: officers who were away when it was due,
todo: [[moment, what, number] …]}``, woken for the first of ``todo``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backend.domain.calendars import DAY_MS, HOUR_MS, MINUTE_MS
from backend.duty.engine.course import Course
from backend.duty.engine.family import Act, Ask, Open
from backend.duty.engine.memory import Body
from backend.kernel.clock import from_text, to_text
from backend.kernel.events import Version
from backend.kernel.ids import named

PAGE = "d"
KIND = "duty"
AHEAD_MS = DAY_MS
"""How long before it opens a duty is issued, so that a terminal that is away knows of it (local default)."""
AWAY_MS = 5 * MINUTE_MS
"""A terminal is away when nothing was heard of it since so long before a duty was due (local default)."""
GRACE_MS = 5 * MINUTE_MS
"""How long after it was due, or after a terminal came back, what was done may still be on its way (local default)."""
UNCONFIRMED_MS = 4 * HOUR_MS
"""How long a duty stays unconfirmed at most (local default)."""
LOOK_MS = GRACE_MS
"""How often it is asked whether the terminals of an unconfirmed duty are back: no later than its grace would end."""
KEPT_MS = 7 * DAY_MS
"""How long after it was due a missed duty is followed, so that what does it late is noted on it."""
CLOSED = frozenset({"completed", "cancelled"})
_BECOMES = {"unconfirm": "unconfirmed", "miss": "missed", "fulfil": "completed", "cancel": "cancelled"}
_UNDECIDED = frozenset({"issued", "acknowledged", "unconfirmed"})
_OPEN, _WAITED_FOR = frozenset({"issued", "acknowledged"}), _UNDECIDED | {"missed"}
_ONLY = {
    "remind": _OPEN, "unconfirm": _OPEN, "miss": _UNDECIDED, "cancel": _UNDECIDED,
    "escalate": _WAITED_FOR, "fulfil": _WAITED_FOR,
}  # fmt: skip


class Duties:
    """All duties that are followed. ``again``: asks once more for one that was not done; ``done``: is told of each that was."""

    def __init__(self, course: Course, again: Callable[[Body], None], done: Callable[[Open, int], None]) -> None:
        self._course = course
        self._again = again
        self._done = done
        self._of: dict[tuple[str, str], set[str]] = defaultdict(set)
        for key in course.memory.page(PAGE):
            self._index(key.partition("|")[2], course.memory.get(key))

    def ask(self, ask: Ask) -> str:
        """Asks for a duty; what was due before the engine began, and what was asked before, is left."""
        course = self._course
        duty = named(ask.due, f"{course.ports.facility}|{ask.owner}|{ask.subject}|{ask.part}|duty")
        if ask.due < course.began or self._body(duty) is not None:
            return duty
        body: Body = {
            "o": ask.owner, "s": ask.subject, "x": ask.part, "r": ask.rule, "st": "planned", "f": ask.opens, "u": ask.due,
            "po": list(ask.posts), "of": ask.officer, "i": issue_of(ask), "w": [ask.person, ask.place, ask.cause],
            "ch": [list(posts) for _, posts in ask.chain],
        }  # fmt: skip
        ahead = ask.opens if ask.secret else ask.opens - AHEAD_MS
        self._keep(duty, {**body, "todo": [[ahead, "issue", 0]]})
        self._index(duty, body)
        return duty

    def one(self, duty: str) -> Open | None:
        body = self._body(duty)
        return None if body is None else _open(duty, body)

    def of(self, owner: str, subject: str) -> list[Open]:
        """The duties of an owner on a subject, the earliest due first."""
        found = (self.one(duty) for duty in self._of.get((owner, subject), ()))
        return sorted((each for each in found if each is not None), key=lambda each: (each.due, each.id))

    def fulfil(self, duty: str, record: str, when: int) -> None:
        """What a duty asks was done at ``when``, as a record tells."""
        body = self._body(duty)
        if body is None:
            return
        if body["st"] == "planned":
            self._issue(duty, body)
        self._act(duty, "fulfil", {"record": record}, when)
        self._close(duty, when)

    def cancel(self, duty: str, reason: str) -> None:
        """Calls a duty off that is not missed; one that was not issued yet was never asked for."""
        body = self._body(duty)
        if body is None or body["st"] == "missed":
            return
        if body["st"] != "planned":
            self._act(duty, "cancel", {"reason": reason})
        self._drop(duty)

    def refused(self, duty: str) -> None:
        """What was done to a duty was not taken: it is followed no longer."""
        self._drop(duty)

    def hear(self, version: Version) -> None:
        """Takes what has become of a duty by others' hands: done, handed on, called off; or asked for by a leader."""
        body, doc = self._body(version.id), version.doc
        if version.officer == self._course.ports.system:
            self._told(version, body)
            return
        if body is None:
            if version.version == 1:
                self._adopt(version)
        elif version.state == "completed":
            self._close(version.id, min(version.observed_at, self._course.now))
        elif version.state in CLOSED or not doc:
            self._drop(version.id)
        elif body["st"] != "planned":
            changed = {**body, "st": version.state, "po": list(doc["posts"]), "of": doc["officer"]}
            if version.state == "missed" and body["st"] != "missed":
                changed["todo"] = _after_a_miss(body)
            self._keep(version.id, changed)

    def _told(self, version: Version, body: Body | None) -> None:
        """The server itself has told who stands higher in the chain, because nobody had received it: no need to again."""
        level = version.doc.get("level", 0)
        if body is not None and any(what == "rung" and number <= level for _, what, number in body["todo"]):
            todo = [each for each in body["todo"] if each[1] != "rung" or each[2] > level]
            self._keep(version.id, {**body, "todo": todo})

    def wake(self, duty: str, body: Body) -> None:
        """The first of what is to be done with a duty is due."""
        todo = [each for each in body["todo"] if each[0] > self._course.now]
        for _, what, number in (each for each in body["todo"] if each[0] <= self._course.now):
            present = self._body(duty)
            if present is None:
                return
            _STEPS[what](self, duty, {**present, "todo": todo}, number)
            present = self._body(duty)
            todo = present["todo"] if present is not None else []

    def _issue(self, duty: str, body: Body, _number: int = 0) -> None:
        said = body["i"]
        self._course.act(Act(KIND, "issue", duty, said, self._course.now, creates=True, becomes="issued"))
        kept = {name: value for name, value in body.items() if name != "i"}
        self._keep(duty, {**kept, "st": "issued", "todo": _ahead(said, self._course.now)})

    def _adopt(self, version: Version) -> None:
        """A leader asked for it: its clock is kept as that of any other."""
        doc = version.doc
        if version.state in CLOSED or from_text(doc["due_at"]) < self._course.began:
            return
        about = next((f"{sort}/{doc[sort]}" for sort in ("person", "place") if doc[sort]), None)
        body: Body = {
            "o": "", "s": about or f"facility/{self._course.ports.facility}", "x": "", "r": None, "st": version.state,
            "f": from_text(doc["opens_at"]), "u": from_text(doc["due_at"]), "po": list(doc["posts"]), "of": doc["officer"],
            "w": [doc["person"], doc["place"], doc["cause"]], "ch": [rung["posts"] for rung in doc["chain"]],
        }  # fmt: skip
        self._keep(version.id, {**body, "todo": _ahead(doc, self._course.now)})
        self._index(version.id, body)

    def _remind(self, duty: str, body: Body, _number: int) -> None:
        if body["st"] in _UNDECIDED:
            self._act(duty, "remind", {})
        self._keep(duty, body)

    def _escalate(self, duty: str, body: Body, number: int) -> None:
        self._act(duty, "escalate", {"posts": body["ch"][number - 1], "level": number})
        self._keep(duty, body)

    def _due(self, duty: str, body: Body, _number: int) -> None:
        """Its time is over: it is unconfirmed while those who are asked are away, and has a grace otherwise."""
        now, todo = self._course.now, body["todo"]
        if body["st"] not in _UNDECIDED:
            self._keep(duty, body)
        elif self._contact(asked := self._asked(body), body["u"] - AWAY_MS) is not None:
            self._keep(duty, {**body, "todo": _with(todo, [max(now, body["u"] + GRACE_MS), "miss", 0])})
        else:
            self._act(duty, "unconfirm", {})
            end = [max(now, body["u"] + UNCONFIRMED_MS), "miss", 0]
            todo = _with(todo, [now + LOOK_MS, "look", 0], end)
            self._keep(duty, {**body, "st": "unconfirmed", "as": asked, "todo": todo})

    def _look(self, duty: str, body: Body, _number: int) -> None:
        now, todo = self._course.now, body["todo"]
        back = self._contact(body["as"], body["u"]) if body["st"] == "unconfirmed" else None
        if body["st"] != "unconfirmed":
            self._keep(duty, body)
        elif back is None:
            self._keep(duty, {**body, "todo": _with(todo, [now + LOOK_MS, "look", 0])})
        else:
            rest = [each for each in todo if each[1] != "miss"]
            at = max(now, min(back + GRACE_MS, body["u"] + UNCONFIRMED_MS))
            self._keep(duty, {**body, "todo": _with(rest, [at, "miss", 0])})

    def _miss(self, duty: str, body: Body, _number: int) -> None:
        if body["st"] in _UNDECIDED:
            self._act(duty, "miss", {})
            self._keep(duty, {**body, "st": "missed", "todo": _after_a_miss(body)})
            if (again := self._repeats(body)) is not None:
                present = self._have(duty)
                self._keep(duty, {**present, "todo": _with(present["todo"], [again, "again", 0])})
        else:
            self._keep(duty, body)

    def _repeat(self, duty: str, body: Body, _number: int) -> None:
        """It was not done, and is asked once more; that takes its place."""
        self._drop(duty)
        self._again(body)

    def _end(self, duty: str, _body: Body, _number: int) -> None:
        self._drop(duty)

    def _repeats(self, body: Body) -> int | None:
        rule = self._course.ports.pack.rules.get(body["r"] or "")
        return None if rule is None or rule.repeats is None else max(self._course.now, body["u"] + rule.repeats)

    def _asked(self, body: Body) -> list[str]:
        """The officers who are asked: the one who is named, or who serves at its posts when it is due."""
        if body["of"] is not None:
            return [body["of"]]
        serving = self._course.ports.rota.on_duty(body["u"], body["po"], body["w"][1])
        return sorted({each.officer for each in serving})

    def _contact(self, asked: list[str], since: int) -> int | None:
        """When one of them was heard of after a moment; nobody who serves is nobody who could be away."""
        return self._course.ports.presence.contact_after(asked, since) if asked else self._course.now

    def _act(self, duty: str, verb: str, fields: Mapping[str, Any], at: int | None = None) -> None:
        moment = self._course.now if at is None else at
        self._course.act(Act(KIND, verb, duty, fields, moment, becomes=_BECOMES.get(verb), only=_ONLY[verb]))

    def _close(self, duty: str, when: int) -> None:
        body = self._have(duty)
        self._drop(duty)
        if body["o"]:
            self._done(_open(duty, body), when)

    def _body(self, duty: str) -> Body | None:
        return self._course.memory.get(f"{PAGE}|{duty}")

    def _have(self, duty: str) -> Body:
        body = self._body(duty)
        assert body is not None
        return body

    def _keep(self, duty: str, body: Body) -> None:
        todo = sorted(body["todo"], key=_order)
        self._course.memory.put(f"{PAGE}|{duty}", {**body, "todo": todo}, todo[0][0] if todo else None)

    def _drop(self, duty: str) -> None:
        body = self._body(duty)
        if body is not None:
            self._of[body["o"], body["s"]].discard(duty)
            self._course.memory.drop(f"{PAGE}|{duty}")

    def _index(self, duty: str, body: Body | None) -> None:
        if body is not None:
            self._of[body["o"], body["s"]].add(duty)


_STEPS: Mapping[str, Callable[[Duties, str, Body, int], None]] = {
    "issue": Duties._issue,
    "warn": Duties._remind,
    "rung": Duties._escalate,
    "due": Duties._due,
    "look": Duties._look,
    "miss": Duties._miss,
    "again": Duties._repeat,
    "end": Duties._end,
}
_AFTER = list(_STEPS)


def _order(todo: Sequence[Any]) -> tuple[int, int, int]:
    return todo[0], _AFTER.index(todo[1]), todo[2]


def _with(todo: list[Any], *more: list[Any]) -> list[Any]:
    return [*todo, *more]


def issue_of(ask: Ask) -> dict[str, Any]:
    """What is issued (the fields of the kind ``duty``)."""
    return {
        "rule": ask.rule,
        "directive": ask.directive,
        "asks": None if ask.rule is None else {"zh": ask.text.zh, "en": ask.text.en},
        "source": ask.source or None,
        "cause": ask.cause,
        "posts": list(ask.posts),
        "officer": ask.officer,
        "person": ask.person,
        "place": ask.place,
        "opens_at": to_text(ask.opens),
        "due_at": to_text(ask.due),
        "loud": ask.loud,
        "warn_at": None if ask.warn is None else to_text(ask.warn),
        "chain": [{"at": to_text(at), "posts": list(posts)} for at, posts in ask.chain],
    }


def _ahead(said: Mapping[str, Any], now: int) -> list[list[Any]]:
    """What is to be done with a duty that was issued, by the moments in it."""
    todo: list[list[Any]] = [[from_text(said["due_at"]), "due", 0]]
    if said["warn_at"] is not None and from_text(said["warn_at"]) >= now:
        todo.append([from_text(said["warn_at"]), "warn", 0])
    return todo + [[from_text(rung["at"]), "rung", at] for at, rung in enumerate(said["chain"], 1)]


def _after_a_miss(body: Body) -> list[list[Any]]:
    """Its chain goes on; then it is followed for a while."""
    rungs = [each for each in body["todo"] if each[1] == "rung"]
    return [*rungs, [body["u"] + KEPT_MS, "end", 0]]


def _open(duty: str, body: Body) -> Open:
    return Open(
        duty,
        body["o"],
        body["s"],
        body["x"],
        body["r"],
        body["st"],
        body["f"],
        body["u"],
        tuple(body["po"]),
        body["of"],
    )
