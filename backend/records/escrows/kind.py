"""The kind ``escrow``: a leader's word on one operation in escrow. ``sync.judging.settle`` judges its verbs."""

from __future__ import annotations

from marshmallow import Schema

from backend.domain.posts import Post
from backend.kernel.kind import Compartment, Kind, Policy, Text, Verb, by_sync
from backend.records.forms import reference, word


class Word(Schema):
    """``op``: the operation in escrow."""

    op = reference()
    reason = word(500)


ESCROW = Kind(
    name="escrow",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset({Post.LEAD, Post.DIR}),
    verbs={
        "release": Verb(Word, by_sync, Text("放行", "release"), creates=True),
        "dismiss": Verb(Word, by_sync, Text("不予采纳", "dismiss"), creates=True),
    },
    text=Text("托管处置", "word on an escrow"),
    labels={
        "op": Text("托管中的操作", "operation in escrow"),
        "reason": Text("理由", "reason"),
        "state.released": Text("已放行", "released"),
        "state.dismissed": Text("不予采纳", "dismissed"),
    },
)
