"""The kind ``conflict``. ``sync.judging.disputes`` writes its documents and ``sync.judging.settle`` judges its verb,
since both speak of records of other kinds; who may settle is said by the disputed record's kind."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from backend.domain.posts import HELD, Post
from backend.kernel.kind import Compartment, Kind, Policy, Text, Verb, by_sync
from backend.records.forms import listed, reference, word

MOST_VALUES = 500
"""Candidates of one dispute. Each new one writes the whole document again, and a settlement names them all."""
MOST_FIELDS = 100


class Settlement(Schema):
    """``saw``: the operations whose values were shown; ``server``: field → the server's value that was shown;
    ``choice``: field → ``server``, or the operation whose value shall stand."""

    saw = listed(reference(), 2 * MOST_VALUES)
    server = fields.Dict(required=True)
    choice = fields.Dict(required=True, validate=validate.Length(min=1, max=MOST_FIELDS))
    reason = word(500)


CONFLICT = Kind(
    name="conflict",
    version=1,
    policy=Policy.SHARED,
    compartment=Compartment.BASE,
    writers=frozenset(HELD) - {Post.AUD, Post.PROC, Post.CITY},
    verbs={"settle": Verb(Settlement, by_sync, Text("处置争议", "settle a dispute"))},
    text=Text("争议", "conflict"),
    labels={
        "saw": Text("已看到的各值", "values seen"),
        "server": Text("服务器上的值", "the server's values"),
        "choice": Text("选择", "choice"),
        "reason": Text("理由", "reason"),
        "state.open": Text("待处置", "open"),
        "state.routed": Text("已转交领导", "passed on to the leaders"),
        "state.settled": Text("已处置", "settled"),
    },
)
