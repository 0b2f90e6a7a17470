"""The closed loop of dynamic information (闭环): who is asked what once something was reported, step by step to its close.

One report gives several posts their own duties; the nearest officer on duty is asked first, the next one when he lets his
time pass. A step that is late is told to the leader, then to the director. Who is asked and how long each has stands in
``backend.domain.routing``. Times run from when the server learnt of a step: nobody is late for what was still on its way.

It is a companion of the engine (``backend.duty.engine.family``). Of a report it keeps ``{c: category, s: severity, a: area,
p: person, l: place, by: who reported it, asked: officers asked so far, ok: acknowledged, st: open | handled, n: how often it
was asked anew, w: when the next one is asked}``; of an officer ``{l: place, t: when}``, where he was last seen by a scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend.domain.dynamic_info import CATEGORIES
from backend.domain.posts import Post
from backend.domain.routing import MOST_ASKED, SOURCE, TIMES, first, others
from backend.duty.engine.family import Ask, Body, Book, Heard, Open, Quiet, Watcher
from backend.kernel.clock import from_text
from backend.kernel.kind import Text

OWNER = "loop"
SEEN_MS = 3_600_000
"""How long a scan tells where an officer is: as for ``backend.facts.nearest`` (local default)."""
STEPS = {
    "first": Text("立即签收并前往", "acknowledge it and go there at once"),
    "deploy": Text("部署处置", "send somebody"),
    "sent": Text("按领导部署处置", "do what the leader asks"),
    "handle": Text("处置并记录", "handle it and record what was done"),
    "answer": Text("反馈处置结果", "answer what came of it"),
    "close": Text("审核并办结", "look at it and close it"),
}
"""What each step asks. The rule that a duty names is ``loop.<step>``; ``loop.task`` is a post's own work."""
TASK = Text("本岗位的相应工作", "the post's own work because of it")
TAKEN = "已由其他民警签收 / another officer has acknowledged it"
OVER = "该信息已办结或撤回 / it is closed or withdrawn"
CHANGED = "情况已变更，重新下达 / things have changed, it is asked anew"

_ELSEWHERE, _UNKNOWN = 10_000, 20_000


@dataclass(frozen=True, slots=True)
class Loop(Quiet):
    """The watcher."""

    def begin(self, book: Book) -> None:
        """What was handled before anybody was asked needs no answer any more."""
        if book.body(_mark(book)) is None:
            for subject, body in list(book.bodies()):
                if body.get("st") == "handled":
                    _call_off(book, subject, OVER, "task", *STEPS)
                    book.forget(subject)
            book.keep(_mark(book), {"begun": True})

    def hear(self, book: Book, heard: Heard) -> None:
        name = heard.event.name
        if name == "patrol.visited":
            _seen(book, heard)
        elif name == "dynamic.reported":
            _begin(book, heard)
        elif (body := book.body(_subject(heard))) is not None:
            _STEPS[name](book, heard, body)

    def wake(self, book: Book, subject: str, body: Body) -> None:
        if subject.startswith("officer/"):
            book.forget(subject)
        elif not body["ok"] and body["st"] == "open":
            if any(duty.state == "acknowledged" for duty in _of(book, subject, "first")):
                _keep(book, subject, {**body, "ok": True})
            else:
                _ask_next(book, subject, body)

    def done(self, book: Book, duty: Open, _when: int) -> None:
        """Whoever completes the duty instead of taking the step itself has done it all the same."""
        body = book.body(duty.subject)
        step = duty.part.partition(":")[0]
        if body is None or body["st"] != "open":
            return
        if step == "first" and not body["ok"]:
            _keep(book, duty.subject, {**body, "ok": True, "w": None})
            _call_off(book, duty.subject, TAKEN, "first")
        elif step == "handle":
            _ask_close(book, duty.subject, body)


def companions() -> Sequence[Watcher]:
    """What the engine is given besides the families of rules."""
    return (Loop(OWNER, frozenset({"dynamic.reported", "patrol.visited", *_STEPS})),)


def _mark(book: Book) -> str:
    """Where it stands that somebody is asked for reports at all."""
    return f"facility/{book.facility}"


def _subject(heard: Heard) -> str:
    return f"record/{heard.record}"


def _begin(book: Book, heard: Heard) -> None:
    event = heard.event
    body: Body = {
        "c": event.facts["category"], "s": event.facts["severity"], "a": event.facts["area"], "p": event.person,
        "l": event.place, "by": heard.officer, "asked": [], "ok": False, "st": "open", "n": 0, "w": None,
    }  # fmt: skip
    _keep(book, _subject(heard), body)
    _route(book, _subject(heard), body)


def _route(book: Book, subject: str, body: Body) -> None:
    """Asks everybody whom a report concerns as it is taken for."""
    times, now = TIMES[body["s"]], book.now
    _ask(book, subject, body, "handle", first(body["c"], body["a"]), now + times.handle)
    for post, asks, within in others(body["c"], body["s"]):
        _ask(book, subject, body, f"task:{post}", (post,), now + within, text=asks)
    if times.deploy is not None:
        _ask(book, subject, body, "deploy", (Post.LEAD,), now + times.deploy)
    if times.acknowledge is not None and not body["ok"]:
        _ask_next(book, subject, body)


def _ask(book: Book, subject: str, body: Body, part: str, posts: Sequence[str], due: int, **other: Any) -> None:
    step = part.partition(":")[0]
    asks, what = other.pop("text", None) or STEPS[step], CATEGORIES[body["c"]]
    text = Text(f"{what.zh}：{asks.zh}", f"{what.en}: {asks.en}")
    late = TIMES[body["s"]].late
    leads = (due, (Post.LEAD.value,)), (due + late, (Post.DIR.value,))
    chain = leads[1:] if Post.LEAD in posts else leads
    loud = step == "first" or (body["s"] == "urgent" and step not in {"answer", "close"})
    book.ask(
        Ask(
            OWNER, subject, book.now, due, text, SOURCE, tuple(str(post) for post in posts), f"loop.{step}",
            part=f"{part}:{body['n']}", chain=chain, loud=loud, person=body["p"], place=body["l"],
            cause=subject.partition("/")[2], **other,
        )
    )  # fmt: skip


def _ask_next(book: Book, subject: str, body: Body) -> None:
    """The nearest who has not been asked yet, or all of the posts once enough have let their time pass."""
    posts, within = first(body["c"], body["a"]), TIMES[body["s"]].acknowledge
    assert within is not None
    waiting = [officer for officer in _nearest(book, body, posts) if officer not in {*body["asked"], body["by"]}]
    if waiting and len(body["asked"]) < MOST_ASKED:
        _ask(book, subject, body, f"first:{waiting[0]}", posts, book.now + within, officer=waiting[0])
        _keep(book, subject, {**body, "asked": [*body["asked"], waiting[0]], "w": book.now + within})
    else:
        _ask(book, subject, body, "first:all", posts, book.now + within)
        _keep(book, subject, {**body, "w": None})


def _nearest(book: Book, body: Body, posts: Sequence[str]) -> list[str]:
    """Officers on duty at some posts who answer for the place, by how far away they were last seen, then by how long ago."""
    place = body["l"] or (book.register.cell_of(body["p"]) if body["p"] else None)
    serving = {each.officer for each in book.rota.on_duty(book.now, posts, place)}

    def order(officer: str) -> tuple[int, int, str]:
        last = book.body(f"officer/{officer}")
        if last is None:
            return _UNKNOWN, 0, officer
        return _distance(book, last["l"], place), -last["t"], officer

    return sorted(serving, key=order)


def _distance(book: Book, one: str, other: str | None) -> int:
    """How many cells lie between two places of a ward on the walk through it."""
    if one == other:
        return 0
    ward = book.register.ward_of(one)
    if other is None or ward is None or ward != book.register.ward_of(other):
        return _ELSEWHERE
    walk = list(book.register.cells(ward))
    return 1 + (abs(walk.index(one) - walk.index(other)) if one in walk and other in walk else len(walk))


def _seen(book: Book, heard: Heard) -> None:
    subject, place = f"officer/{heard.officer}", heard.event.place
    last = book.body(subject)
    if place is not None and (last is None or last["t"] <= heard.when):
        book.keep(subject, {"l": place, "t": heard.when}, heard.at + SEEN_MS)


def _keep(book: Book, subject: str, body: Body) -> None:
    """Keeps what is known of a report, to be woken when the next one is to be asked."""
    book.keep(subject, body, body["w"])


def _of(book: Book, subject: str, *steps: str) -> list[Open]:
    return [duty for duty in book.open(subject) if duty.part.partition(":")[0] in steps]


def _fulfil(book: Book, heard: Heard, *steps: str) -> None:
    for duty in _of(book, _subject(heard), *steps):
        book.fulfil(duty.id, heard.record, heard.when)


def _call_off(book: Book, subject: str, reason: str, *steps: str) -> None:
    for duty in _of(book, subject, *steps):
        book.cancel(duty.id, reason)


def _acknowledged(book: Book, heard: Heard, body: Body) -> None:
    _keep(book, _subject(heard), {**body, "ok": True, "w": None})
    _on_its_way(book, heard)


def _on_its_way(book: Book, heard: Heard) -> None:
    """An officer has gone there: he has done what was asked of him or of all, and nobody else need go first."""
    for duty in _of(book, _subject(heard), "first"):
        if duty.officer in {None, heard.officer}:
            book.fulfil(duty.id, heard.record, heard.when)
    _call_off(book, _subject(heard), TAKEN, "first")


def _deployed(book: Book, heard: Heard, body: Body) -> None:
    """A leader who sends others than before, or elsewhere, has thought better of it."""
    _keep(book, _subject(heard), {**body, "n": body["n"] + 1})
    _call_off(book, _subject(heard), CHANGED, "sent")
    _fulfil(book, heard, "deploy")


def _sent(book: Book, heard: Heard, body: Body) -> None:
    """An officer or a post that the leader named."""
    facts, subject = heard.event.facts, _subject(heard)
    until = facts["until"]
    said = from_text(str(until)) if until else 0
    due = said if said > book.now else book.now + TIMES[body["s"]].handle
    if facts["officer"]:
        officer = str(facts["officer"])
        _ask(book, subject, body, f"sent:{officer}", first(body["c"], body["a"]), due, officer=officer)
    else:
        _ask(book, subject, body, f"sent:{facts['post']}", (str(facts["post"]),), due)


def _handled(book: Book, heard: Heard, body: Body) -> None:
    """Others whom the leader sent have their own part in it, which goes on."""
    subject = _subject(heard)
    body = {**body, "ok": True, "st": "handled", "w": None}
    _keep(book, subject, body)
    _on_its_way(book, heard)
    _fulfil(book, heard, "handle")
    for duty in _of(book, subject, "sent"):
        if duty.officer == heard.officer:
            book.fulfil(duty.id, heard.record, heard.when)
    _call_off(book, subject, OVER, "deploy", "close")
    due = book.now + TIMES[body["s"]].answer
    _ask(book, subject, body, "answer", first(body["c"], body["a"]), due, officer=heard.officer or None)


def _answered(book: Book, heard: Heard, body: Body) -> None:
    _fulfil(book, heard, "answer")
    _ask_close(book, _subject(heard), body)


def _ask_close(book: Book, subject: str, body: Body) -> None:
    _ask(book, subject, body, "close", (Post.LEAD,), book.now + TIMES[body["s"]].close)


def _returned(book: Book, heard: Heard, body: Body) -> None:
    subject = _subject(heard)
    body = {**body, "st": "open", "n": body["n"] + 1}
    _keep(book, subject, body)
    _call_off(book, subject, CHANGED, "answer", "close")
    _ask(book, subject, body, "handle", first(body["c"], body["a"]), book.now + TIMES[body["s"]].handle)


def _closed(book: Book, heard: Heard, _body: Body) -> None:
    """What the posts have to do of their own goes on, unless it was over before anybody was asked."""
    _fulfil(book, heard, "close")
    _call_off(book, _subject(heard), OVER, *STEPS, *(() if book.body(_mark(book)) else ("task",)))
    book.forget(_subject(heard))


def _withdrawn(book: Book, heard: Heard, _body: Body) -> None:
    _call_off(book, _subject(heard), OVER, "task", *STEPS)
    book.forget(_subject(heard))


def _changed(book: Book, heard: Heard, body: Body) -> None:
    """It is more severe, or another thing, than it was taken for: everybody is asked anew."""
    subject, facts = _subject(heard), heard.event.facts
    body = {**body, "c": facts["category"], "s": facts["severity"], "asked": [], "n": body["n"] + 1, "w": None}
    _keep(book, subject, body)
    if body["st"] == "open":
        _call_off(book, subject, CHANGED, "first", "handle", "deploy", "task")
        _route(book, subject, body)


_STEPS = {
    "dynamic.acknowledged": _acknowledged,
    "dynamic.arrived": _acknowledged,
    "dynamic.deployed": _deployed,
    "dynamic.sent": _sent,
    "dynamic.handled": _handled,
    "dynamic.answered": _answered,
    "dynamic.returned": _returned,
    "dynamic.closed": _closed,
    "dynamic.withdrawn": _withdrawn,
    "dynamic.escalated": _changed,
    "dynamic.reclassified": _changed,
}
