"""What a risk assessment (风险评估) asks, and what may follow from it.

No source gives the list of questions or of measures: both are local defaults, not law (rules A10, T11). Each question is
answered by itself; nothing counts them up, and the grade is what officers agree on.
"""

from __future__ import annotations

from collections.abc import Mapping

from backend.kernel.kind import Text

SORTS: Mapping[str, Text] = {
    "screen": Text("入所筛查", "screen at admission"),
    "regular": Text("定期复评", "regular reassessment"),
    "event": Text("情况变化后评估", "after something has changed"),
}

QUESTIONS: Mapping[str, Text] = {
    "self_harm_now": Text("现有轻生或自伤言行", "words or acts of self-harm at present"),
    "self_harm_before": Text("有轻生或自伤经历", "self-harm in the past"),
    "mental_illness": Text("有精神疾病表现或病史", "signs or a history of mental illness"),
    "withdrawal": Text("酒精或毒品戒断反应", "withdrawal from alcohol or drugs"),
    "illness_or_injury": Text("有伤病", "ill or injured"),
    "heavy_sentence": Text("可能判处重刑", "may expect a heavy sentence"),
    "first_custody": Text("初次被羁押", "in custody for the first time"),
    "family_blow": Text("近期家庭重大变故", "a recent blow in the family"),
    "violence": Text("有暴力倾向", "violent"),
    "escape": Text("有脱逃企图或经历", "has tried or means to escape"),
    "bullied": Text("受同监室人员排斥或欺压", "shunned or bullied in the cell"),
}

MEASURES: Mapping[str, Text] = {
    "constant_watch": Text("专人值守", "constant watch"),
    "closer_patrol": Text("加密巡视", "closer patrol"),
    "cell_watch": Text("监室值班重点关注", "attention of the cell watch"),
    "medic": Text("医务处置", "medic"),
    "counselling": Text("心理咨询", "counselling"),
    "cell_move": Text("调整监室", "another cell"),
    "talks": Text("增加谈话", "more talks"),
    "restraint": Text("申请使用械具", "restraint is asked for"),
    "none": Text("暂不采取措施", "none for the time being"),
}
