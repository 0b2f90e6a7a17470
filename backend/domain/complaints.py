"""Complaints and appeals of persons held: of what sort, to whom, and within what time they are forwarded.

看守所条例46: a complaint or appeal is forwarded in time and never held back. 拘留所条例29: an appeal is forwarded within 24
hours, letters unopened. 期限规定33: so is a complaint of detention beyond its term.
"""

from __future__ import annotations

from collections.abc import Mapping

from backend.kernel.kind import Text

SORTS: Mapping[str, Text] = {
    "complaint": Text("投诉", "complaint"),
    "accusation": Text("控告", "accusation"),
    "report": Text("检举", "report of a crime"),
    "appeal": Text("申诉", "appeal"),
    "over_detention": Text("超期羁押申诉", "complaint of detention beyond its term"),
}
BY: Mapping[str, Text] = {
    "person": Text("本人", "the person held"),
    "kin": Text("近亲属", "next of kin"),
    "lawyer": Text("律师", "lawyer"),
    "other": Text("其他人", "somebody else"),
}
ORGANS: Mapping[str, Text] = {
    "facility": Text("本所", "this facility"),
    "bureau": Text("主管公安机关", "the bureau above"),
    "procuratorate": Text("人民检察院", "procuratorate"),
    "court": Text("人民法院", "court"),
    "supervision": Text("监察机关", "supervisory commission"),
    "other": Text("其他机关", "another organ"),
}
FORWARD_MS = 24 * 3_600_000


def clock_rule(sort: str, facility_type: str) -> str | None:
    """The row of the duty rules that gives 24 hours for forwarding; None where the law says "in time" and no number."""
    if sort == "over_detention":
        return "L06"
    return "V02" if facility_type == "JLS" else None
