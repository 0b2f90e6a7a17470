"""Why a talk (谈话教育) is held, and what an officer may say of it.

The guidance of 2018 names three occasions (新入所, 律师家属会见, 诉讼阶段变化); the others are those of the duty rules A09, A11
and T01–T11.
"""

from __future__ import annotations

from collections.abc import Mapping

from backend.kernel.kind import Text

OCCASIONS: Mapping[str, Text] = {
    "admission": Text("新入所", "newly admitted"),
    "transition": Text("过渡期每日谈话", "daily in the first week"),
    "monthly": Text("月度例行谈话", "the month's regular talk"),
    "lawyer_visit": Text("律师会见后", "after a lawyer's visit"),
    "family_visit": Text("家属会见后", "after a family visit"),
    "interrogation": Text("提讯后", "after an interrogation"),
    "stage_change": Text("诉讼阶段变化", "the stage of proceedings has changed"),
    "heavy_sentence": Text("死刑或重刑判决送达", "a death or long sentence was served"),
    "family_event": Text("亲属死亡或患病", "a relative has died or is ill"),
    "low_mood": Text("情绪异常或有轻生言语", "abnormal mood, or words of self-harm"),
    "illness": Text("本人患病", "the person is ill"),
    "cell_move": Text("调换监室", "moved to another cell"),
    "punishment": Text("受到处分", "punished"),
    "leave_return": Text("请假出所返回", "back from leave"),
    "before_release": Text("出所前", "before release"),
    "follow_up": Text("七日回访", "follow-up on day 7"),
    "reassessment": Text("风险复评", "risk is assessed again"),
    "request": Text("本人要求", "the person asked for it"),
    "other": Text("其他", "other"),
}

EIGHT = frozenset(
    {"admission", "lawyer_visit", "family_visit", "stage_change", "family_event", "low_mood", "illness", "punishment"}
)
"""The occasions of 八必谈. No source was found for the list behind the word: these are a local default, not law."""

SORTS: Mapping[str, Text] = {
    "education": Text("谈话教育", "education"),
    "counselling": Text("心理疏导", "counselling"),
    "notice": Text("告知", "notice"),
    "assessment": Text("风险评估谈话", "risk assessment"),
    "inquiry": Text("了解情况", "inquiry"),
}

MOODS: Mapping[str, Text] = {
    "calm": Text("平稳", "calm"),
    "low": Text("低落", "low"),
    "anxious": Text("焦虑", "anxious"),
    "agitated": Text("激动", "agitated"),
    "resistant": Text("抵触", "resistant"),
    "hopeless": Text("绝望", "hopeless"),
    "silent": Text("拒绝交谈", "would not speak"),
    "other": Text("其他", "other"),
}
"""As the officer who talked saw it; no machine ever says it."""

TOPICS: Mapping[str, Text] = {
    "rules": Text("监规与权利义务", "house rules, rights and duties"),
    "case": Text("案件与诉讼", "the case"),
    "family": Text("家庭", "family"),
    "health": Text("身体状况", "health"),
    "cell": Text("监室关系", "relations in the cell"),
    "conduct": Text("现实表现", "conduct"),
    "request": Text("诉求与投诉", "requests and complaints"),
    "self_harm": Text("轻生或自伤言语", "words of self-harm"),
    "future": Text("出所打算", "plans after release"),
    "other": Text("其他", "other"),
}

ABNORMAL = frozenset({"agitated", "hopeless", "silent"})
"""Moods that rule T08 calls abnormal: a local default."""

SHORTEST = 3 * 60 * 1000
"""Milliseconds; rule T02: a shorter talk is flagged."""
