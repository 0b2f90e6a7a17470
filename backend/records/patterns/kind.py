"""The kind ``pattern``: records that look as if rounds were not walked, or talks not held (rule Y05). The server reports it,
or a leader; a leader looks at a video sample and says what it was. It is a matter of its own (``matter/<itself>/base``), from
which the officers whose records they are are left out, whatever their posts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain import standing
from backend.domain.integrity import SIGNS
from backend.domain.posts import Post
from backend.kernel.clock import to_text
from backend.kernel.events import Event, Version
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
from backend.records.forms import choice, listed, moment, named, reference, word

VERDICTS: Mapping[str, Text] = {
    "genuine": Text("记录属实", "it was as recorded"),
    "explained": Text("有合理原因", "there was a good reason"),
    "not_done": Text("未实际履行", "it was not done as recorded"),
    "unclear": Text("无法认定", "nobody can tell"),
}
LEADERS = frozenset({Post.LEAD, Post.DIR})


class Report(Schema):
    """What looks odd: in whose records (``against``, as in every matter), in which, where (null: in no one
    place), from when until when."""

    sign = choice(tuple(SIGNS))
    against = listed(reference(), 8, 1)
    place = reference(allow_none=True)
    records = listed(reference(), 20)
    first_at = moment()
    last_at = moment()


class Review(Schema):
    """What it was, and which video was looked at."""

    verdict = choice(tuple(VERDICTS))
    video = word(200)
    note = word(1000, allow_none=True)


def _needs(said: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((said["place"],) if said["place"] else ())


def _report(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    span = standing.span(said, "first_at", "last_at")
    if isinstance(span, Problem):
        return span
    if said["place"] and standing.place(known, said["place"]) is None:
        return Problem("reference.unknown", "fields.place")
    return _ruling({**said, "state": "open", "reviewed": None}, deed, (Mark("pattern.suspected", "Y05"),))


def _review(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    if not known.posts() & LEADERS:
        return Problem("officer.unauthorised", "officer")
    if head.state != "open":
        return Problem("record.state", state=head.state)
    reviewed = {**deed.fields, "at": to_text(deed.observed_at), "by": deed.officer}
    return _ruling({**head.doc, "state": "reviewed", "reviewed": reviewed}, deed, lateness(deed))


def _ruling(doc: Mapping[str, Any], deed: Deed, marks: tuple[Mark, ...]) -> Ruling:
    partition = f"matter/{deed.record}/{Compartment.BASE}"
    return Ruling(doc, partition, doc["state"], None, marks, excluded=frozenset(doc["against"]))


def _events(before: Version | None, after: Version) -> Iterator[Event]:
    if before is not None and before.state == "open" and after.state == "reviewed":
        facts = {"sign": after.doc["sign"], "verdict": after.doc["reviewed"]["verdict"]}
        yield Event("pattern.reviewed", after.observed_at, place=after.doc["place"], facts=facts)


PATTERN = Kind(
    name="pattern",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.BASE,
    writers=LEADERS | {Post.SYS},
    verbs={
        "report": Verb(Report, _report, Text("提示", "report"), creates=True, needs=_needs),
        "review": Verb(Review, _review, Text("复核", "review"), signoff=True, watches=("state",)),
    },
    text=Text("履职异常提示", "sign that a record is not genuine"),
    labels={
        "sign": Text("异常类型", "sign"),
        **named("sign", SIGNS),
        "against": Text("涉及民警", "whose records they are"),
        "place": Text("场所", "place"),
        "records": Text("相关记录", "records"),
        "first_at": Text("起始时间", "from"),
        "last_at": Text("截止时间", "until"),
        "verdict": Text("复核结论", "what it was"),
        **named("verdict", VERDICTS),
        "video": Text("所查录像", "video that was looked at"),
        "note": Text("说明", "note"),
        "state": Text("状态", "state"),
        "state.open": Text("待复核", "to be reviewed"),
        "state.reviewed": Text("已复核", "reviewed"),
        "reviewed": Text("复核", "review"),
    },
    marks={
        "pattern.suspected": Text(
            "记录有异常规律，须结合录像复核", "records look odd; to be reviewed with a video sample"
        )
    },
    settlers=LEADERS,
    raises={"pattern.reviewed": Text("履职异常已复核", "a sign was reviewed")},
    events=_events,
)
