"""The kind ``papers`` (身份证件): what a person is identified by. It lies in his case compartment, for a patrol needs no
identity number. What stands on a paper is recorded as it stands there; a number that does not check is marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from marshmallow import Schema, validate
from marshmallow.fields import String

from backend.domain import resident_id
from backend.domain.posts import Post
from backend.kernel.kind import REMOVED, Compartment, Deed, Head, Kind, Known, Mark, Needs, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import choice, edits_of, named, reference, word

TYPES: Mapping[str, Text] = {
    "resident_id": Text("居民身份证", "resident identity card"),
    "passport": Text("护照", "passport"),
    "permit": Text("通行证或居留证", "travel or residence permit"),
    "other": Text("其他证件", "other"),
}
_DAY = r"(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z"


class PapersFields(Schema):
    """A paper as a whole. ``name``: as it stands on it, null where it is not legible; ``valid_until``: its last day, null
    where it has none or none is known."""

    person = reference()
    type = choice(tuple(TYPES))
    number = word(40)
    name = word(80, allow_none=True)
    valid_until = String(required=True, validate=validate.Regexp(_DAY), allow_none=True)


PapersChange = edits_of(PapersFields, "type", "number", "name", "valid_until")


class PapersRemoved(Schema):
    """Why it is taken away: it is another person's, or was entered by mistake."""

    reason = word(500)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["person"],))


def _create(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    person = known.record(deed.fields["person"])
    if person is None or person.kind != "person":
        return Problem("reference.unknown", "fields.person")
    return _papers(deed.fields)


def _change(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    return _papers({**head.doc, **deed.fields})


def _remove(_deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    return Ruling(head.doc, head.partition, REMOVED)


def _papers(doc: Mapping[str, Any]) -> Ruling | Problem:
    if doc["valid_until"] is not None and not _is_day(doc["valid_until"]):
        return Problem("field.invalid", "fields.valid_until")
    wrong = doc["type"] == "resident_id" and not resident_id.is_right(doc["number"])
    marks = (Mark("papers.checksum"),) if wrong else ()
    return Ruling(doc, f"person/{doc['person']}/{Compartment.CASE}", "open", marks=marks)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


PAPERS = Kind(
    name="papers",
    version=1,
    policy=Policy.SHARED,
    compartment=Compartment.CASE,
    writers=frozenset({Post.INT}),
    verbs={
        "create": Verb(PapersFields, _create, Text("登记证件", "record a paper"), creates=True, needs=_needs),
        "change": Verb(PapersChange, _change, Text("修改证件", "change a paper"), edits=True),
        "remove": Verb(PapersRemoved, _remove, Text("删除证件", "take a paper away"), watches=("state",), removes=True),
    },
    text=Text("身份证件", "identity papers"),
    labels={
        "person": Text("持有人", "whose"),
        "type": Text("证件类型", "type"),
        **named("type", TYPES),
        "number": Text("证件号码", "number"),
        "name": Text("证件姓名", "name on it"),
        "valid_until": Text("有效期至", "valid until"),
        "reason": Text("删除原因", "reason"),
        "state.open": Text("在册", "recorded"),
        "state.removed": Text("已删除", "taken away"),
    },
    marks={"papers.checksum": Text("身份证号码校验不符", "the number of the identity card does not check")},
    settlers=frozenset({Post.INT, Post.LEAD, Post.DIR}),
)
