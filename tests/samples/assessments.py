"""Risk assessments: the screen of p1 at admission, which finds no special risk."""

from __future__ import annotations

from typing import Any

from backend.domain.assessments import QUESTIONS
from tests.samples import Fields, Sample, Stage, Wrong, but


def _assessment(stage: Stage) -> dict[str, Any]:
    return {
        "person": stage.id("p1"),
        "sort": "screen",
        "assessed_at": stage.now(),
        "participants": [stage.id("MED")],
        "answers": dict.fromkeys(QUESTIONS, False) | {"first_custody": True, "family_blow": None},
        "grade": None,
        "reason": "情绪稳定，无轻生言行 𠮷",
        "rests_on": [stage.id("p1")],
        "measures": ["talks"],
    }


def _without(question: str) -> Fields:
    def fields(stage: Stage) -> dict[str, Any]:
        said = _assessment(stage)
        return said | {"answers": {name: said["answers"][name] for name in QUESTIONS if name != question}}

    return fields


def _wrong(what: str, code: str, field: str | None, fields: Fields) -> Wrong:
    return Wrong(what, "record", fields, code, field)


def _with(field: str, name: str, *, several: bool = False) -> Fields:
    return lambda stage: _assessment(stage) | {field: [stage.id(name)] if several else stage.id(name)}


ASSESSMENT = Sample(
    kind="assessment",
    writer="DISC",
    reader="LEAD",
    outsider="PAT",
    verbs={"record": _assessment},
    wrong=(
        _wrong("a place that is assessed", "reference.unknown", "fields.person", _with("person", "C1")),
        _wrong("a person that there is not", "operation.held", None, _with("person", "DISC")),
        _wrong("on a record that there is not", "operation.held", None, _with("rests_on", "PAT", several=True)),
        _wrong("a question that is not answered", "field.missing", "fields.answers.escape", _without("escape")),
        _wrong("answers as numbers", "field.invalid", "fields.answers.escape",
               lambda stage: _assessment(stage) | {"answers": _assessment(stage)["answers"] | {"escape": 0}}),
        _wrong("all normal", "field.invalid", "fields.answers", but(_assessment, answers=None)),
        _wrong("a grade in points", "field.invalid", "fields.grade", but(_assessment, grade=87)),
        _wrong("no word on the grade", "field.missing", "fields.grade", but(_assessment, "grade")),
        _wrong("nothing that it rests on", "field.invalid", "fields.reason", but(_assessment, reason="")),
        _wrong("no word on measures", "field.invalid", "fields.measures", but(_assessment, measures=[])),
        _wrong("none, and some", "field.invalid", "fields.measures", but(_assessment, measures=["none", "talks"])),
        _wrong("a day that there is not", "field.invalid", "fields.assessed_at",
               but(_assessment, assessed_at="2026-02-30T10:00:00.000Z")),
    ),
)  # fmt: skip

SAMPLES = (ASSESSMENT,)
