"""The kind ``patrol.plan``: the windows of one ward and shift, and what became of each (docs/adr/0019). The server draws it
ahead of time, so that a terminal knows its windows off line; a leader may draw one by hand. What a window rests on are the
stops of rounds, never what a plan says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema, fields

from backend.domain import standing
from backend.domain.posts import Post
from backend.kernel.clock import from_text
from backend.kernel.kind import (
    Compartment,
    Deed,
    Head,
    Kind,
    Known,
    Needs,
    Policy,
    Ruling,
    Text,
    Verb,
)  # fmt: skip
from backend.kernel.problems import Problem
from backend.records.forms import choice, is_moment, listed, moment, named, reference, word

MOST_WINDOWS = 300
LONGEST = 48 * 3_600_000
"""Milliseconds from a plan's beginning to its end."""
OPEN, KEPT, LATE, MISSED = "open", "kept", "late", "missed"
JUDGED: Mapping[str, Text] = {
    KEPT: Text("按时完成", "walked in time"),
    LATE: Text("逾期补走", "walked late"),
    MISSED: Text("漏巡", "missed"),
}
STATES = {OPEN: Text("待巡", "open"), **JUDGED}
FOLLOWS: Mapping[str, frozenset[str]] = {
    OPEN: frozenset(JUDGED),
    MISSED: frozenset({KEPT, LATE}),
    LATE: frozenset({KEPT}),
}
"""What may become of a window: one that was missed is set right by stops that arrive later."""
WHY: Mapping[str, Text] = {
    "risk": Text("区域内最高风险变化", "the highest risk in the ward has changed"),
    "rule": Text("规则变化", "the rules have changed"),
    "shift": Text("班次变化", "the shift has changed"),
    "leader": Text("领导决定", "a leader's decision"),
}


class WindowDrawn(Schema):
    """A window, and the rule whose interval was the shortest."""

    opens_at = moment()
    due_at = moment()
    rule = word(20)


class PlanIssued(Schema):
    """The plan of a ward from ``since`` to ``until``."""

    place = reference()
    since = moment()
    until = moment()
    windows = listed(fields.Nested(WindowDrawn), MOST_WINDOWS)


class PlanRedrawn(Schema):
    """The windows from a moment on, and why they are drawn anew. Those that opened before it stay."""

    from_at = moment()
    windows = listed(fields.Nested(WindowDrawn), MOST_WINDOWS)
    why = choice(tuple(WHY))


class WindowJudged(Schema):
    """What became of the window that opened then. ``at``: when the last cell of the ward was looked into, if ever."""

    opens_at = moment()
    state = choice(tuple(JUDGED))
    at = moment(allow_none=True)


class PlanMarked(Schema):
    """What became of some windows."""

    windows = listed(fields.Nested(WindowJudged), MOST_WINDOWS, 1)


Windows = Sequence[Mapping[str, Any]]


def _needs_ward(fields_: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields_["place"],))


def _issue(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    ward = standing.place(known, said["place"], "ward")
    if ward is None or standing.closed(ward):
        return Problem("reference.unknown", "fields.place")
    span = standing.span(said, "since", "until")
    if isinstance(span, Problem):
        return span
    if span[1] - span[0] > LONGEST:
        return Problem("field.invalid", "fields.until")
    if wrong := _wrong(said["windows"], "", said["until"]):
        return Problem("field.invalid", wrong)
    return _plan({**said, "windows": [_fresh(each) for each in said["windows"]]})


def _wrong(windows: Windows, after: str, until: str) -> str | None:
    """The first field that is no time, or not in its order: windows follow each other and are due by the plan's end."""
    for index, each in enumerate(windows):
        for name in ("opens_at", "due_at"):
            if not is_moment(each[name]):
                return f"fields.windows.{index}.{name}"
        if each["opens_at"] < after:
            return f"fields.windows.{index}.opens_at"
        if not each["opens_at"] < each["due_at"] <= until:
            return f"fields.windows.{index}.due_at"
        after = each["due_at"]
    return None


def _fresh(window: Mapping[str, Any]) -> dict[str, Any]:
    return {**window, "state": OPEN, "at": None, "missed": False}


def _plan(doc: Mapping[str, Any]) -> Ruling:
    return Ruling(doc, f"place/{doc['place']}/{Compartment.BASE}", "drawn", doc["place"])


def _redraw(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    said, doc = deed.fields, head.doc
    if not is_moment(said["from_at"]):
        return Problem("field.invalid", "fields.from_at")
    kept = [each for each in doc["windows"] if each["opens_at"] < said["from_at"]]
    if any(each["state"] != OPEN for each in doc["windows"][len(kept) :]):
        return Problem("field.invalid", "fields.from_at")
    after = max(said["from_at"], kept[-1]["due_at"]) if kept else said["from_at"]
    if wrong := _wrong(said["windows"], after, doc["until"]):
        return Problem("field.invalid", wrong)
    windows = [*kept, *(_fresh(each) for each in said["windows"])]
    return _plan({**doc, "windows": windows}) if len(windows) <= MOST_WINDOWS else _too_many()


def _too_many() -> Problem:
    return Problem("field.invalid", "fields.windows")


def _mark(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    windows = [dict(each) for each in head.doc["windows"]]
    found = {each["opens_at"]: each for each in windows}
    for index, said in enumerate(deed.fields["windows"]):
        window, at = found.get(said["opens_at"]), f"fields.windows.{index}"
        if window is None:
            return Problem("field.invalid", f"{at}.opens_at")
        if (said["at"] is None) != (said["state"] == MISSED) or (said["at"] and not is_moment(said["at"])):
            return Problem("field.invalid", f"{at}.at")
        if said["state"] not in FOLLOWS.get(window["state"], frozenset()) or not _ripe(deed, said, window):
            return Problem("field.invalid", f"{at}.state")
        window |= said | {"missed": window["missed"] or said["state"] == MISSED}
    return _plan({**head.doc, "windows": windows})


def _ripe(deed: Deed, said: Mapping[str, Any], window: Mapping[str, Any]) -> bool:
    """A window is not missed before it is due."""
    return said["state"] == KEPT or deed.observed_at >= from_text(window["due_at"])


PLAN = Kind(
    name="patrol.plan",
    version=1,
    policy=Policy.OWNED,
    compartment=Compartment.BASE,
    writers=frozenset({Post.SYS, Post.LEAD, Post.DIR}),
    verbs={
        "issue": Verb(PlanIssued, _issue, Text("下达计划", "issue a plan"), creates=True, needs=_needs_ward),
        "redraw": Verb(PlanRedrawn, _redraw, Text("重排时段", "draw the rest anew")),
        "mark": Verb(PlanMarked, _mark, Text("认定时段", "say what became of windows")),
    },
    text=Text("巡视计划", "patrol plan"),
    labels={
        "place": Text("监区", "ward"),
        "since": Text("开始时间", "from"),
        "until": Text("结束时间", "until"),
        "from_at": Text("自何时起重排", "drawn anew from"),
        "why": Text("重排原因", "why it is drawn anew"),
        **named("why", WHY),
        "windows": Text("巡视时段", "windows"),
        "windows.opens_at": Text("时段开始", "opens"),
        "windows.due_at": Text("时段截止", "due"),
        "windows.rule": Text("依据规则", "rule"),
        "windows.state": Text("完成情况", "what became of it"),
        **named("windows.state", STATES),
        "windows.at": Text("走完时间", "walked at"),
        "windows.missed": Text("曾逾期", "was missed at first"),
    },
)
