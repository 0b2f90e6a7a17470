"""What is said in a handover, and the fields of each verb."""

from __future__ import annotations

from collections.abc import Mapping

from marshmallow import Schema, fields

from backend.kernel.kind import Text
from backend.records.forms import choice, listed, moment, reference, whole, word

SORTS: Mapping[str, Text] = {
    "shift": Text("交接班", "change of shift"),
    "morning": Text("早交班会", "morning meeting"),
}
STATES: Mapping[str, Text] = {
    "offered": Text("待接班人签收", "waits for who takes over"),
    "signed": Text("双方已签认", "signed by both"),
    "declined": Text("接班人退回", "declined by who takes over"),
    "reopened": Text("有迟到记录，重新打开", "reopened: something of that shift came late"),
}
STEPS: Mapping[str, Text] = {
    **STATES,
    "reviewed": Text("已复核迟到记录", "what came late was looked at"),
}
MOST = 300


class Left(Schema):
    """A duty that is open, with what is to be known of it."""

    duty = reference()
    words = word(500, allow_none=True)


class Concern(Schema):
    """A person to look after, and why."""

    person = reference()
    words = word(500)


class Counted(Schema):
    """How many were counted at a place."""

    place = reference()
    counted = whole(0, 9999)


class Signing(Schema):
    """What the outgoing officer hands over, as he saw it. ``since`` and ``until`` bound the shift; ``place``: his ward, null
    for the facility; ``incoming``: who takes over, null where that is whoever reads the code; ``rollcall``: the count by
    name that both held, if there is a record of it."""

    sort = choice(tuple(SORTS))
    place = reference(allow_none=True)
    since = moment()
    until = moment()
    incoming = reference(allow_none=True)
    duties = listed(fields.Nested(Left), MOST)
    risks = listed(fields.Nested(Concern), MOST)
    sick = listed(fields.Nested(Concern), MOST)
    counts = listed(fields.Nested(Counted), MOST)
    rollcall = reference(allow_none=True)
    words = word(4000, allow_none=True)


class Receipt(Schema):
    """The digest that the outgoing officer's terminal showed as a code: of exactly what he signed."""

    digest = word(43, 43)


class Refusal(Schema):
    """Why it is not taken over as it stands."""

    reason = word(500)


class Reopening(Schema):
    """What of the shift came after both had signed."""

    late = reference()


class Review(Schema):
    """What came late was looked at; what follows from it."""

    words = word(1000, allow_none=True)
