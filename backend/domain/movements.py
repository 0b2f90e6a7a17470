"""Movements out of the facility under escort (出所押解): sorts, what each needs first, how many go with it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backend.kernel.kind import Text

KIND = "movement"


@dataclass(frozen=True, slots=True)
class Sort:
    """``matter``: what must be approved first (``backend.domain.approvals``), or None: then the organ that fetches him brings a
    document. ``rule``: the row behind that."""

    text: Text
    matter: str | None = None
    rule: str | None = None


SORTS: Mapping[str, Sort] = {
    "outside_treatment": Sort(Text("出所就医", "treatment outside"), "outside_treatment", "H08"),
    "leave": Sort(Text("请假出所", "leave"), "leave"),
    "court": Sort(Text("出庭", "court")),
    "interrogation": Sort(Text("提解讯问", "interrogation outside")),
    "identification": Sort(Text("辨认、起赃", "identification, or recovery of goods")),
    "transfer": Sort(Text("移送其他监所", "transfer")),
    "other": Sort(Text("其他", "other")),
}
RESTRAINTS: Mapping[str, Text] = {
    "none": Text("未使用", "none"),
    "handcuffs": Text("手铐", "handcuffs"),
    "leg_irons": Text("脚镣", "leg irons"),
    "rope": Text("警绳", "rope"),
}
"""What there is: handcuffs, leg irons and rope only (公通字[1991]38号)."""
CREW, CREW_OF_PRISONS = 2, 3
"""How many officers at least (rule H09, a local default)."""


def crew_of(facility_type: str) -> int:
    """How many officers at least escort a person of a facility of a type."""
    return CREW_OF_PRISONS if facility_type == "PR" else CREW
