"""The kind ``rule.signature``: that the facility's lawyer has confirmed a pack of rules. Until one stands for the pack in
force, and again whenever that changes, the pack is shown as "to confirm": that a text was read does not say that it is in
force today."""

from __future__ import annotations

from marshmallow import Schema
from marshmallow.fields import String
from marshmallow.validate import Regexp

from backend.kernel.ids import unhash
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import day, is_day, named, word
from backend.records.rules.withdrawing import LEADERS, STANDS, STATES, Withdrawal, partition_of, withdraw

_DIGEST = r"[A-Za-z0-9_-]{43}\Z"


class Confirmation(Schema):
    """``digest``: of the pack that was confirmed, as ``GET /v1/rules`` shows it; ``signer``: the lawyer; ``paper``: number of
    the opinion that he signed, and ``signed_on`` its day."""

    digest = String(required=True, validate=Regexp(_DIGEST))
    signer = word(80)
    paper = word(80)
    signed_on = day()


def _sign(deed: Deed, _head: Head | None, _known: Known) -> Ruling | Problem:
    said = deed.fields
    try:
        unhash(said["digest"])
    except ValueError:
        return Problem("field.invalid", "fields.digest")
    if not is_day(said["signed_on"]):
        return Problem("field.invalid", "fields.signed_on")
    return Ruling({**said, "state": STANDS}, partition_of(deed), STANDS)


SIGNATURE = Kind(
    name="rule.signature",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.ROSTER,
    writers=LEADERS,
    verbs={
        "sign": Verb(Confirmation, _sign, Text("登记确认", "enter a confirmation"), creates=True, signoff=True),
        "withdraw": Verb(Withdrawal, withdraw, Text("撤销", "withdraw"), signoff=True, watches=("state",)),
    },
    text=Text("规则确认", "confirmation of the rules"),
    labels={
        "digest": Text("规则包摘要", "digest of the pack"),
        "signer": Text("确认人", "who confirmed it"),
        "paper": Text("文件编号", "number of the paper"),
        "signed_on": Text("签署日期", "signed on"),
        "state": Text("状态", "state"),
        **named("state", STATES),
        "withdrawn": Text("撤销情况", "withdrawal"),
        "reason": Text("理由", "reason"),
    },
)
