"""The kind ``assessment``: one assessment of one person's risk, signed by who made it. It lies in his case compartment: the
grade stands in the register for whoever patrols, what it rests on does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema
from marshmallow.fields import Nested

from backend.domain.assessments import MEASURES, QUESTIONS, SORTS
from backend.domain.custody import RISKS
from backend.domain.posts import Post
from backend.kernel.clock import from_text
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
    late_since,
)  # fmt: skip
from backend.kernel.problems import Problem
from backend.records.forms import choice, listed, moment, named, no_time, reference, referred, strangers, word, yes_no

Answers = Schema.from_dict({name: yes_no(allow_none=True) for name in QUESTIONS}, name="Answers")


class AssessmentFields(Schema):
    """An assessment. Each of ``answers`` is true, false, or null where nobody could tell; ``grade`` null: no special risk;
    ``reason`` is what the grade rests on in words, ``rests_on`` the records behind it; ``participants`` other officers."""

    person = reference()
    sort = choice(tuple(SORTS))
    assessed_at = moment()
    participants = listed(reference(), 8)
    answers = Nested(Answers, required=True)
    grade = choice(tuple(RISKS), allow_none=True)
    reason = word(2000)
    rests_on = listed(reference(), 20)
    measures = listed(choice(tuple(MEASURES)), len(MEASURES), 1)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["person"], *fields["rests_on"]))


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    if wrong := no_time(said, "assessed_at") or strangers(known, said["rests_on"], "rests_on"):
        return wrong
    if "none" in said["measures"] and len(said["measures"]) > 1:
        return Problem("field.invalid", "fields.measures")
    person = referred(known, said, "person", "person")
    if isinstance(person, Problem):
        return person
    found = (
        (person.state != "held", Mark("person.not_held")),
        (person.doc.get("risk") != said["grade"], Mark("grade.differs")),
    )
    marks = late_since(deed, from_text(said["assessed_at"])) + tuple(mark for remarkable, mark in found if remarkable)
    return Ruling(said, f"person/{person.id}/{Compartment.CASE}", "recorded", None, marks)


def _events(_before: Version | None, after: Version) -> Iterator[Event]:
    said = after.doc
    differs = any(code == "grade.differs" for code, _ in after.marks)
    facts = {"grade": said["grade"], "screen": said["sort"] == "screen", "differs": differs}
    yield Event("risk.assessed", min(from_text(said["assessed_at"]), after.observed_at), said["person"], None, facts)


ASSESSMENT = Kind(
    name="assessment",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.CASE,
    writers=frozenset({Post.DISC, Post.MED, Post.LEAD, Post.DIR}),
    verbs={
        "record": Verb(
            AssessmentFields,
            _record,
            Text("记录风险评估", "record an assessment"),
            creates=True,
            signoff=True,
            needs=_needs,
        )
    },
    text=Text("风险评估", "risk assessment"),
    labels={
        "person": Text("评估对象", "of whom"),
        "sort": Text("评估类别", "sort"),
        **named("sort", SORTS),
        "assessed_at": Text("评估时间", "when"),
        "participants": Text("参加民警", "other officers"),
        "answers": Text("逐项情况", "answers"),
        **named("answers", QUESTIONS),
        "grade": Text("评定等级", "grade"),
        **named("grade", RISKS),
        "reason": Text("评定依据", "what the grade rests on"),
        "rests_on": Text("依据记录", "records behind it"),
        "measures": Text("管控措施", "measures"),
        **named("measures", MEASURES),
    },
    marks={
        "person.not_held": Text("评估对象已出所", "the person had been released"),
        "grade.differs": Text("评定等级与在册等级不同", "another grade than the register has"),
    },
    raises={"risk.assessed": Text("风险评估已完成", "a person's risk was assessed")},
    events=_events,
)
