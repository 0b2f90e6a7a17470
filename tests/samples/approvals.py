"""Approvals: cell C1 is to be opened at night, which a leader decides; others countersign, stand in for him or read it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from backend.domain.approvals import BOUND, digest_of
from backend.kernel.clock import to_text
from headless.chain import rfc3339, uuid7
from headless.patrol import BY_SESSION
from tests.samples import Doc, Effect, Sample, Stage, Wrong, but

DIR = frozenset({"DIR"})
LEADERS = frozenset({"LEAD", "DIR"})
WRITERS = ("INT", "PAT", "DISC", "MED", "LEAD", "DIR")
NO_DAY = "2026-02-30T00:00:00.000Z"
WHAT = "夜间开启监室检查漏水"


class Receipt(str):
    """A moment of the server's, which whoever captures does not know: equal to any."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and len(other) == len("2026-11-22T03:14:15.123Z")


class Code(str):
    """A code of eight signs, which rests on such a moment: equal to any."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and len(other) == 8


RECEIVED, CODE = Receipt("?"), Code("?")


def decision(stage: Stage) -> dict[str, Any]:
    """What is to be decided: for a day, from now on."""
    now = stage.terminal.clock.now()
    return {
        "what": WHAT,
        "officers": [stage.id("PAT"), stage.id("DISC")],
        "since": rfc3339(now),
        "until": None,
        "expires_at": rfc3339(now + timedelta(days=1)),
        "countersigners": [],
    }


def request(stage: Stage) -> dict[str, Any]:
    """Cell C1 is opened by two officers."""
    return decision(stage) | {"matter": "cell_open_at_night", "person": None, "place": stage.id("C1"), "about": None}


def _approve(_stage: Stage) -> dict[str, Any]:
    return {"delegation": None, "countersigned": [], "document": None, "opinion": None}


def _reasoned(_stage: Stage) -> dict[str, Any]:
    return {"delegation": None, "reason": "材料不全"}


def _pass_on(stage: Stage) -> dict[str, Any]:
    return _reasoned(stage) | {"officer": stage.id("PAT2")}


def _resubmit(stage: Stage) -> dict[str, Any]:
    return decision(stage) | {"answer": "已补充体温记录"}


def _emergency(stage: Stage) -> dict[str, Any]:
    return {"ground": "life", "reason": "呼吸困难", "second": stage.id("PAT2")}


def _reason(_stage: Stage) -> dict[str, Any]:
    return {"reason": "已退热"}


def _step(stage: Stage, step: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"step": step, "at": stage.now(), "received_at": RECEIVED, "by": stage.officer(), **fields}


def _requested(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return {
        **fields, "bound": None, "digest": digest_of(fields | {"bound": None}), "state": "requested",
        "chain": [{"posts": ["DIR", "LEAD"], "outside": False}],
        "passed": 0, "with": None, "requested_by": stage.officer(), "granted_at": None, "code": None, "paper_due": None,
        "steps": [_step(stage, "requested", {})],
    }  # fmt: skip


def _moves(step: str, state: str | None = None, **changes: Any) -> Effect:
    def made(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
        steps = [*doc["steps"], _step(stage, step, fields)]
        return doc | {"state": state or doc["state"], "steps": steps} | changes

    return made


_granted = _moves("granted", "granted", passed=1, granted_at=RECEIVED, code=CODE)


def _passed_on(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return _moves("passed_on")(stage, doc, fields) | {"with": fields["officer"]}


def _resubmitted(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    changed = doc | {name: fields[name] for name in BOUND if name in fields}
    return _moves("resubmitted", "requested")(stage, changed, fields) | {"digest": digest_of(changed)}


def _in_emergency(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    due = to_text(stage.world.clock.now() + 24 * 3_600_000)
    return _moves("emergency", "emergency", paper_due=due)(stage, doc, fields)


def _refers(what: str, field: str, name: str) -> Wrong:
    return Wrong(
        what, "request", lambda stage: request(stage) | {field: stage.id(name)}, "reference.unknown", f"fields.{field}"
    )


APPROVAL = Sample(
    kind="approval",
    writer="DIR",
    reader="PAT",
    outsider="PAT2",
    verbs={
        "request": request, "approve": _approve, "refuse": _reasoned, "return": _reasoned, "resubmit": _resubmit,
        "pass_on": _pass_on, "emergency": _emergency, "withdraw": _reason, "cancel": _reason,
    },
    stories=(
        ("request", "approve", "cancel"),
        ("request", "refuse"),
        ("request", "return", "resubmit", "approve"),
        ("request", "pass_on"),
        ("request", "emergency", "approve"),
        ("request", "withdraw"),
    ),
    makes={
        "request": _requested,
        "approve": _granted,
        "refuse": _moves("refused", "refused"),
        "return": _moves("returned", "returned"),
        "resubmit": _resubmitted,
        "pass_on": _passed_on,
        "emergency": _in_emergency,
        "withdraw": _moves("withdrawn", "withdrawn"),
        "cancel": _moves("cancelled", "cancelled", code=None),
    },
    passes={"emergency": 1},
    posts={
        **dict.fromkeys(("approve", "refuse", "return", "pass_on", "resubmit", "cancel"), LEADERS), "withdraw": DIR,
    },
    rivals=(("approve", "approve"), ("approve", "refuse"), ("refuse", "approve"), ("withdraw", "approve")),
    wrong=(
        Wrong("a matter that there is not", "request", but(request, matter="parole"), "field.invalid", "fields.matter"),
        Wrong("treatment of nobody", "request", but(request, matter="outside_treatment"), "field.missing",
              "fields.person"),
        Wrong("a cell opened nowhere", "request", but(request, place=None), "field.missing", "fields.place"),
        Wrong("on a day that there is not", "request", but(request, since=NO_DAY), "field.invalid", "fields.since"),
        Wrong("which ends before it begins", "request", but(request, until="2020-01-01T00:00:00.000Z"),
              "field.invalid", "fields.until"),
        Wrong("which never expires", "request", but(request, expires_at=None), "field.invalid", "fields.expires_at"),
        Wrong("for no reason", "request", but(request, what=""), "field.invalid", "fields.what"),
        Wrong("a cell opened by one", "request", lambda stage: request(stage) | {
            "matter": "cell_open_at_night", "person": None, "place": stage.id("C1"), "officers": [stage.id("PAT")],
        }, "rule.forbids", "fields.officers"),
        _refers("of a cell as a person", "person", "C1"),
        _refers("at a person as a place", "place", "p1"),
        Wrong("of a plan that there is not", "request", lambda stage: request(stage) | {"about": stage.id("PAT")},
              "operation.held", None),
        Wrong("in another's place, by nothing", "approve", lambda stage: _approve(stage) | {
            "delegation": stage.id("p1")}, "officer.unauthorised", "fields.delegation"),
        Wrong("with a countersignature that is none", "approve", lambda stage: _approve(stage) | {
            "countersigned": [stage.id("p1")]}, "reference.unknown", "fields.countersigned"),
        Wrong("no word on the document", "approve", but(_approve, "document"), "field.missing", "fields.document"),
        Wrong("refused for no reason", "refuse", but(_reasoned, "reason"), "field.missing", "fields.reason"),
        Wrong("sent back unsaid", "return", but(_reasoned, reason=""), "field.invalid", "fields.reason"),
        Wrong("submitted again with nothing new", "resubmit", but(_resubmit, "answer"), "field.missing",
              "fields.answer"),
        Wrong("submitted again as another matter", "resubmit", but(_resubmit, matter="leave"), "field.unknown",
              "fields.matter"),
        Wrong("submitted again for a day that there is not", "resubmit", but(_resubmit, until=NO_DAY),
              "field.invalid", "fields.until"),
        Wrong("passed on to himself", "pass_on", lambda stage: _pass_on(stage) | {"officer": stage.officer()},
              "field.invalid", "fields.officer"),
        Wrong("an emergency of one", "emergency", lambda stage: _emergency(stage) | {"second": stage.officer()},
              "field.invalid", "fields.second"),
        Wrong("an emergency of no sort", "emergency", but(_emergency, ground="haste"), "field.invalid",
              "fields.ground"),
        Wrong("withdrawn for no reason", "withdraw", lambda _: {}, "field.missing", "fields.reason"),
        Wrong("taken back for no reason", "cancel", lambda _: {"reason": None}, "field.invalid", "fields.reason"),
    ),
)  # fmt: skip


def _asked(stage: Stage) -> None:
    said = request(stage) | {"countersigners": [stage.id(post) for post in WRITERS]}
    stage.made |= {"asked": uuid7(), "digest": digest_of(said | {"bound": None})}
    stage.needed.append(stage.terminal.capture("approval", "request", stage.id("asked"), said, signoff=BY_SESSION))


def _countersign(stage: Stage) -> dict[str, Any]:
    return {"approval": stage.id("asked"), "digest": stage.made["digest"], "opinion": "agree", "note": None}


def _by(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return fields | {"by": stage.officer()}


COUNTERSIGN = Sample(
    kind="approval.countersign",
    writer="MED",
    reader="DISC",
    outsider="PAT2",
    first=_asked,
    verbs={"sign": _countersign},
    makes={"sign": _by},
    wrong=(
        Wrong("of a person", "sign", lambda stage: _countersign(stage) | {"approval": stage.id("p1")},
              "reference.unknown", "fields.approval"),
        Wrong("of nothing yet", "sign", lambda stage: _countersign(stage) | {"approval": stage.id("PAT")},
              "operation.held", None),
        Wrong("of another decision", "sign", but(_countersign, digest="A" * 43), "record.conflict", "fields.digest"),
        Wrong("against it, for no reason", "sign", but(_countersign, opinion="disagree"), "field.missing",
              "fields.note"),
        Wrong("without a word", "sign", but(_countersign, "opinion"), "field.missing", "fields.opinion"),
    ),
)  # fmt: skip


def _slip(stage: Stage) -> dict[str, Any]:
    said = {"approval": stage.id("asked"), "digest": stage.made["digest"], "sort": "copied"}
    return said | {"posts": ["MED", "PROC"], "officers": []}


SLIP = Sample(
    kind="approval.slip",
    writer="MED",
    reader="DISC",
    outsider="PAT2",
    first=_asked,
    verbs={"record": _slip},
    makes={"record": _by},
    wrong=(
        Wrong("copied to nobody", "record", but(_slip, posts=[]), "field.invalid", "fields.posts"),
        Wrong("read by others", "record", but(_slip, sort="read"), "field.invalid", "fields.posts"),
        Wrong("copied to a post that is none", "record", but(_slip, posts=["CASE"]), "field.invalid",
              "fields.posts.0"),
        Wrong("of a person", "record", lambda stage: _slip(stage) | {"approval": stage.id("p1")},
              "reference.unknown", "fields.approval"),
    ),
)  # fmt: skip


def _give(stage: Stage) -> dict[str, Any]:
    now = stage.terminal.clock.now()
    return {
        "to": stage.id("LEAD"), "post": "DIR", "matters": ["outside_treatment"], "since": rfc3339(now),
        "until": rfc3339(now + timedelta(days=2)), "reason": "外出开会",
    }  # fmt: skip


def _given(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return fields | {"by": stage.officer(), "state": "given", "ended": None}


def _ended(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return doc | {"state": "ended", "ended": {"by": stage.officer(), **fields}}


DELEGATION = Sample(
    kind="approval.delegation",
    writer="DIR",
    reader="INT",
    outsider="PAT2",
    verbs={"give": _give, "end": lambda _: {"reason": "已返所"}},
    makes={"give": _given, "end": _ended},
    posts={"give": DIR, "end": DIR},
    rivals=(("end", "end"),),
    wrong=(
        Wrong("of another's post", "give", but(_give, post="LEAD"), "officer.unauthorised", "fields.post"),
        Wrong("to himself", "give", lambda stage: _give(stage) | {"to": stage.officer()}, "field.invalid", "fields.to"),
        Wrong("for nothing", "give", but(_give, matters=[]), "field.invalid", "fields.matters"),
        Wrong("without an end", "give", but(_give, until=None), "field.invalid", "fields.until"),
        Wrong("which ends before it begins", "give", but(_give, until="2020-01-01T00:00:00.000Z"), "field.invalid",
              "fields.until"),
        Wrong("from a day that there is not", "give", but(_give, since=NO_DAY), "field.invalid", "fields.since"),
        Wrong("taken back for no reason", "end", lambda _: {}, "field.missing", "fields.reason"),
    ),
)  # fmt: skip

SAMPLES = (APPROVAL, COUNTERSIGN, SLIP, DELEGATION)
