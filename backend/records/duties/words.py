"""What is said of a duty: posts that may be asked, states, steps, reasons, and the fields of each verb."""

from __future__ import annotations

from collections.abc import Mapping

from marshmallow import Schema, fields

from backend.domain.posts import Post
from backend.kernel.kind import Text
from backend.records.forms import choice, listed, moment, reference, whole, word, yes_no

POSTS: Mapping[str, Text] = {
    Post.INT.value: Text("接待收押提讯岗", "desk"),
    Post.PAT.value: Text("巡控岗", "patrol"),
    Post.DISC.value: Text("管教岗", "cell officer"),
    Post.MED.value: Text("医务岗", "medic"),
    Post.AUX.value: Text("辅警", "auxiliary"),
    Post.LEAD.value: Text("值班领导", "leader on duty"),
    Post.DIR.value: Text("所长", "director"),
    Post.PROC.value: Text("驻所检察", "stationed procuratorate"),
    Post.CITY.value: Text("市局值班", "city duty"),
    Post.CASE.value: Text("办案单位", "case organ"),
}
"""Posts that may be asked, or told when nobody has answered."""
SILENT = frozenset({Post.PROC, Post.CITY, Post.CASE})
"""Of these, who writes nothing here."""
STATES: Mapping[str, Text] = {
    "issued": Text("已下达", "issued"),
    "acknowledged": Text("已签收", "acknowledged"),
    "unconfirmed": Text("未确认（终端离线）", "unconfirmed: the terminal is away"),
    "completed": Text("已完成", "completed"),
    "missed": Text("逾期未完成", "missed"),
    "cancelled": Text("已取消", "cancelled"),
}
STEPS = {
    **STATES,
    "delegated": Text("已转派", "handed on"),
    "explained": Text("已说明原因", "explained"),
    "snoozed": Text("已暂缓提醒", "snoozed"),
    "delivered": Text("已送达", "delivered"),
    "reminded": Text("已提醒", "reminded"),
    "escalated": Text("已上报", "escalated"),
}
WHY: Mapping[str, Text] = {
    "lockdown": Text("封闭管理", "lockdown"),
    "medical": Text("医疗", "medical"),
    "court": Text("开庭", "court"),
    "transport": Text("押解", "transport"),
    "staff_shortage": Text("警力不足", "staff shortage"),
    "other": Text("其他", "other"),
}
MOST_RUNGS = 8


def _posts() -> fields.List[str]:
    return listed(choice(tuple(POSTS)), len(POSTS), 1)


class Asks(Schema):
    """What a rule asks, in both languages."""

    zh = word(500)
    en = word(500)


class Rung(Schema):
    """Who is told when it is still open at that moment."""

    at = moment()
    posts = _posts()


class Issue(Schema):
    """What is asked. ``rule`` is a row of the duty rules and ``asks`` its text, ``directive`` a leader's words: a rule or a
    directive at least; ``source`` the article or practice behind it; ``cause`` the record that gave rise to it; ``officer``
    null: any of the posts; ``loud``: it rings; ``warn_at``: when its posts are reminded; ``chain``: who is told when nobody
    has done it, the earliest first."""

    rule = word(20, allow_none=True)
    directive = word(500, allow_none=True)
    asks = fields.Nested(Asks, required=True, allow_none=True)
    source = word(200, allow_none=True)
    cause = reference(allow_none=True)
    posts = _posts()
    officer = reference(allow_none=True)
    person = reference(allow_none=True)
    place = reference(allow_none=True)
    opens_at = moment()
    due_at = moment()
    loud = yes_no()
    warn_at = moment(allow_none=True)
    chain = listed(fields.Nested(Rung), MOST_RUNGS)


class Nothing(Schema):
    """There is nothing to add: it was seen, reminded of, or not done in time."""


class Completion(Schema):
    """What was done, and the record that tells of it (a talk, a round), if there is one."""

    result = word(1000)
    record = reference(allow_none=True)


class Fulfilment(Schema):
    """The record by which it was done: an event that the rule accepts."""

    record = reference()


class Explanation(Schema):
    """Why it was missed: a leader's word, which blames nobody."""

    why = choice(tuple(WHY))
    note = word(500, allow_none=True)


class Snooze(Schema):
    """Until when it does not ring; never past the due time."""

    until = moment()


class Delegation(Schema):
    """To whom it is handed on."""

    posts = _posts()
    officer = reference(allow_none=True)
    reason = word(500)


class Cancellation(Schema):
    """Why nobody need do it."""

    reason = word(500)


class Delivery(Schema):
    """Whose terminal has it: the receipt."""

    terminal = reference()
    officer = reference()


class Escalation(Schema):
    """Who is told besides, and how far up the chain that is."""

    posts = _posts()
    level = whole(1, MOST_RUNGS)
