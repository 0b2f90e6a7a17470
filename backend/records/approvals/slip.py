"""The kind ``approval.slip`` (传阅单): an approval was copied to some, or one of them has read it. Facts of their own: whoever
reads an approval must not outdate the word of whoever decides it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.approvals import KIND
from backend.domain.posts import Post
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Needs, Policy, Ruling, Text, Verb, lateness
from backend.kernel.problems import Problem
from backend.records.forms import choice, listed, named, reference, word

SORTS: Mapping[str, Text] = {"copied": Text("抄送", "copied"), "read": Text("已阅", "read")}
POSTS: Mapping[str, Text] = {
    Post.INT.value: Text("接待收押提讯岗", "desk"),
    Post.PAT.value: Text("巡控岗", "patrol"),
    Post.DISC.value: Text("管教岗", "cell officer"),
    Post.MED.value: Text("医务岗", "medic"),
    Post.LEAD.value: Text("值班领导", "leader on duty"),
    Post.DIR.value: Text("所长", "director"),
    Post.PROC.value: Text("驻所检察", "stationed procuratorate"),
}


class Slip(Schema):
    """``copied``: to whom, posts or officers; ``read``: by the officer himself, and nobody is named. ``digest``: of what."""

    approval = reference()
    digest = word(43, 43)
    sort = choice(tuple(SORTS))
    posts = listed(choice(tuple(POSTS)), len(POSTS))
    officers = listed(reference(), 20)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["approval"],))


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    head = known.record(said["approval"])
    if head is None or head.kind != KIND:
        return Problem("reference.unknown", "fields.approval")
    if (said["sort"] == "copied") != bool(said["posts"] or said["officers"]):
        return Problem("field.invalid", "fields.posts")
    return Ruling({**said, "by": deed.officer}, head.partition, said["sort"], head.place, lateness(deed))


SLIP = Kind(
    name="approval.slip",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset({Post.INT, Post.PAT, Post.DISC, Post.MED, Post.LEAD, Post.DIR}),
    verbs={"record": Verb(Slip, _record, Text("抄送或签阅", "copy or sign as read"), creates=True, needs=_needs)},
    text=Text("传阅", "circulation"),
    labels={
        "approval": Text("审批记录", "approval"),
        "digest": Text("内容摘要值", "digest of the decision"),
        "sort": Text("类别", "sort"),
        **named("sort", SORTS),
        "posts": Text("抄送岗位", "posts"),
        **named("posts", POSTS),
        "officers": Text("抄送民警", "officers"),
        "by": Text("经手人", "by whom"),
    },
)
