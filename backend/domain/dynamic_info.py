"""Kinds of dynamic information (监管动态信息) and which of them each post is to capture.

The guidance of 2018 (三(一)1) has every facility say which kinds each post captures, and names conduct, interrogations and
visits, counselling and health, and the alarms for climbing, being alone and dangerous areas; the table itself is a local
default. Any post may report any kind: what was seen is never refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from backend.domain.posts import Post
from backend.kernel.kind import Text

CATEGORIES: Mapping[str, Text] = {
    "admission": Text("收押", "admission"),
    "interrogation": Text("提讯", "interrogation"),
    "lawyer_visit": Text("律师会见", "lawyer's visit"),
    "family_visit": Text("家属会见", "family visit"),
    "stage_change": Text("诉讼阶段变化", "change of the stage of proceedings"),
    "release": Text("出所", "release"),
    "property": Text("财物", "property"),
    "conduct": Text("现实表现", "conduct"),
    "dispute": Text("争执或打架", "dispute or fight"),
    "self_harm": Text("自伤自杀迹象", "signs of self-harm"),
    "escape": Text("脱逃迹象", "signs of an escape"),
    "climbing": Text("攀高", "climbing"),
    "alone": Text("单人滞留", "alone"),
    "danger_area": Text("危险区域滞留", "in a dangerous area"),
    "cell_watch": Text("监室值班", "cell watch"),
    "headcount": Text("人数不符", "head count differs"),
    "contraband": Text("违禁物品", "contraband"),
    "damage": Text("设施损坏", "damage"),
    "mood": Text("思想动态", "mood"),
    "relations": Text("监室关系", "relations in the cell"),
    "request": Text("诉求与投诉", "requests and complaints"),
    "counselling": Text("心理咨询", "counselling"),
    "illness": Text("病情", "illness"),
    "injury": Text("外伤", "injury"),
    "refused_food": Text("拒食", "refused food"),
    "refused_medicine": Text("拒药", "refused medicine"),
    "infection": Text("传染病", "infection"),
    "outbreak": Text("聚集性疫情", "outbreak"),
    "critical": Text("病危", "critically ill"),
    "head_injury": Text("头部外伤", "head injury"),
    "intoxication": Text("醉酒或药物中毒", "intoxicated"),
    "withdrawal": Text("戒断反应", "withdrawal"),
    "pregnancy": Text("怀孕或哺乳", "pregnant or nursing"),
    "psychosis": Text("精神异常", "signs of psychosis"),
    "death": Text("死亡", "death"),
    "force_used": Text("使用武力或警械", "force used"),
    "weapon_used": Text("使用武器", "weapon used"),
    "family_event": Text("亲属死亡或患病", "a relative has died or is ill"),
    "punishment": Text("受到处分", "punished"),
    "leave_request": Text("申请请假出所", "asks for leave"),
    "leave_return": Text("请假出所返回", "back from leave"),
    "before_release": Text("临近出所", "soon to be released"),
    "judgment": Text("裁判文书送达", "judgment served"),
    "heavy_sentence": Text("死刑或重刑判决送达", "death or long sentence served"),
    "execution_notice": Text("执行通知书送达", "notice of execution served"),
    "term_change": Text("期限变更送达", "change of term served"),
    "term_unproven": Text("羁押期限届满无文书", "term expired without a document"),
    "wrong_detention": Text("疑似错误拘留", "wrong detention suspected"),
    "measure_change": Text("申请变更强制措施", "asks for a change of measure"),
    "lawyer_request": Text("要求会见律师", "asks to meet a lawyer"),
    "duty_lawyer": Text("要求值班律师", "asks for the duty lawyer"),
    "legal_aid": Text("申请法律援助", "asks for legal aid"),
    "foreigner": Text("外国籍人员", "foreigner"),
    "consular": Text("要求领事会见", "asks for the consul"),
    "other": Text("其他", "other"),
}

SEVERITIES: Mapping[str, Text] = {
    "ordinary": Text("一般", "ordinary"),
    "important": Text("重要", "important"),
    "urgent": Text("紧急", "urgent"),
}
"""From the least to the most."""

_RANKS = {severity: rank for rank, severity in enumerate(SEVERITIES)}


def more_severe(one: str, other: str) -> bool:
    """Whether one severity is above another."""
    return _RANKS[one] > _RANKS[other]


_DESK = (
    "admission", "interrogation", "lawyer_visit", "family_visit", "stage_change", "release", "property", "mood",
    "judgment", "heavy_sentence", "execution_notice", "term_change", "term_unproven", "wrong_detention",
    "measure_change", "lawyer_request", "duty_lawyer", "legal_aid", "foreigner", "consular", "leave_request",
    "leave_return",
)  # fmt: skip
_PATROL = (
    "conduct", "dispute", "self_harm", "escape", "climbing", "alone", "danger_area", "cell_watch", "headcount",
    "contraband", "damage", "illness", "injury", "head_injury", "intoxication", "death", "force_used", "weapon_used",
)  # fmt: skip
_CELL = (
    "conduct", "dispute", "self_harm", "escape", "cell_watch", "contraband", "mood", "relations", "request",
    "counselling", "illness", "injury", "refused_food", "stage_change", "family_event", "punishment", "leave_request",
    "leave_return", "before_release", "force_used", "weapon_used", "lawyer_request", "duty_lawyer", "legal_aid",
    "consular", "psychosis", "death",
)  # fmt: skip
_MEDICAL = (
    "illness", "injury", "refused_food", "refused_medicine", "infection", "counselling", "self_harm", "mood",
    "outbreak", "critical", "head_injury", "intoxication", "withdrawal", "pregnancy", "psychosis", "death",
)  # fmt: skip

OF_POST: Mapping[str, frozenset[str]] = {
    Post.INT: frozenset(_DESK),
    Post.PAT: frozenset(_PATROL),
    Post.AUX: frozenset(_PATROL),
    Post.DISC: frozenset(_CELL),
    Post.MED: frozenset(_MEDICAL),
    Post.LEAD: frozenset(CATEGORIES),
    Post.DIR: frozenset(CATEGORIES),
}
"""Post → the kinds that it is to capture; ``other`` is everybody's."""


def usual(category: str, posts: frozenset[str]) -> bool:
    """Whether one of the posts is to capture this kind."""
    return category == "other" or any(category in OF_POST.get(post, ()) for post in posts)
