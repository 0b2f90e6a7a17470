"""Who is asked because of an incident or a hazard: a leader takes command, whoever is given a part knows it on his handheld,
a hazard is given to somebody, put right by its time and verified. All times are local defaults.

A companion of the engine (``backend.duty.engine.family``). It keeps nothing: what is open on a record says where it stands.
The rule that a duty names is ``incident.<step>`` or ``hazard.<step>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.plans import ROLES, TYPES
from backend.domain.posts import POLICE, Post
from backend.domain.routing import HOUR, MINUTE, TIMES
from backend.duty.engine.family import Ask, Book, Heard, Quiet, Watcher
from backend.kernel.clock import from_text
from backend.kernel.kind import Text

OWNER = "emergencies"
SOURCE = "mps2018 突发事件处置, news2022 隐患排查; 本地设定，非法定 local default"
TOLD_MS, REPORT_MS, VERIFY_MS, LEAST_MS = 5 * MINUTE, 24 * HOUR, 24 * HOUR, HOUR
"""How long for whoever is given a part to begin with it, for the report of an incident, for verifying what was put right;
and the least that is left to put it right where its time has nearly passed."""
STEPS = {
    "incident.command": Text("到岗指挥，分派职责", "take command and give out the parts"),
    "incident.report": Text("处置结束并提交报告", "end it and write the report"),
    "incident.part": Text("按分工处置", "do the part that was given"),
    "hazard.assign": Text("安全隐患：指定整改责任和期限", "hazard: say who puts it right, and until when"),
    "hazard.rectify": Text("整改安全隐患", "put the hazard right"),
    "hazard.verify": Text("复查整改情况", "see whether the hazard is gone"),
}
OVER = "已结束 / it is over"
DONE = "已另行处理 / it was dealt with otherwise"
_LEAD, _DIR = (Post.LEAD.value,), (Post.DIR.value,)
_MAY = frozenset(post.value for post in POLICE | {Post.AUX})


@dataclass(frozen=True, slots=True)
class Emergencies(Quiet):
    """The watcher."""

    def hear(self, book: Book, heard: Heard) -> None:
        _HEARD[heard.event.name](book, heard)


def companions() -> Sequence[Watcher]:
    """What the engine is given besides the families of rules."""
    return (Emergencies(OWNER, frozenset(_HEARD)),)


def _subject(heard: Heard) -> str:
    return f"record/{heard.record}"


def _ask(
    book: Book, heard: Heard, step: str, posts: Sequence[str], due: int, *, text: Text | None = None,
    officer: str | None = None, part: str = "",
) -> None:  # fmt: skip
    facts, event = heard.event.facts, heard.event
    late = TIMES[str(facts["severity"])].late
    chain = ((due, _DIR),) if tuple(posts) == _LEAD else ((due, _LEAD), (due + late, _DIR))
    loud = facts["severity"] == "urgent" and step in {"incident.command", "incident.part"}
    book.ask(
        Ask(
            OWNER, _subject(heard), book.now, due, text or STEPS[step], SOURCE, tuple(posts), step,
            part=f"{part or step}:{heard.when}", chain=chain, loud=loud, officer=officer, person=event.person,
            place=event.place, cause=heard.record,
        )
    )  # fmt: skip


def _fulfil(book: Book, heard: Heard, *steps: str, officer: str | None = None) -> None:
    for duty in list(book.open(_subject(heard))):
        if duty.rule in steps and officer in {None, duty.officer}:
            book.fulfil(duty.id, heard.record, heard.when)


def _call_off(book: Book, heard: Heard, reason: str, *steps: str) -> None:
    for duty in list(book.open(_subject(heard))):
        if not steps or duty.rule in steps:
            book.cancel(duty.id, reason)


def _named(what: Text, asks: Text) -> Text:
    return Text(f"{what.zh}：{asks.zh}", f"{what.en}: {asks.en}")


def _opened(book: Book, heard: Heard) -> None:
    facts = heard.event.facts
    what, times = TYPES[str(facts["type"])], TIMES[str(facts["severity"])]
    within = times.deploy or times.handle
    _ask(book, heard, "incident.command", _LEAD, book.now + within, text=_named(what, STEPS["incident.command"]))
    _ask(book, heard, "incident.report", _LEAD, book.now + REPORT_MS, text=_named(what, STEPS["incident.report"]))


def _assigned(book: Book, heard: Heard) -> None:
    _fulfil(book, heard, "incident.command")


def _part(book: Book, heard: Heard) -> None:
    """Whoever is given a part is told, and has begun with it as soon as he does anything in the incident."""
    facts = heard.event.facts
    officer, role = str(facts["officer"]), str(facts["role"])
    text = _named(TYPES[str(facts["type"])], ROLES[role])
    posts = _posts_of(book, officer)
    _ask(book, heard, "incident.part", posts, book.now + TOLD_MS, text=text, officer=officer, part=f"{role}:{officer}")


def _posts_of(book: Book, officer: str) -> tuple[str, ...]:
    """The posts at which an officer serves; a duty that names him must name a post too."""
    found = {each.post for each in book.rota.on_duty(book.now) if each.officer == officer}
    return tuple(sorted(found & _MAY)) or _LEAD


def _worked(book: Book, heard: Heard) -> None:
    _fulfil(book, heard, "incident.part", officer=str(heard.event.facts["officer"]))


def _closed(book: Book, heard: Heard) -> None:
    _fulfil(book, heard, "incident.report")
    _call_off(book, heard, OVER)


def _found(book: Book, heard: Heard) -> None:
    _ask(book, heard, "hazard.assign", _LEAD, book.now + TIMES[str(heard.event.facts["severity"])].handle)


def _given(book: Book, heard: Heard) -> None:
    """It is given to somebody; to another than before, or with another time, it is asked anew."""
    facts = heard.event.facts
    _fulfil(book, heard, "hazard.assign")
    _call_off(book, heard, DONE, "hazard.rectify")
    due = max(from_text(str(facts["rectify_by"])), book.now + LEAST_MS)
    officer = None if facts["officer"] is None else str(facts["officer"])
    _ask(book, heard, "hazard.rectify", str(facts["posts"]).split(), due, officer=officer)


def _rectified(book: Book, heard: Heard) -> None:
    _fulfil(book, heard, "hazard.rectify")
    _call_off(book, heard, DONE, "hazard.assign")
    _ask(book, heard, "hazard.verify", _LEAD, book.now + VERIFY_MS)


def _returned(book: Book, heard: Heard) -> None:
    """It is looked at and not right: who had it to do has it again."""
    _fulfil(book, heard, "hazard.verify")
    if heard.event.facts["posts"]:
        _given(book, heard)
    else:
        _found(book, heard)


def _verified(book: Book, heard: Heard) -> None:
    _fulfil(book, heard, "hazard.verify")
    _call_off(book, heard, OVER)


_HEARD = {
    "incident.opened": _opened,
    "incident.assigned": _assigned,
    "incident.part": _part,
    "incident.worked": _worked,
    "incident.closed": _closed,
    "hazard.found": _found,
    "hazard.assigned": _given,
    "hazard.rectified": _rectified,
    "hazard.returned": _returned,
    "hazard.verified": _verified,
}
