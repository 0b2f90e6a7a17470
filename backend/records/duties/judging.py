"""What officers do with a duty. What has happened is recorded whatever has become of the duty meanwhile, and marked; a
decision (handing on, calling off) rests on the duty as its officer saw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backend.domain.posts import WARD_POSTS, Post
from backend.kernel.clock import from_text
from backend.kernel.kind import Compartment, Deed, Head, Known, Mark, Needs, Ruling, lateness
from backend.kernel.problems import Problem
from backend.records.forms import is_moment
from backend.records.steps import step_of

LEADERS = frozenset({Post.LEAD, Post.DIR})
ISSUERS = LEADERS | {Post.SYS}
OPEN = frozenset({"issued", "acknowledged"})
WAITED_FOR = OPEN | {"unconfirmed", "missed"}
"""Not done yet, whether or not there is time left."""
MOST_STEPS = 100
AT_ONCE_MS = 60_000
"""A loud duty that opens so soon goes to open streams by itself: a terminal need not ask for it first."""


def needs_subject(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs(tuple(each for each in (fields["person"], fields["place"], fields["cause"]) if each))


def needs_record(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["record"],) if fields["record"] else ())


def issue(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    """By a leader, or by the server for a rule."""
    said = deed.fields
    if not known.posts() & ISSUERS:
        return Problem("officer.unauthorised", "officer")
    if wrong := _wrong(said, known):
        return wrong
    steps = [step_of("issued", deed, {})]
    doc = {**said, "state": "issued", "level": 0, "raised": [], "snoozed_until": None, "steps": steps}
    soon = from_text(said["opens_at"]) <= deed.received_at + AT_ONCE_MS
    alarm = bool(said["loud"] and soon)
    return Ruling(doc, _partition(deed, known), "issued", said["place"], _lateness(deed, known), alarm)


def _partition(deed: Deed, known: Known) -> str:
    """Where it lies: with the matter that gave rise to it, else with whom or what it is about, else with the facility: there
    where all who are asked are given it."""
    said = deed.fields
    cause = known.record(said["cause"]) if said["cause"] else None
    if cause is not None and cause.partition.startswith("matter/"):
        return cause.partition
    about = next((name for name in ("person", "place") if said[name]), None)
    if about is not None:
        return f"{about}/{said[about]}/{Compartment.BASE}"
    everybody = not WARD_POSTS.isdisjoint(said["posts"])
    return f"facility/{deed.facility}/{Compartment.DUTY if everybody else Compartment.BASE}"


def _wrong(said: Mapping[str, Any], known: Known) -> Problem | None:
    if said["rule"] is None and said["directive"] is None:
        return Problem("field.missing", "fields.directive")
    if wrong := _untimely(said, ordered=Post.SYS not in known.posts()):
        return wrong
    for name in ("person", "place"):
        if said[name]:
            head = known.record(said[name])
            if head is None or head.kind != name:
                return Problem("reference.unknown", f"fields.{name}")
    return _unknown(said["cause"], "cause", known)


def _untimely(said: Mapping[str, Any], *, ordered: bool) -> Problem | None:
    """It opens before it is due; ``ordered``: its reminder lies between, and who is told later stands later."""
    rungs = [each["at"] for each in said["chain"]]
    times = {name: [said[name]] for name in ("opens_at", "due_at")} | {"warn_at": [said["warn_at"] or said["due_at"]]}
    for name, moments in (times | {"chain": rungs}).items():
        if not all(map(is_moment, moments)):
            return Problem("field.invalid", f"fields.{name}")
    orders = {"due_at": [said["opens_at"], said["due_at"]]}
    if ordered:
        orders |= {"warn_at": [said["opens_at"], said["warn_at"] or said["due_at"], said["due_at"]]}
        orders |= {"chain": [said["opens_at"], *rungs]}
    wrong = next((name for name, order in orders.items() if not _rises(order)), None)
    return Problem("field.invalid", f"fields.{wrong}") if wrong else None


def _rises(moments: Sequence[str]) -> bool:
    return list(moments) == sorted(moments)


def _unknown(record: str | None, name: str, known: Known) -> Problem | None:
    """A record that is named must be there, unless custody has waited for it long enough."""
    absent = record is not None and known.record(record) is None and not known.forced()
    return Problem("reference.unknown", f"fields.{name}") if absent else None


def onward(deed: Deed, head: Head, state: str, step: str, marks: tuple[Mark, ...] = (), **changes: Any) -> Ruling:
    """The duty one step further; what the step says stands in it."""
    steps = [*head.doc["steps"], step_of(step, deed, deed.fields)]
    return Ruling({**head.doc, **changes, "state": state, "steps": steps}, head.partition, state, head.place, marks)


def barred(head: Head, states: frozenset[str], *, allowed: bool = True) -> Problem | None:
    """Why this may not be done: what has become of the duty, or who asks."""
    if head.state not in states or len(head.doc["steps"]) >= MOST_STEPS:
        return Problem("record.state", state=head.state)
    return None if allowed else Problem("officer.unauthorised", "officer")


def _asked(deed: Deed, head: Head, known: Known) -> bool:
    """Whether it is this officer who is asked, or who was told when nobody answered."""
    doc = head.doc
    asked = set(doc["raised"]) | (set(doc["posts"]) if doc["officer"] is None else set())
    return bool(doc["officer"] == deed.officer or known.posts() & asked)


def _lateness(deed: Deed, known: Known) -> tuple[Mark, ...]:
    """Of what officers enter. The server's own clock may run behind, which is nobody's lateness."""
    return () if Post.SYS in known.posts() else lateness(deed)


def _leads(known: Known) -> bool:
    return bool(known.posts() & LEADERS)


def acknowledge(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """It was seen. Others may have seen it before, and its time may be over: then only the step is added."""
    assert head is not None
    wrong = barred(head, WAITED_FOR, allowed=_asked(deed, head, known))
    state = "acknowledged" if head.state == "issued" else head.state
    return wrong or onward(deed, head, state, "acknowledged", lateness(deed))


def complete(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """By whoever did it: what has happened is recorded, and marked where it was not as asked."""
    assert head is not None
    wrong = barred(head, frozenset({head.state})) or _unknown(deed.fields["record"], "record", known)
    if wrong:
        return wrong
    found = (
        (not _asked(deed, head, known), Mark("duty.by_another")),
        (known.posts() <= {Post.AUX}, Mark("auxiliary.alone")),
    )
    marks = lateness(deed) + tuple(mark for remarkable, mark in found if remarkable)
    return done(deed, head, "completed", marks)


def done(deed: Deed, head: Head, step: str, marks: tuple[Mark, ...]) -> Ruling:
    """The duty after it was done at the moment that the deed tells of. One that was called off stays so."""
    found = (
        (deed.observed_at > from_text(head.doc["due_at"]), Mark("duty.late", "Y04")),
        (deed.observed_at < from_text(head.doc["opens_at"]), Mark("duty.early")),
        (head.state == "completed", Mark("duty.again")),
        (head.state == "cancelled", Mark("duty.called_off")),
    )
    marks += tuple(mark for remarkable, mark in found if remarkable)
    return onward(deed, head, "cancelled" if head.state == "cancelled" else "completed", step, marks)


def snooze(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """It rings later, and never later than it is due."""
    assert head is not None
    until = deed.fields["until"]
    if wrong := barred(head, OPEN, allowed=_asked(deed, head, known)):
        return wrong
    if not is_moment(until) or until > head.doc["due_at"]:
        return Problem("field.invalid", "fields.until")
    return onward(deed, head, head.state, "snoozed", lateness(deed), snoozed_until=until)


def miss(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """By a leader, or by the server when its time and the grace after it are over."""
    assert head is not None
    if wrong := barred(head, OPEN | {"unconfirmed"}, allowed=bool(known.posts() & ISSUERS)):
        return wrong
    if deed.observed_at <= from_text(head.doc["due_at"]):
        return Problem("field.invalid", "observed_at")
    return onward(deed, head, "missed", "missed", _lateness(deed, known))


def explain(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """Beside the miss, never over it; also when it was done late."""
    assert head is not None
    missed = any(step["step"] == "missed" for step in head.doc["steps"])
    if wrong := barred(head, frozenset({head.state} if missed else ()), allowed=_leads(known)):
        return wrong
    if deed.fields["why"] == "other" and deed.fields["note"] is None:
        return Problem("field.missing", "fields.note")
    return onward(deed, head, head.state, "explained", lateness(deed))


def delegate(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    wrong = barred(head, OPEN, allowed=_leads(known) or _asked(deed, head, known))
    to = {name: deed.fields[name] for name in ("posts", "officer")}
    return wrong or onward(deed, head, "issued", "delegated", lateness(deed), **to)


def cancel(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """By a leader, or by the server when what gave rise to it is over."""
    assert head is not None
    states = OPEN | {"unconfirmed"}
    wrong = barred(head, states, allowed=bool(known.posts() & ISSUERS))
    return wrong or onward(deed, head, "cancelled", "cancelled", _lateness(deed, known))
