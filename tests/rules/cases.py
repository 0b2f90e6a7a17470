"""What each rule asks for, written down apart from the packs: who, by when, what does it, who is told. Times are minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.kernel.events import Scalar

H, D = 60, 24 * 60
Said = tuple[str, Mapping[str, Scalar]]
"""An event and its facts."""


def said(name: str, **facts: Scalar) -> Said:
    return name, facts


def reported(category: str, severity: str = "important") -> Said:
    return "dynamic.reported", {"category": category, "severity": severity}


def step(name: str, category: str) -> Said:
    return f"dynamic.{name}", {"category": category, "severity": "important"}


@dataclass(frozen=True)
class Case:
    """``on``: each of these at noon of a Sunday makes a duty that opens ``opens`` after it and is due ``due`` after it.
    ``does``: each of these fulfils it; none: only its completion. ``near``: makes none. ``ends``: each of these
    ends the state, and calls off what was asked. ``told``: minutes after it was due
    → who is told. ``again``: how long after it was done the next one is due; None: there is none."""

    rule: str
    on: tuple[Said, ...]
    due: int
    posts: str
    opens: int = 0
    does: tuple[Said, ...] = ()
    near: tuple[Said, ...] = ()
    ends: tuple[Said, ...] = ()
    told: Mapping[int, str] = field(default_factory=lambda: {0: "LEAD"})
    type: str = "KSS"
    warn: int | None = None
    again: int | None = None
    loud: bool = False


ADMITTED = said("admission.accepted", cell="c1", sex="m")
TALKED = said("talk.recorded", occasion="monthly", sort="education", mood="calm", minutes=12)
ASSESSED = said("risk.assessed", grade="grade2", screen=False)
SCREENED = said("risk.assessed", grade="grade2", screen=True)
LEFT = said("person.released", ground="bail")


def talked(occasion: str) -> Said:
    return said("talk.recorded", occasion=occasion, sort="education", mood="calm", minutes=12)


def marked(rule: str) -> Said:
    return said("record.marked", code="any", rule=rule, kind="talk")


def asked(matter: str, step_: str = "requested") -> Said:
    return said(f"approval.{step_}", matter=matter)


def stage(to: str) -> Said:
    return said("stage.changed", stage=to, before="detained")


STAGES = tuple(
    stage(each)
    for each in ("arrested", "prosecution", "first_instance", "second_instance", "death_review", "sentenced")
)

CASES = (
    # A
    Case("A07", (ADMITTED,), 1 * H, "INT", near=(said("person.registered", cell="c1"),)),
    Case("A09", (ADMITTED,), 24 * H, "DISC", does=(TALKED,), warn=18 * H, told={0: "LEAD", 4 * H: "DIR"}),
    Case("A10", (ADMITTED,), 12 * H, "DISC MED", does=(SCREENED,), warn=6 * H),
    Case("A11", (ADMITTED,), 24 * H, "DISC", opens=12 * H, does=(TALKED,), again=24 * H, ends=(LEFT,)),
    Case("A11.review", (ADMITTED,), 7 * D, "DISC", opens=6 * D, ends=(LEFT,)),
    Case("A12", (ADMITTED,), 24 * H, "LEAD", opens=12 * H, told={0: "DIR"}, type="QJ", ends=(LEFT,)),
    Case("A14", (ADMITTED,), 5 * D, "INT", warn=3 * D, told={0: "DIR"}, type="PR"),
    Case("A15", (reported("foreigner"),), 48 * H, "INT LEAD", does=(step("answered", "foreigner"),),
         near=(reported("consular"),), told={0: "DIR CITY"}),
    Case("A16", (reported("consular"),), 24 * H, "INT", does=(step("handled", "consular"),), told={0: "DIR"}),
    Case("A17", (reported("duty_lawyer"),), 24 * H, "INT", does=(step("handled", "duty_lawyer"),), warn=12 * H,
         near=(reported("lawyer_request"),), told={0: "LEAD PROC"}),
    Case("A18", (reported("legal_aid"),), 24 * H, "INT", does=(step("handled", "legal_aid"),), warn=12 * H,
         told={0: "LEAD PROC"}),
    # L
    Case("L04", (reported("term_unproven"),), 30, "INT DIR", loud=True, told={0: "PROC CASE CITY"},
         does=(step("answered", "term_unproven"), step("closed", "term_unproven"))),
    Case("L05", (stage("prosecution"), stage("first_instance"), stage("second_instance")), 4 * H, "INT",
         near=(stage("arrested"),), told={0: "LEAD PROC"}),
    Case("L06", (said("complaint.received", sort="over_detention"),), 24 * H, "INT", warn=12 * H,
         does=(said("complaint.forwarded", to="PROC"),), near=(said("complaint.received", sort="complaint"),),
         told={0: "PROC"}),
    Case("L07", (reported("measure_change"),), 3 * D, "CASE INT", warn=2 * D, does=(step("handled", "measure_change"),),
         told={0: "PROC"}),
    Case("L08", (reported("execution_notice"),), 28 * D, "INT", warn=20 * D,
         does=(said("person.released", ground="handed_over"),), told={0: "DIR PROC"}),
    Case("L10", (reported("wrong_detention"),), 30, "INT", does=(step("handled", "wrong_detention"),), loud=True,
         told={0: "DIR"}, type="JLS"),
    Case("L10.decision", (reported("wrong_detention"),), 24 * H, "INT", does=(step("answered", "wrong_detention"),),
         told={0: "DIR"}, type="JLS"),
    Case("L11", (asked("leave"),), 12 * H, "INT", does=(asked("leave", "granted"), asked("leave", "refused")),
         warn=6 * H, near=(asked("outside_treatment"),), told={0: "DIR"}, type="JLS"),
    Case("L14", (reported("term_change"),), 24 * H, "CASE INT", does=(step("answered", "term_change"),),
         told={0: "DIR"}, type="QJ"),
    # P
    Case("P04", (reported("intoxication"), reported("head_injury"), reported("withdrawal")), 30, "PAT MED", opens=20,
         loud=True, near=(reported("illness"),), told={0: "MED LEAD"},
         ends=(step("closed", "head_injury"), step("withdrawn", "head_injury"), LEFT)),
    Case("P06", (said("patrol.opened", officers=1),), 10, "LEAD", does=(said("patrol.opened", officers=2),),
         near=(said("patrol.opened", officers=3),), ends=(said("patrol.opened", officers=3),)),
    Case("P07", (marked("P07"),), 8 * H, "PAT LEAD", near=(marked("T02"),)),
    Case("P08", (asked("cell_open_at_night"),), 15, "LEAD", loud=True, told={0: "DIR"},
         does=tuple(asked("cell_open_at_night", each) for each in ("granted", "refused", "returned"))),
    Case("P13", (said("cell_watch.short", count=1),), 5, "DISC PAT", does=(said("cell_watch.enough", count=2),), loud=True),
    # T
    Case("T02", (marked("T02"),), 24 * H, "LEAD", near=(marked("T08"),), told={0: "DIR"}),
    Case("T03", (reported("lawyer_visit"),), 24 * H, "DISC", does=(talked("lawyer_visit"),)),
    Case("T04", (reported("family_visit"), reported("interrogation"), said("movement.returned", sort="interrogation")),
         24 * H, "DISC", does=(talked("family_visit"), talked("interrogation")),
         near=(said("movement.returned", sort="court"),)),
    Case("T05", (*STAGES, reported("judgment")), 12 * H, "DISC", does=(talked("stage_change"), talked("heavy_sentence"))),
    Case("T05.assessment", (*STAGES, reported("judgment")), 12 * H, "DISC", does=(ASSESSED,)),
    Case("T06", (reported("heavy_sentence"),), 2 * H, "DISC MED", does=(talked("heavy_sentence"),), loud=True,
         told={0: "DIR"}),
    Case("T07", (reported("family_event"),), 12 * H, "DISC", does=(talked("family_event"),)),
    Case("T07d", (reported("family_event"),), 72 * H, "DISC"),
    Case("T08", (said("mood.abnormal"), reported("self_harm")), 1 * H, "DISC MED", loud=True,
         does=(ASSESSED, said("counselling.referred", urgency="urgent")), near=(reported("mood"),)),
    Case("T09", (said("cell.moved", to="c2"), said("movement.returned", sort="leave"), reported("punishment"),
                 reported("leave_return"), reported("before_release")), 24 * H, "DISC",
         does=tuple(map(talked, ("cell_move", "punishment", "leave_return", "before_release"))),
         near=(said("movement.returned", sort="court"),)),
    Case("T10", (ADMITTED,), 7 * D, "DISC", opens=6 * D, does=(talked("follow_up"),), ends=(LEFT,)),
    Case("T11.grade1", (said("risk.changed", risk="grade1", before=None),), 24 * H, "DISC LEAD", opens=12 * H,
         does=(ASSESSED,), near=(said("risk.changed", risk="grade2"),), again=24 * H,
         ends=(said("risk.changed", risk="grade2"), said("risk.changed", risk=None), LEFT)),
    Case("T11.grade2", (said("risk.changed", risk="grade2", before=None),), 7 * D, "DISC LEAD", opens=5 * D,
         does=(ASSESSED,), near=(said("risk.changed", risk="grade1"),), again=7 * D,
         ends=(said("risk.changed", risk="grade1"), LEFT)),
    Case("T11.others", (ADMITTED, said("person.registered"), said("risk.changed", risk="grade3", before="grade1"),
                        said("risk.changed", risk=None, before="grade1")), 28 * D, "DISC LEAD", opens=24 * D,
         does=(ASSESSED,), near=(said("risk.changed", risk="grade2"),), again=28 * D,
         ends=(said("risk.changed", risk="grade1"), LEFT)),
    # H
    Case("H01", (ADMITTED, said("person.registered")), 180 * D, "MED", opens=150 * D, ends=(LEFT,)),
    Case("H02", (reported("illness"),), 24 * H, "MED", opens=12 * H, near=(reported("injury"),),
         ends=(step("closed", "illness"), step("withdrawn", "illness"), LEFT)),
    Case("H03", (reported("illness", "urgent"), said("dynamic.escalated", category="illness", severity="urgent")), 30,
         "MED", does=(step("handled", "illness"),), near=(reported("illness"),), loud=True),
    Case("H03.routine", (reported("illness"), reported("illness", "ordinary")), 24 * H, "MED",
         does=(step("handled", "illness"),), near=(reported("illness", "urgent"),)),
    Case("H05", (reported("refused_medicine"),), 12 * H, "MED", does=(step("handled", "refused_medicine"),)),
    Case("H08.emergency", (asked("outside_treatment", "emergency"),), 24 * H, "INT DIR", warn=12 * H,
         does=(asked("outside_treatment", "granted"),), near=(asked("cell_open_at_night", "emergency"),),
         told={0: "CITY"}),
    Case("H09", (said("movement.left", sort="outside_treatment"),), 30, "PAT DISC MED", opens=20, loud=True,
         does=(said("movement.checked_in", sort="outside_treatment"),), near=(said("movement.left", sort="court"),),
         told={0: "LEAD", 30: "CITY"}, again=30, ends=(said("movement.returned", sort="outside_treatment"), LEFT)),
    Case("H10", (reported("critical"),), 30, "MED DIR", does=(step("handled", "critical"),), loud=True,
         told={0: "CITY PROC"}),
    Case("H10d", (reported("critical"),), 1 * H, "DIR", told={0: "CITY PROC"}),
    Case("H11", (reported("refused_food"),), 12 * H, "DISC MED",
         does=(step("handled", "refused_food"), step("answered", "refused_food"))),
    Case("H12", (reported("refused_food"),), 76 * H, "MED", opens=72 * H, loud=True, told={0: "DIR PROC"},
         ends=(step("closed", "refused_food"), step("withdrawn", "refused_food"), LEFT)),
    Case("H12d", (reported("refused_food"),), 84 * H, "MED", opens=72 * H, told={0: "DIR PROC"},
         ends=(step("closed", "refused_food"), step("withdrawn", "refused_food"), LEFT)),
    Case("H13", (reported("outbreak"), said("incident.opened", type="outbreak")), 2 * H, "MED DIR", warn=1 * H,
         does=(step("handled", "outbreak"),), near=(reported("infection"),), loud=True, told={0: "CITY"}),
    Case("H14", (reported("pregnancy"), reported("psychosis"), reported("critical")), 4 * H, "MED DIR",
         does=(step("handled", "pregnancy"),), told={0: "DIR PROC"}),
    # I
    Case("I01", (reported("death"), said("incident.opened", type="death")), 1 * H, "DIR", loud=True, told={0: "CITY"}),
    Case("I02", (reported("escape"), said("incident.opened", type="escape")), 5, "PAT DIR", loud=True,
         does=(step("handled", "escape"),), near=(said("incident.opened", type="fire"),), told={0: "CITY PROC"}),
    Case("I02d", (said("incident.opened", type="escape"),), 30, "PAT DIR", loud=True, told={0: "CITY PROC"},
         ends=(said("incident.closed", type="escape"),)),
    Case("I03", (reported("self_harm", "urgent"), said("dynamic.escalated", category="self_harm", severity="urgent")), 2,
         "PAT DISC", does=(step("arrived", "self_harm"),), near=(reported("self_harm"),), loud=True),
    Case("I03d.medic", (reported("self_harm", "urgent"),), 5, "MED", near=(reported("self_harm"),), loud=True),
    Case("I04", (reported("alone"), reported("climbing"), reported("danger_area")), 2, "PAT", loud=True,
         does=(step("arrived", "climbing"), step("handled", "climbing"))),
    Case("I05", (reported("force_used"),), 8 * H, "PAT DISC LEAD", told={0: "PROC"}),
    Case("I05.weapon", (reported("weapon_used"),), 10, "PAT DISC LEAD", loud=True, told={0: "PROC"}),
    Case("I06", (said("headcount.mismatch", counted=7, expected=8),), 10, "PAT", loud=True,
         does=(said("headcount.solved", counted=8, expected=8),), told={0: "LEAD", 10: "DIR"}),
    # V
    Case("V01", (reported("lawyer_request"),), 48 * H, "INT", does=(reported("lawyer_visit"),), warn=24 * H,
         told={0: "LEAD PROC"}),
    Case("V01.second", (reported("lawyer_request"),), 48 * H, "INT LEAD", opens=40 * H, loud=True, told={0: "LEAD PROC"},
         ends=(reported("lawyer_visit"), LEFT)),
    Case("V02", (said("complaint.received", sort="complaint"),), 4 * H, "INT",
         does=(said("complaint.forwarded", to="PROC"),), told={0: "PROC"}),
    Case("V02.JLS", (said("complaint.received", sort="complaint"),), 24 * H, "INT", warn=12 * H,
         does=(said("complaint.forwarded", to="PROC"),), told={0: "PROC"}, type="JLS"),
    # Y
    Case("Y03", (marked("Y03"),), 8 * H, "LEAD", near=(marked("P07"),)),
    Case("Y05", (marked("Y05"),), 24 * H, "LEAD", told={0: "CITY"}),
    Case("Y07", (said("duty.missed", rule="A09"),), 8 * H, "LEAD", does=(said("duty.explained", rule="A09"),),
         told={0: "DIR"}),
)  # fmt: skip
"""Rules that an event asks for, at once or after a state has lasted."""

EXTRA = (
    Case("I04d.acknowledge", (reported("alone"),), 0, "PAT", loud=True,
         does=tuple(step(each, "alone") for each in ("acknowledged", "arrived", "handled"))),
)  # fmt: skip
"""Due in 30 seconds."""
