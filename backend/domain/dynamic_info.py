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
    "other": Text("其他", "other"),
}

_DESK = ("admission", "interrogation", "lawyer_visit", "family_visit", "stage_change", "release", "property", "mood")
_PATROL = (
    "conduct", "dispute", "self_harm", "escape", "climbing", "alone", "danger_area", "cell_watch", "headcount",
    "contraband", "damage", "illness", "injury",
)  # fmt: skip
_CELL = (
    "conduct", "dispute", "self_harm", "escape", "cell_watch", "contraband", "mood", "relations", "request",
    "counselling", "illness", "injury", "refused_food", "stage_change",
)  # fmt: skip
_MEDICAL = (
    "illness", "injury", "refused_food", "refused_medicine", "infection", "counselling", "self_harm", "mood",
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
