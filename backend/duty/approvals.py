"""Who is asked because of an approval: those whose turn it is to decide, who are to countersign, who must submit it again, and
the leaders, who are told what one of them has decided.

A companion of the engine (``backend.duty.engine.family``). Of an approval it keeps ``{m: matter, p: person, l: place, by: who
asked for it, d: decided}`` until it is decided and the leaders have been told. All times are local defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend.domain.approvals import LEADERS, MATTERS
from backend.domain.posts import Post
from backend.duty.engine.family import Ask, Body, Book, Heard, Open, Quiet, Watcher
from backend.kernel.kind import Text

OWNER = "approvals"
MINUTE_MS = 60_000
SIGN_MS, SUBMIT_MS, TOLD_MS = 60 * MINUTE_MS, 4 * 60 * MINUTE_MS, 4 * 60 * MINUTE_MS
LATE_MS = 30 * MINUTE_MS
"""How long after it was due a decision is asked of the director too."""
SOURCE = "本地设定，非法定 local default"
REQUESTERS = (Post.DISC, Post.INT, Post.MED, Post.PAT, Post.LEAD, Post.DIR)
STEPS = {
    "decide": Text("请审批", "decide"),
    "sign": Text("请会签", "countersign"),
    "submit": Text("被退回，请补正重报", "sent back: submit it again"),
    "granted": Text("已批准，请知悉", "was granted; take note"),
    "refused": Text("未获批准，请知悉", "was refused; take note"),
    "emergency": Text("紧急先行，请知悉", "was done first in an emergency; take note"),
}
"""What each step asks; the last three tell the leaders, each by a duty of his own, which is done once he has acknowledged
it. The rule that a duty names is ``approval.<step>``."""
ASKED = frozenset({"decide", "sign", "submit"})
"""Steps that somebody is asked for; the others are told."""
TURNED = "已办理或转交 / it has been decided or passed on"


@dataclass(frozen=True, slots=True)
class Approvals(Quiet):
    """The watcher."""

    def hear(self, book: Book, heard: Heard) -> None:
        event, step = heard.event, heard.event.name.partition(".")[2]
        subject = f"record/{event.facts['approval'] if step == 'countersigned' else heard.record}"
        if step == "requested" and book.body(subject) is None:
            said = {"m": event.facts["matter"], "p": event.person, "l": event.place, "by": heard.officer, "d": False}
            book.keep(subject, said)
        body = book.body(subject)
        if body is None:
            return
        if step == "circulated":
            officer = str(event.facts["officer"])
            _ask(book, subject, body, f"sign:{officer}", REQUESTERS, SIGN_MS, officer=officer)
        elif step == "countersigned":
            for duty in _waiting(book, subject, f"sign:{heard.officer}"):
                book.fulfil(duty.id, heard.record, heard.when)
        else:
            _turn(book, subject, body, heard, step)

    def wake(self, book: Book, subject: str, body: Body) -> None:
        _go_on(book, subject, body)


def companions() -> Sequence[Watcher]:
    """What the engine is given besides the families of rules."""
    names = (
        "requested", "granted", "refused", "returned", "passed_on", "emergency", "withdrawn", "circulated", "countersigned",
    )  # fmt: skip
    return (Approvals(OWNER, frozenset(f"approval.{name}" for name in names)),)


def _turn(book: Book, subject: str, body: Body, heard: Heard, step: str) -> None:
    """What was asked is done by this step, or called off by it; what it asks next."""
    did = {"requested": "submit", "emergency": "", "withdrawn": ""}.get(step, "decide")
    for duty in _waiting(book, subject) if step != "emergency" else ():
        if duty.part.startswith("sign") and step == "passed_on":
            continue
        if duty.part == did:
            book.fulfil(duty.id, heard.record, heard.when)
        else:
            book.cancel(duty.id, TURNED)
    if step in {"requested", "passed_on"}:
        _decide(book, subject, body, heard)
    elif step == "returned":
        _ask(book, subject, body, "submit", REQUESTERS, SUBMIT_MS, officer=body["by"])
    elif step != "withdrawn":
        for post in sorted(LEADERS):
            _ask(book, subject, body, f"{step}:{post}", (post,), TOLD_MS, loud=step == "emergency")
    _go_on(book, subject, {**body, "d": body["d"] or step in {"granted", "refused", "withdrawn"}})


def _waiting(book: Book, subject: str, part: str = "") -> list[Open]:
    """What somebody is still asked for: this part of it, or all."""
    return [duty for duty in book.open(subject) if _step(duty) in ASKED and part in {"", duty.part}]


def _step(duty: Open) -> str:
    return duty.part.partition(":")[0]


def _go_on(book: Book, subject: str, body: Body) -> None:
    """Who has acknowledged what he was told has been told; the others are looked at again shortly before it is due."""
    told = [duty for duty in book.open(subject) if _step(duty) not in ASKED and duty.state != "missed"]
    for duty in told:
        if duty.state == "acknowledged":
            book.fulfil(duty.id, subject.partition("/")[2], book.now)
    left = [duty.due - MINUTE_MS for duty in told if duty.state != "acknowledged"]
    coming = [at for at in left if at > book.now]
    if coming or not body["d"]:
        book.keep(subject, body, min(coming, default=None))
    else:
        book.forget(subject)


def _decide(book: Book, subject: str, body: Body, heard: Heard) -> None:
    within = MATTERS[body["m"]].answer
    if within is None:
        return
    facts = heard.event.facts
    officer = str(facts["officer"]) if facts["officer"] else None
    _ask(book, subject, body, "decide", str(facts["asks"]).split(), within, officer=officer)


def _ask(book: Book, subject: str, body: Body, part: str, posts: Sequence[str], within: int, **other: Any) -> None:
    step, due = part.partition(":")[0], book.now + within
    what, asks = MATTERS[body["m"]].text, STEPS[step]
    text = Text(f"{what.zh}：{asks.zh}", f"{what.en}: {asks.en}")
    chain = ((due + LATE_MS, (Post.DIR.value,)),) if step == "decide" else ()
    about = {"person": body["p"], "place": body["l"], "cause": subject.partition("/")[2]}
    rule = f"approval.{step}"
    book.ask(
        Ask(
            OWNER,
            subject,
            book.now,
            due,
            text,
            SOURCE,
            tuple(map(str, posts)),
            rule,
            part=part,
            chain=chain,
            **about,
            **other,
        )
    )
