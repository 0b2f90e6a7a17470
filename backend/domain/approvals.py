"""What must be approved, by whom, and when an approval opens a gate. Pure.

A matter names its chain by rank, the row of the duty rules behind it and its source. An approval is bound to what was
decided, by the digest of its fields and of its expiry; it counts from the moment at which the server had it, which its
code proves: nobody knows the code before.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from backend.domain.posts import Post
from backend.domain.rules.citing import forbids
from backend.kernel.clock import from_text
from backend.kernel.ids import b64, sha256
from backend.kernel.kind import Head, Text
from backend.kernel.problems import Problem

KIND, DELEGATION, COUNTERSIGN = "approval", "approval.delegation", "approval.countersign"
HOUR = 3_600_000
PLAN = "plan"
"""The key under which a record keeps what is to be decided about it: an approval of the record is bound to all of that."""
BOUND = (
    "matter", "person", "place", "about", "bound", "what", "officers", "since", "until", "expires_at", "countersigners",
)  # fmt: skip
"""Fields of an approval that its digest covers."""


@dataclass(frozen=True, slots=True)
class Rank:
    """One step of a chain. ``posts``: who may take it. ``outside``: the decision is that of an authority which writes
    nothing here; one of the posts enters it, with the number of its document."""

    text: Text
    posts: frozenset[str]
    outside: bool = False


LEADER = Rank(Text("值班领导", "leader on duty"), frozenset({Post.LEAD, Post.DIR}))
DIRECTOR = Rank(Text("所长", "director"), frozenset({Post.DIR}))
SUPERIOR = Rank(Text("上级主管机关", "superior authority"), frozenset({Post.DIR, Post.LEAD}), outside=True)
ORGAN = Rank(
    Text("拘留决定机关", "the organ that decided on the detention"), frozenset({Post.DIR, Post.LEAD}), outside=True
)
LEADERS = frozenset({Post.LEAD, Post.DIR})


@dataclass(frozen=True, slots=True)
class Matter:
    """What is asked for. ``chain``: its ranks by type of facility, "" for all others. ``subject``: the field that must name
    whom or what it is about. ``crew``: how many officers at least do it. ``paper``: within how many milliseconds the paper
    follows when an emergency goes first; None: it never does. ``answer``: within how many each rank decides, a local default;
    None: a row of the duty rules asks for it. ``legal``: the source is law; else a local default."""

    text: Text
    chain: Mapping[str, tuple[Rank, ...]]
    subject: str | None
    rule: str | None
    source: str
    legal: bool
    crew: int = 0
    paper: int | None = None
    answer: int | None = 4 * HOUR

    def ranks(self, facility_type: str) -> tuple[Rank, ...]:
        """The chain in a facility of a type."""
        return self.chain.get(facility_type, self.chain[""])


MATTERS: Mapping[str, Matter] = {
    "outside_treatment": Matter(
        Text("出所就医", "treatment outside"),
        {"": (DIRECTOR,), "QJ": (DIRECTOR, SUPERIOR)},
        "person", "H08", "看守所条例实施办法31; 戒毒条例31", legal=True, paper=24 * HOUR, answer=HOUR,
    ),
    "leave": Matter(
        Text("请假出所", "leave of a person held"),
        {"": (LEADER, DIRECTOR), "JLS": (DIRECTOR, ORGAN)},
        "person", None, "拘留所条例27；其他监所为本地设定", legal=False,
    ),
    "cell_open_at_night": Matter(
        Text("夜间开启监室", "opening a cell at night"),
        {"": (LEADER,)},
        "place", "P08", "看守所执法细则（转述）", legal=False, crew=2, paper=24 * HOUR, answer=None,
    ),
    "rule_override": Matter(
        Text("调整勤务规则", "changing a rule of duty"), {"": (DIRECTOR,)}, None, None, "本地设定", legal=False
    ),
    "other": Matter(Text("其他事项", "something else"), {"": (LEADER, DIRECTOR)}, None, None, "本地设定", legal=False),
}  # fmt: skip
"""Matters by name. For the period of the paper behind an opened cell no source was found: a local default."""


def digest_of(doc: Mapping[str, Any]) -> str:
    """The digest of what is decided: SHA-256 over the bound fields as canonical JSON (RFC 8785), in base64url."""
    said = {name: doc[name] for name in BOUND}
    return b64(sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)))


def code_of(record: str, digest: str, granted_at: str) -> str:
    """The eight signs (RFC 4648 §6) by which a granted approval is told over the radio. It holds the moment of the server's
    receipt, which nobody knows before."""
    return base64.b32encode(sha256(f"{record}\n{digest}\n{granted_at}".encode())[:5]).decode("ascii")


@dataclass(frozen=True, slots=True)
class Asked:
    """A gate's question: an approval of ``matter`` for the record ``about`` whose plan is ``plan``, at a moment
    (milliseconds); ``code``: as the officer was told it, None where an emergency goes before the paper."""

    matter: str
    about: str
    plan: Mapping[str, Any]
    at: int
    code: str | None


def barred(head: Head | None, asked: Asked) -> Problem | None:
    """Why an approval does not open a gate, or None where it does.

    ``rule.forbids`` where there is none of this matter that is granted and lasts (``record.state`` for a matter without a
    rule); ``record.conflict`` where it was given for
    another version of the plan; ``field.missing`` or ``field.invalid`` at ``fields.code`` where the code is not its own.
    """
    none = _none(asked.matter)
    if head is None or head.kind != KIND or (head.doc["matter"], head.doc["about"]) != (asked.matter, asked.about):
        return none
    if head.doc["bound"] != asked.plan:
        return Problem("record.conflict", "fields.approval", version=head.version)
    if head.state == "emergency":
        return None if asked.at <= from_text(head.doc["paper_due"]) else none
    if head.state != "granted" or asked.at >= from_text(head.doc["expires_at"]):
        return none
    if asked.code is None:
        return Problem("field.missing", "fields.code")
    return None if asked.code == head.doc["code"] else Problem("field.invalid", "fields.code")


def _none(matter: str) -> Problem:
    """What says that an approval of a matter is wanting."""
    rule = MATTERS[matter].rule
    return forbids(rule, "fields.approval") if rule else Problem("record.state", "fields.approval", state="requested")


def stands_for(head: Head | None, officer: str, rank: Rank, matter: str, moments: tuple[int, int]) -> bool:
    """Whether a delegation lets an officer take a rank's step at both moments: when he did it, and at its receipt.

    It ends when it is said to end, whatever was captured before and comes later.
    """
    if head is None or head.kind != DELEGATION or head.state != "given":
        return False
    doc = head.doc
    lasts = all(from_text(doc["since"]) <= at < from_text(doc["until"]) for at in moments)
    return lasts and doc["to"] == officer and doc["post"] in rank.posts and matter in doc["matters"]


def countersigned(head: Head | None, record: str, digest: str) -> str | None:
    """Who agreed by a countersignature of this decision; None where it is none, or disagrees."""
    if head is None or head.kind != COUNTERSIGN or head.doc["approval"] != record or head.doc["digest"] != digest:
        return None
    by: str = head.doc["by"]
    return by if head.doc["opinion"] == "agree" else None
