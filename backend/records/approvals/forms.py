"""What officers fill in for an approval. The digest of the decision that an officer had before him stands in ``seen``."""

from __future__ import annotations

from collections.abc import Mapping

from marshmallow import Schema

from backend.domain.approvals import MATTERS
from backend.kernel.kind import Text
from backend.records.forms import choice, listed, moment, reference, word

MOST = 8
GROUNDS: Mapping[str, Text] = {
    "life": Text("危及生命", "a life in danger"),
    "fire": Text("火灾", "fire"),
    "disaster": Text("自然灾害", "disaster"),
    "security": Text("监管安全紧急情况", "danger to the facility"),
}
"""What lets an act go before its paper."""


class Decision(Schema):
    """What is to be decided. ``officers``: who are to do it; ``since``, ``until``: when (null: once); ``expires_at``: until
    when an approval of it counts; ``countersigners``: officers of whom each must agree first. No diagnosis stands here."""

    what = word(1000)
    officers = listed(reference(), MOST)
    since = moment()
    until = moment(allow_none=True)
    expires_at = moment()
    countersigners = listed(reference(), MOST)


class Request(Decision):
    """``person``, ``place``: whom or what it is about; ``about``: the record of the plan that is to be approved."""

    matter = choice(tuple(MATTERS))
    person = reference(allow_none=True)
    place = reference(allow_none=True)
    about = reference(allow_none=True)


class Resubmission(Decision):
    """The decision once more, with ``answer``: what has been added or changed."""

    answer = word(500)


class Word(Schema):
    """What whoever decides says at least. ``delegation``: where he does it in another's place, else null."""

    delegation = reference(allow_none=True)


class Approval(Word):
    """``countersigned``: the countersignatures that he has before him; ``document``: the number of an outside authority's
    decision, where it is one's; ``opinion``: what he adds, or null."""

    countersigned = listed(reference(), MOST)
    document = word(80, allow_none=True)
    opinion = word(500, allow_none=True)


class Reasoned(Word):
    """Why it is refused, or what is wanting."""

    reason = word(500)


class PassedOn(Reasoned):
    """To which officer of the rank, or who stands in for it, it goes."""

    officer = reference()


class Emergency(Schema):
    """It is done first: why, on what ground, and with which second officer."""

    ground = choice(tuple(GROUNDS))
    reason = word(500)
    second = reference()


class Ended(Schema):
    """Why it is taken back or called off."""

    reason = word(500)
