"""Rosters: a pattern of days and nights for four teams, PAT in the second team on ward W, his swap with PAT2, a leave of
PAT's, and LEAD who acts for the director."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headless.chain import rfc3339
from tests.samples import Doc, Effect, Sample, Stage, Wrong, but

LEADERS = frozenset({"LEAD", "DIR"})


def _later(stage: Stage, **time: int) -> str:
    return rfc3339(stage.terminal.clock.now() + timedelta(**time))


def four_teams(**other: Any) -> dict[str, Any]:
    """The fields of a pattern of 12 hours by day, 12 by night, and two days off."""
    return {
        "name": "四班两运转",
        "shifts": [
            {"code": "D", "name": "白班", "starts": "08:00", "ends": "20:00"},
            {"code": "N", "name": "夜班", "starts": "20:00", "ends": "08:00"},
        ],
        "cycle": ["D", "N", "-", "-"],
        "worked": "all",
        "anchor": "2026-11-01",
        "main_from": "2026-11-01",
    } | other


def _pattern(_stage: Stage) -> dict[str, Any]:
    return four_teams()


def _shift(**other: Any) -> list[dict[str, Any]]:
    first, second = four_teams()["shifts"]
    return [first, second | other]


def _stays(_stage: Stage, doc: Doc, _fields: dict[str, Any]) -> Doc:
    return doc


def _reason(_stage: Stage) -> dict[str, Any]:
    return {"reason": "排班调整"}


def _nothing(_stage: Stage) -> dict[str, Any]:
    return {}


PATTERN = Sample(
    kind="shift.pattern",
    writer="LEAD",
    reader="PAT",
    outsider=None,
    verbs={"create": _pattern, "close": _reason},
    makes={"close": _stays},
    rivals=(("close", "close"),),
    wrong=(
        Wrong("no shift at all", "create", but(_pattern, shifts=[]), "field.invalid", "fields.shifts"),
        Wrong("two shifts of one code", "create", but(_pattern, shifts=_shift(code="D")), "field.invalid",
              "fields.shifts"),
        Wrong("a shift called free", "create", but(_pattern, shifts=_shift(code="-")), "field.invalid",
              "fields.shifts"),
        Wrong("a shift at 24 o'clock", "create", but(_pattern, shifts=_shift(starts="24:00")), "field.invalid",
              "fields.shifts.1.starts"),
        Wrong("a shift without an end", "create", but(_pattern, shifts=[{"code": "D", "name": "白班", "starts": "08:00"}]),
              "field.missing", "fields.shifts.0.ends"),
        Wrong("a cycle of nothing", "create", but(_pattern, cycle=[]), "field.invalid", "fields.cycle"),
        Wrong("a cycle of rest", "create", but(_pattern, cycle=["-", "-"]), "field.invalid", "fields.cycle"),
        Wrong("a code that there is not", "create", but(_pattern, cycle=["D", "X"]), "field.invalid", "fields.cycle"),
        Wrong("worked now and then", "create", but(_pattern, worked="often"), "field.invalid", "fields.worked"),
        Wrong("from a day that there is not", "create", but(_pattern, anchor="2026-02-29"), "field.invalid",
              "fields.anchor"),
        Wrong("main from a day that there is not", "create", but(_pattern, main_from="2026-02-29"), "field.invalid",
              "fields.main_from"),
        Wrong("the facility's, with an hour that nobody serves", "create", but(_pattern, shifts=_shift(ends="07:00")),
              "field.invalid", "fields.main_from"),
        Wrong("the facility's, with an hour twice", "create", but(_pattern, shifts=_shift(ends="09:00")),
              "field.invalid", "fields.main_from"),
        Wrong("the facility's, on workdays alone", "create", but(_pattern, worked="workdays"), "field.invalid",
              "fields.main_from"),
        Wrong("closed for no reason", "close", but(_reason, "reason"), "field.missing", "fields.reason"),
    ),
)  # fmt: skip


def _needs_pattern(stage: Stage) -> None:
    stage.first("pattern", "shift.pattern", "create", four_teams())


def _row(stage: Stage) -> dict[str, Any]:
    return {
        "officer": stage.id("PAT"),
        "post": "PAT",
        "pattern": stage.id("pattern"),
        "offset": 1,
        "places": [stage.id("W")],
        "since": "2026-11-20",
        "until": None,
    }


def _end(_stage: Stage) -> dict[str, Any]:
    return {"until": "2026-12-31", "reason": "调离"}


def _ends(_stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return doc | {"until": fields["until"]}


ROSTER = Sample(
    kind="shift.roster",
    writer="LEAD",
    reader="PAT2",
    outsider=None,
    first=_needs_pattern,
    verbs={"assign": _row, "end": _end, "cancel": _reason},
    makes={"end": _ends, "cancel": _stays},
    rivals=(("end", "end"), ("cancel", "end")),
    wrong=(
        Wrong("an officer by name", "assign", but(_row, officer="王"), "field.invalid", "fields.officer"),
        Wrong("at a post of no shifts", "assign", but(_row, post="AUD"), "field.invalid", "fields.post"),
        Wrong("on a place as a pattern", "assign", lambda stage: _row(stage) | {"pattern": stage.id("C1")},
              "reference.unknown", "fields.pattern"),
        Wrong("on a pattern that there is not", "assign", lambda stage: _row(stage) | {"pattern": stage.id("PAT")},
              "operation.held", None),
        Wrong("beyond the cycle", "assign", but(_row, offset=4), "field.invalid", "fields.offset"),
        Wrong("before the cycle", "assign", but(_row, offset=-1), "field.invalid", "fields.offset"),
        Wrong("in a person", "assign", lambda stage: _row(stage) | {"places": [stage.id("W"), stage.id("p1")]},
              "reference.unknown", "fields.places.1"),
        Wrong("since a day that there is not", "assign", but(_row, since="2026-11-31"), "field.invalid",
              "fields.since"),
        Wrong("until before since", "assign", but(_row, until="2026-11-19"), "field.invalid", "fields.until"),
        Wrong("no word on the end", "assign", but(_row, "until"), "field.missing", "fields.until"),
        Wrong("ended before it began", "end", but(_end, until="2026-11-19"), "field.invalid", "fields.until"),
        Wrong("ended on a day that there is not", "end", but(_end, until="2026-11-31"), "field.invalid",
              "fields.until"),
        Wrong("ended for no reason", "end", but(_end, "reason"), "field.missing", "fields.reason"),
        Wrong("cancelled for no reason", "cancel", but(_reason, "reason"), "field.missing", "fields.reason"),
    ),
)  # fmt: skip


def _step(stage: Stage, step: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"step": step, "at": stage.now(), "by": stage.officer(), **fields}


def _moves(step: str, **taken: str) -> Effect:
    """One step further; ``taken``: field of the document → field of the step that it takes."""

    def made(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
        steps = [*doc.get("steps", []), _step(stage, step, fields)]
        return doc | {name: fields[of] for name, of in taken.items()} | {"state": step, "steps": steps}

    return made


def _asked(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return {"officer": stage.officer(), **fields, "state": "requested", "steps": [_step(stage, "requested", {})]}


def _swap(stage: Stage) -> dict[str, Any]:
    return {"colleague": stage.id("PAT2"), "days": ["2026-11-24", "2026-11-26"], "reason": "家中有事"}


SWAP = Sample(
    kind="shift.swap",
    writer="PAT",
    reader="AUX",
    outsider=None,
    verbs={
        "request": _swap, "agree": _nothing, "decline": _reason, "approve": _nothing, "refuse": _reason,
        "withdraw": _reason,
    },
    stories=(
        ("request", "agree", "approve"),
        ("request", "decline"),
        ("request", "agree", "refuse"),
        ("request", "withdraw"),
    ),
    makes={
        "request": _asked,
        "agree": _moves("agreed"),
        "decline": _moves("declined"),
        "approve": _moves("approved"),
        "refuse": _moves("refused"),
        "withdraw": _moves("withdrawn"),
    },
    by={"agree": "PAT2", "decline": "PAT2", "approve": "LEAD", "refuse": "DIR"},
    posts={
        "request": frozenset({"INT", "PAT", "DISC", "MED", "AUX", "LEAD", "DIR"}),
        "agree": frozenset(), "decline": frozenset(), "approve": LEADERS, "refuse": LEADERS,
        "withdraw": LEADERS | {"PAT"},
    },
    wrong=(
        Wrong("with himself", "request", lambda stage: _swap(stage) | {"colleague": stage.id("PAT")}, "field.invalid",
              "fields.colleague"),
        Wrong("with somebody", "request", but(_swap, colleague=None), "field.invalid", "fields.colleague"),
        Wrong("of no day", "request", but(_swap, days=[]), "field.invalid", "fields.days"),
        Wrong("of a day twice", "request", but(_swap, days=["2026-11-24", "2026-11-24"]), "field.invalid",
              "fields.days.1"),
        Wrong("of a day that there is not", "request", but(_swap, days=["2026-11-31"]), "field.invalid",
              "fields.days.0"),
        Wrong("for no reason", "request", but(_swap, "reason"), "field.missing", "fields.reason"),
        Wrong("agreed, with words", "agree", _reason, "field.unknown", "fields.reason"),
        Wrong("declined for no reason", "decline", _nothing, "field.missing", "fields.reason"),
        Wrong("approved, with words", "approve", _reason, "field.unknown", "fields.reason"),
        Wrong("refused for no reason", "refuse", _nothing, "field.missing", "fields.reason"),
        Wrong("withdrawn for no reason", "withdraw", _nothing, "field.missing", "fields.reason"),
    ),
)  # fmt: skip


def _leave(stage: Stage) -> dict[str, Any]:
    return {
        "officer": stage.officer(),
        "sort": "annual",
        "since": _later(stage, hours=1),
        "until": _later(stage, days=2),
        "stand_in": stage.id("PAT2"),
        "note": None,
    }


def _back(stage: Stage) -> dict[str, Any]:
    return {"at": _later(stage, days=1)}


def _began(state: str) -> Effect:
    def made(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
        return {**fields, "state": state, "steps": [_step(stage, state, {})]}

    return made


LEAVE = Sample(
    kind="shift.leave",
    writer="PAT",
    reader="PAT2",
    outsider=None,
    verbs={"request": _leave, "approve": _nothing, "refuse": _reason, "cancel": _reason, "back": _back},
    stories=(
        ("request", "approve", "back"),
        ("request", "refuse"),
        ("request", "approve", "cancel"),
    ),
    makes={
        "request": _began("requested"),
        "approve": _moves("approved"),
        "refuse": _moves("refused"),
        "cancel": _moves("cancelled"),
        "back": _moves("over", until="at"),
    },
    by={"approve": "LEAD", "refuse": "DIR"},
    posts={
        "request": frozenset({"INT", "PAT", "DISC", "MED", "AUX", "LEAD", "DIR"}),
        "approve": LEADERS, "refuse": LEADERS, "cancel": LEADERS | {"PAT"}, "back": LEADERS | {"PAT"},
    },
    wrong=(
        Wrong("another's, by no leader", "request", lambda stage: _leave(stage) | {"officer": stage.id("DISC")},
              "officer.unauthorised", "fields.officer"),
        Wrong("a sort that there is not", "request", but(_leave, sort="tired"), "field.invalid", "fields.sort"),
        Wrong("a day as a moment", "request", but(_leave, since="2026-11-22"), "field.invalid", "fields.since"),
        Wrong("from a day that there is not", "request", but(_leave, since="2026-02-30T00:00:00.000Z"),
              "field.invalid", "fields.since"),
        Wrong("of no time", "request", lambda stage: _leave(stage) | {"until": _later(stage, hours=1)},
              "field.invalid", "fields.until"),
        Wrong("his own stand-in", "request", lambda stage: _leave(stage) | {"stand_in": stage.id("PAT")},
              "field.invalid", "fields.stand_in"),
        Wrong("no word on who stands in", "request", but(_leave, "stand_in"), "field.missing", "fields.stand_in"),
        Wrong("approved, with words", "approve", _reason, "field.unknown", "fields.reason"),
        Wrong("refused for no reason", "refuse", _nothing, "field.missing", "fields.reason"),
        Wrong("cancelled for no reason", "cancel", _nothing, "field.missing", "fields.reason"),
        Wrong("back before it began", "back", lambda stage: {"at": _later(stage, hours=1)}, "field.invalid",
              "fields.at"),
        Wrong("back after it ended", "back", lambda stage: {"at": _later(stage, days=3)}, "field.invalid", "fields.at"),
        Wrong("back on a day that there is not", "back", lambda _: {"at": "2026-02-30T00:00:00.000Z"},
              "field.invalid", "fields.at"),
    ),
)  # fmt: skip


def _acting(stage: Stage) -> dict[str, Any]:
    return {
        "officer": stage.id("DISC"),
        "post": "LEAD",
        "since": stage.began,
        "until": _later(stage, days=7),
        "instead": stage.id("LEAD"),
        "reason": "值班领导外出学习",
    }


def _over(stage: Stage) -> dict[str, Any]:
    return {"at": _later(stage, days=1), "reason": "提前返回"}


ACTING = Sample(
    kind="shift.acting",
    writer="LEAD",
    reader="PAT2",
    outsider=None,
    verbs={"appoint": _acting, "end": _over},
    makes={"appoint": _began("appointed"), "end": _moves("ended", until="at")},
    rivals=(("end", "end"),),
    wrong=(
        Wrong("as a patrol", "appoint", but(_acting, post="PAT"), "field.invalid", "fields.post"),
        Wrong("of no time", "appoint", lambda stage: _acting(stage) | {"until": stage.began}, "field.invalid",
              "fields.until"),
        Wrong("from a day that there is not", "appoint", but(_acting, since="2026-02-30T00:00:00.000Z"),
              "field.invalid", "fields.since"),
        Wrong("instead of himself", "appoint", lambda stage: _acting(stage) | {"instead": stage.id("DISC")},
              "field.invalid", "fields.instead"),
        Wrong("no word on whom", "appoint", but(_acting, "instead"), "field.missing", "fields.instead"),
        Wrong("ended before it began", "end", but(_over, at="2026-11-01T00:00:00.000Z"), "field.invalid", "fields.at"),
        Wrong("ended for no reason", "end", but(_over, "reason"), "field.missing", "fields.reason"),
    ),
)  # fmt: skip

SAMPLES = (PATTERN, ROSTER, SWAP, LEAVE, ACTING)
