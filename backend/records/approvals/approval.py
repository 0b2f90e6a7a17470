"""The kind ``approval``: one matter, asked for and decided rank by rank. Each word is of the decision by its digest: who had
another one before him is in conflict with it. It counts from the server's receipt, never from a device's time, so that no
gate opens on an approval that nobody but its author has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from backend.domain.approvals import (
    BOUND,
    LEADERS,
    MATTERS,
    PLAN,
    Rank,
    code_of,
    countersigned,
    digest_of,
    stands_for,
)
from backend.domain.posts import Post
from backend.domain.rules.citing import forbids
from backend.kernel.clock import from_text, to_text
from backend.kernel.events import Event, Scalar, Version
from backend.kernel.kind import (
    Compartment,
    Deed,
    Head,
    Kind,
    Known,
    Mark,
    Needs,
    Policy,
    Ruling,
    Text,
    Verb,
    lateness,
)  # fmt: skip
from backend.kernel.problems import Problem
from backend.records.approvals import forms
from backend.records.approvals.words import EVENTS, LABELS
from backend.records.forms import is_moment

WRITERS = frozenset({Post.INT, Post.PAT, Post.DISC, Post.MED, Post.LEAD, Post.DIR})
PENDING = frozenset({"requested", "emergency"})
MOST_STEPS = 100
_UNGRANTED: Mapping[str, Any] = {"with": None, "granted_at": None, "code": None}
"""What every other step leaves, also where a settlement puts it in place of one that had granted."""


def _needs_request(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs(tuple(fields[name] for name in ("person", "place", "about") if fields[name]))


def _needs_about(_fields: Mapping[str, Any], head: Head | None) -> Needs:
    return Needs((head.doc["about"],) if head and head.doc.get("about") else ())


def _needs_word(fields: Mapping[str, Any], head: Head | None) -> Needs:
    named = (fields["delegation"], *fields.get("countersigned", ()))
    return Needs(tuple(each for each in named if each) + _needs_about(fields, head).records)


def _request(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    if wrong := _wrong_subject(said, known) or _wrong_decision(said, said["matter"]):
        return wrong
    about = "person" if said["person"] else "place"
    subject = f"{about}/{said[about]}" if said[about] else f"facility/{deed.facility}"
    ranks = MATTERS[said["matter"]].ranks(known.facility_type())
    doc = {
        **said,
        "bound": _bound(said["about"], known),
        "chain": [{"posts": sorted(rank.posts), "outside": rank.outside} for rank in ranks],
        "requested_by": deed.officer,
        "granted_at": None,
        "code": None,
        "paper_due": None,
        "steps": [_step("requested", deed, {})],
    }
    doc |= {"digest": digest_of(doc), "state": "requested", "passed": 0, "with": None}
    return Ruling(doc, f"{subject}/{Compartment.BASE}", "requested", said["place"], lateness(deed))


def _wrong_subject(said: Mapping[str, Any], known: Known) -> Problem | None:
    subject = MATTERS[said["matter"]].subject
    if subject is not None and said[subject] is None:
        return Problem("field.missing", f"fields.{subject}")
    for name in ("person", "place"):
        head = known.record(said[name]) if said[name] else None
        if said[name] and (head is None or head.kind != name):
            return Problem("reference.unknown", f"fields.{name}")
    if said["about"] is None:
        return None
    about = known.record(said["about"])
    if about is None or about.doc.get(PLAN, {}).get("person", said["person"]) != said["person"]:
        return Problem("reference.unknown", "fields.about")
    return None


def _wrong_decision(said: Mapping[str, Any], matter: str) -> Problem | None:
    for name in ("since", "until", "expires_at"):
        if said[name] is not None and not is_moment(said[name]):
            return Problem("field.invalid", f"fields.{name}")
        if said[name] is not None and said[name] < said["since"]:
            return Problem("field.invalid", f"fields.{name}")
    of = MATTERS[matter]
    if of.rule is not None and len(set(said["officers"])) < of.crew:
        return forbids(of.rule, "fields.officers")
    return None


def _bound(about: str | None, known: Known) -> Any:
    """What an approval is bound to of the record that it is about: its plan, or where it has none its version."""
    head = known.record(about) if about else None
    return None if head is None else head.doc.get(PLAN, {"version": head.version})


def _step(word: str, deed: Deed, said: Mapping[str, Any]) -> dict[str, Any]:
    times = {"at": to_text(deed.observed_at), "received_at": to_text(deed.received_at)}
    return {"step": word, **times, "by": deed.officer, **said}


def _on(
    deed: Deed, head: Head, step: str, *, marks: tuple[Mark, ...] = (), alarm: bool = False, **changes: Any
) -> Ruling:
    """The approval one step further; what the step says stands in it."""
    doc = {**head.doc, **changes, "steps": [*head.doc["steps"], _step(step, deed, deed.fields)]}
    return Ruling(doc, head.partition, doc["state"], head.place, lateness(deed) + marks, alarm=alarm)


def _barred(head: Head, states: Iterable[str], *, allowed: bool = True) -> Problem | None:
    if head.state not in states or len(head.doc["steps"]) >= MOST_STEPS:
        return Problem("record.state", state=head.state)
    return None if allowed else Problem("officer.unauthorised", "officer")


def _undecidable(deed: Deed, head: Head, known: Known) -> Problem | None:
    """Why this officer's word on this decision does not count, whatever it is."""
    doc = head.doc
    if barred := _barred(head, PENDING):
        return barred
    if head.state == "requested" and deed.received_at >= from_text(doc["expires_at"]):
        return Problem("record.state", state="expired")
    if doc["about"] and _bound(doc["about"], known) != doc["bound"]:
        return Problem("record.conflict", "about", version=head.version)
    if doc["with"] not in (None, deed.officer):
        return Problem("officer.unauthorised", "officer")
    return _unranked(deed, _rank(head), doc["matter"], known)


def _rank(head: Head) -> Rank:
    given = head.doc["chain"][head.doc["passed"]]
    return Rank(APPROVAL.text, frozenset(given["posts"]), given["outside"])


def _unranked(deed: Deed, rank: Rank, matter: str, known: Known) -> Problem | None:
    """Whether he holds the rank whose turn it is, or stands in for one who does."""
    delegation = deed.fields["delegation"]
    if delegation is None:
        return None if known.posts() & rank.posts else Problem("officer.unauthorised", "officer")
    head = known.record(delegation)
    if head is None:
        return Problem("reference.unknown", "fields.delegation")
    right = stands_for(head, deed.officer, rank, matter, (deed.observed_at, deed.received_at))
    return None if right else Problem("officer.unauthorised", "fields.delegation")


def _approve(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """The word of a rank; of the last one it grants."""
    assert head is not None
    doc = head.doc
    if wrong := _undecidable(deed, head, known):
        return wrong
    if _rank(head).outside and deed.fields["document"] is None:
        return Problem("field.missing", "fields.document")
    passed = doc["passed"] + 1
    if passed < len(doc["chain"]):
        return _on(deed, head, "approved", passed=passed, **_UNGRANTED)
    if wrong := _uncountersigned(deed, head, known):
        return wrong
    at = to_text(deed.received_at)
    granted = {"state": "granted", "granted_at": at, "code": code_of(head.id, doc["digest"], at)}
    changes = {"passed": passed, "with": None, **granted}
    return _on(deed, head, "granted", marks=_late_paper(deed, head), alarm=True, **changes)


def _uncountersigned(deed: Deed, head: Head, known: Known) -> Problem | None:
    agreed = set()
    for each in deed.fields["countersigned"]:
        by = countersigned(known.record(each), head.id, head.doc["digest"])
        if by is None:
            return Problem("reference.unknown", "fields.countersigned")
        agreed.add(by)
    missing = set(head.doc["countersigners"]) - agreed
    return Problem("record.state", "fields.countersigned", state="countersigning") if missing else None


def _late_paper(deed: Deed, head: Head) -> tuple[Mark, ...]:
    """The mark where the paper behind an emergency comes after its time."""
    late = head.state == "emergency" and deed.observed_at > from_text(head.doc["paper_due"])
    return (Mark("approval.paper_late", MATTERS[head.doc["matter"]].rule),) if late else ()


def _refuse(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    if wrong := _undecidable(deed, head, known):
        return wrong
    marks = _late_paper(deed, head)
    if head.state == "emergency":
        marks += (Mark("approval.refused_after", MATTERS[head.doc["matter"]].rule),)
    return _on(deed, head, "refused", marks=marks, alarm=True, state="refused", **_UNGRANTED)


def _return(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """Back for more (退回补正). What has gone before its paper is not undone by that."""
    assert head is not None
    state = "returned" if head.state == "requested" else head.state
    return _undecidable(deed, head, known) or _on(deed, head, "returned", state=state, **_UNGRANTED)


def _resubmit(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """The decision once more, from the first rank on, and by its new digest."""
    assert head is not None
    said, doc = deed.fields, head.doc
    mine = doc["requested_by"] == deed.officer or bool(known.posts() & LEADERS)
    if wrong := _barred(head, {"returned", "emergency"}, allowed=mine) or _wrong_decision(said, doc["matter"]):
        return wrong
    changes = {name: said[name] for name in BOUND if name in said}
    state = "requested" if head.state == "returned" else head.state
    changes |= {"bound": _bound(doc["about"], known), "state": state, "passed": 0, **_UNGRANTED}
    return _on(deed, head, "resubmitted", **changes, digest=digest_of({**doc, **changes}))


def _pass_on(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """To another officer (转办), who must hold the rank or stand in for it when he decides."""
    assert head is not None
    if deed.fields["officer"] == deed.officer:
        return Problem("field.invalid", "fields.officer")
    to = {**_UNGRANTED, "with": deed.fields["officer"]}
    return _undecidable(deed, head, known) or _on(deed, head, "passed_on", **to)


def _emergency(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    """Done first, with a second officer: the paper follows within the time of the matter."""
    assert head is not None
    of = MATTERS[head.doc["matter"]]
    if barred := _barred(head, {"requested", "returned"} if of.paper else ()):
        return barred
    if deed.fields["second"] == deed.officer:
        return Problem("field.invalid", "fields.second")
    marks = (Mark("approval.emergency", of.rule),)
    passed = head.doc["passed"] if head.doc["passed"] < len(head.doc["chain"]) else 0
    changes = {"paper_due": to_text(deed.observed_at + (of.paper or 0)), "passed": passed, **_UNGRANTED}
    return _on(deed, head, "emergency", marks=marks, alarm=True, state="emergency", **changes)


def _withdraw(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    barred = _barred(head, {"requested", "returned"}, allowed=head.doc["requested_by"] == deed.officer)
    return barred or _on(deed, head, "withdrawn", state="withdrawn", **_UNGRANTED)


def _cancel(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """A leader takes back what was granted: it opens nothing any more."""
    assert head is not None
    barred = _barred(head, {"granted"}, allowed=bool(known.posts() & LEADERS))
    return barred or _on(deed, head, "cancelled", alarm=True, state="cancelled", code=None)


def _events(before: Version | None, after: Version) -> Iterable[Event]:
    """What each further step raises. ``asks``: the posts whose turn it is, in alphabetical order; ``officer``: the one to whom
    it was passed on, or who is to countersign."""
    doc = after.doc
    for step in doc.get("steps", ())[len(before.doc["steps"]) if before else 0 :]:
        name, at, about = _RAISED.get(step["step"]), from_text(step["at"]), (doc["person"], doc["place"])
        if name is not None:
            yield Event(name, at, *about, _facts(doc))
        if name == "approval.requested":
            for officer in sorted(set(doc["countersigners"])):
                yield Event("approval.circulated", at, *about, {**_facts(doc), "asks": "", "officer": officer})


def _facts(doc: Mapping[str, Any]) -> Mapping[str, Scalar]:
    turn = doc["chain"][doc["passed"]]["posts"] if doc["passed"] < len(doc["chain"]) else []
    return {"matter": doc["matter"], "asks": " ".join(turn), "officer": doc["with"]}


_RAISED: Mapping[str, str] = {
    "requested": "approval.requested",
    "resubmitted": "approval.requested",
    "approved": "approval.passed_on",
    "passed_on": "approval.passed_on",
    "granted": "approval.granted",
    "refused": "approval.refused",
    "returned": "approval.returned",
    "emergency": "approval.emergency",
    "withdrawn": "approval.withdrawn",
}
_STATE = ("state",)
_DECISION = ("state", "digest", "passed", "with")
"""Whoever decides rests on the decision itself, by its digest, and on where it stands: one who saw another decides nothing."""

APPROVAL = Kind(
    name="approval",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.BASE,
    writers=WRITERS,
    verbs={
        "request": Verb(
            forms.Request, _request, Text("呈请审批", "ask for approval"), creates=True, signoff=True,
            needs=_needs_request,
        ),
        "approve": Verb(
            forms.Approval, _approve, Text("批准", "approve"), signoff=True, needs=_needs_word, watches=_DECISION
        ),
        "refuse": Verb(
            forms.Reasoned, _refuse, Text("不予批准", "refuse"), signoff=True, needs=_needs_word, watches=_DECISION
        ),
        "return": Verb(forms.Reasoned, _return, Text("退回补正", "send back"), needs=_needs_word, watches=_DECISION),
        "resubmit": Verb(
            forms.Resubmission, _resubmit, Text("补正后重报", "submit again"), signoff=True, needs=_needs_about,
            watches=_STATE,
        ),
        "pass_on": Verb(forms.PassedOn, _pass_on, Text("转办", "pass on"), needs=_needs_word, watches=_DECISION),
        "emergency": Verb(
            forms.Emergency, _emergency, Text("紧急先行", "do it first"), signoff=True, watches=_STATE
        ),
        "withdraw": Verb(forms.Ended, _withdraw, Text("撤回", "withdraw"), watches=_STATE),
        "cancel": Verb(forms.Ended, _cancel, Text("撤销批准", "take the approval back"), signoff=True, watches=_STATE),
    },
    text=Text("审批", "approval"),
    labels=LABELS,
    marks={
        "approval.emergency": Text("紧急情况先行办理，手续后补", "done first in an emergency, the paper follows"),
        "approval.paper_late": Text("后补手续逾期", "the paper behind an emergency came late"),
        "approval.refused_after": Text("先行办理后未获批准", "refused after it had been done in an emergency"),
    },
    settlers=LEADERS,
    raises=EVENTS,
    events=_events,
)  # fmt: skip
