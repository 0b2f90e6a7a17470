"""What a record kind is: the contract between one folder of ``backend/records`` and everything else.

A kind says what its documents look like, who may write them, where they live, how two edits meet and what its own
rules find remarkable. It never touches a database: the planner gives it what it asked for in ``needs``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from marshmallow import Schema

from backend.kernel.events import Finder, no_events
from backend.kernel.problems import Problem


class Policy(StrEnum):
    """How two edits of one record meet."""

    FACT = "fact"
    """Append-only: made once, never edited; a correction is a new record."""
    OWNED = "owned"
    """Edited only by the terminal that made it, along its own chain."""
    SHARED = "shared"
    """Edited by several; edits made apart merge by field, in three ways."""
    DECISION = "decision"
    """Edited by several, but an edit of an outdated version never merges by itself: it is a conflict."""


class Compartment(StrEnum):
    """The second half of a partition: who is given a subject is given some of these."""

    BASE = "base"
    CASE = "case"
    """Talks and what is said in them: not for patrols and auxiliaries."""
    MEDICAL = "medical"
    """Health: for medics, the director and who supervises; each reading of it is a leaf."""
    LOCATION = "location"
    """Where exactly a person is: for patrols and who leads them."""
    ROSTER = "roster"
    """Who is on duty, when and where: of the facility as a whole, for everybody who is given records."""
    DUTY = "duty"
    """What is asked of posts of wards for the facility as a whole, which they are not given else."""


@dataclass(frozen=True, slots=True)
class Text:
    """A word or sentence in the product's two languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something remarkable about a thing that happened. It is recorded all the same.

    ``rule`` is the row of the duty rules behind it, if there is one.
    """

    code: str
    rule: str | None = None

    def document(self) -> dict[str, Any]:
        return {"code": self.code, "rule": self.rule}


@dataclass(slots=True)
class Head:
    """The present version of a record.

    ``terminal``: whose operation made its first version. ``author``: whose hand made the present one, empty where a leader
    released it from escrow. ``since``: the version from which on all are of that hand.
    """

    id: str
    kind: str
    version: int
    seq: int
    partition: str
    place: str | None
    state: str
    terminal: str
    body: bytes
    doc: Mapping[str, Any]
    author: str
    since: int

    def moved(self, base: int, author: str) -> bool:
        """Whether others than that hand have changed the record since the version ``base``."""
        return base < self.version and not (self.author == author and self.since <= base + 1)


Change = tuple[Head | None, Head]
"""A version with the one before it; None where it is the first."""


def hand(terminal: str, officer: str) -> str:
    """An officer at a terminal: he sees what he himself has entered there before it is sent, and nobody else's."""
    return f"{terminal}/{officer}"


REMOVED = "removed"
"""The state of a record that was taken away: terminals drop the row, the versions stay."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a kind's rules want to know before they judge: other records, head counts of cells by the register, and who is
    lodged in cells, or which places are in wards (``residents``)."""

    records: tuple[str, ...] = ()
    headcounts: tuple[str, ...] = ()
    residents: tuple[str, ...] = ()


class Known(Protocol):
    """What is known at the moment at which an operation is judged: the answers to its ``Needs``."""

    def record(self, record: str) -> Head | None: ...

    def headcount(self, cell: str) -> int:
        """How many were in a cell by the register, at the moment that the operation tells of."""
        ...

    def residents(self, cell: str) -> list[Head]:
        """The persons who are lodged in a cell by the register."""
        ...

    def places(self, ward: str) -> list[Head]:
        """The open places of a ward that stands among the ``residents`` that were asked for."""
        ...

    def facility_type(self) -> str:
        """One of ``backend.domain.posts.FACILITY_TYPES``."""
        ...

    def posts(self) -> frozenset[str]:
        """Posts of the officer who made the operation, as strings of identity's ``Post``."""
        ...

    def forced(self) -> bool:
        """The deadline of its custody has passed: it is judged with what there is."""
        ...


@dataclass(slots=True)
class Deed:
    """An operation as a kind sees it: already read, addressed and authorised.

    Times are milliseconds. ``base`` is the version the officer worked on (0: none). ``second``: the officer who signed
    beside him, empty if nobody did or his session could not be verified.
    """

    op: str
    terminal: str
    record: str
    verb: str
    base: int
    officer: str
    observed_at: int
    recorded_at: int
    received_at: int
    fields: Mapping[str, Any]
    facility: str = ""
    second: str = ""


@dataclass(slots=True)
class Ruling:
    """What a kind makes of a deed: the document and the columns by which it is found, with what is remarkable.

    ``alarm``: the row itself goes to open streams at once, without waiting for a pull. ``excluded``: officers who are never
    given its partition, though their posts are; only for one of its own (``matter/<record>``).
    """

    doc: Mapping[str, Any]
    partition: str
    state: str
    place: str | None = None
    marks: tuple[Mark, ...] = ()
    alarm: bool = False
    excluded: frozenset[str] = frozenset()


Judge = Callable[[Deed, Head | None, Known], "Ruling | Problem"]


def by_sync(_deed: Deed, _head: Head | None, _known: Known) -> Ruling | Problem:
    """Stands where a verb acts on other records' operations, which only ``sync`` can judge: settlements, releases."""
    raise LookupError("judged by sync")


def needs_nothing(_fields: Mapping[str, Any], _head: Head | None) -> Needs:
    """For verbs that are judged by the operation and its record alone."""
    return Needs()


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that may be done to a record of a kind.

    ``edits``: its fields are the document's own, sent only where they change; two edits merge field by field.
    ``watches``: fields of the document that it rests on without changing them by name, such as ``state``.
    ``removes``: it takes the record away (its ruling's state is REMOVED).
    ``confirm``: it is done only with a confirmation by its officer's second factor; it needs a sign-off too.
    ``by_value``: that the record has moved on is no dispute by itself, whatever the kind's policy: only what it watches is
    held against what its officer saw, and one that watches nothing is never disputed: its judge meets every state.
    ``served``: the server alone does it; terminals show no form of it.
    An operation says in ``seen`` what its officer saw in each of the fields that it edits or watches.
    """

    schema: type[Schema]
    judge: Judge
    text: Text
    creates: bool = False
    signoff: bool = False
    needs: Callable[[Mapping[str, Any], Head | None], Needs] = needs_nothing
    edits: bool = False
    watches: tuple[str, ...] = ()
    removes: bool = False
    confirm: bool = False
    by_value: bool = False
    served: bool = False

    def compared(self, fields: Mapping[str, Any]) -> tuple[str, ...]:
        """The fields of the document whose seen values an operation of this verb must state."""
        return (*fields, *self.watches) if self.edits else self.watches


Converter = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""(verb, fields of one schema version) → fields of the next one."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A record kind. ``writers`` are posts; who reads follows from the partition alone."""

    name: str
    version: int
    policy: Policy
    compartment: Compartment
    writers: frozenset[str]
    verbs: Mapping[str, Verb]
    text: Text
    labels: Mapping[str, Text]
    """Field path (``cell.headcount``) or dictionary value (``response.spoke``) → its name."""
    marks: Mapping[str, Text] = field(default_factory=dict)
    """Every mark that the kind's own rules may give → what it says; COMMON_MARKS come on top."""
    strict: frozenset[str] = frozenset()
    """Fields that touch safety: an edit of an outdated version that changes one never merges by itself."""
    settlers: frozenset[str] = frozenset()
    """Posts that may settle its conflicts; none: its writers."""
    converters: Mapping[int, Converter] = field(default_factory=dict)
    """Schema version → what makes its fields those of the next version. Older ones than these are not taken."""
    raises: Mapping[str, Text] = field(default_factory=dict)
    """Names of the events that it raises: what the rules of duty may name."""
    events: Finder = no_events
    """Finds them in a version and the one before it."""

    def supported(self) -> list[int]:
        """The schema versions that are taken, oldest first."""
        return [*sorted(self.converters), self.version]

    def may_settle(self) -> frozenset[str]:
        """Posts that may settle a conflict of this kind."""
        return self.settlers or self.writers

    def __post_init__(self) -> None:
        steps = sorted(self.converters)
        if steps and steps != list(range(steps[0], self.version)):
            raise ValueError(f"{self.name}: converters do not lead to version {self.version}")
        if self.policy is Policy.FACT and not all(verb.creates for verb in self.verbs.values()):
            raise ValueError(f"{self.name}: a fact is never edited")
        if any(verb.confirm and not verb.signoff for verb in self.verbs.values()):
            raise ValueError(f"{self.name}: a confirmation stands in the sign-off")


LATE_AFTER = 30 * 60 * 1000
"""Rule Y03: a record entered more than 30 minutes after what it tells. Transport never counts: a server that hears
of it hours later changes nothing."""

COMMON_MARKS: Mapping[str, Text] = {
    "record.late": Text("录入时间晚于观察时间三十分钟以上", "entered more than 30 minutes after it was seen"),
    "anchor.unknown": Text("所引用的服务器时间凭据无法核对", "the server's anchor that it names is not known"),
    "authority.unproven": Text(
        "采集时的权限仅有设备时间为证", "only the device's clock says that the officer still had the right"
    ),
    "chain.gap": Text("此前编号尚有缺失", "received while earlier numbers were missing"),
    "dependency.missing": Text("所依赖的内容逾期未到", "what it depends on did not come in time"),
    "escrow.released": Text("经领导批准自托管中放行", "released from escrow by a leader"),
    "schema.converted": Text("由旧格式转换", "converted from an older schema"),
    "scope.outside": Text("不在该民警的责任范围内", "outside the wards that the officer is assigned to"),
    "attachment.missing": Text("附件尚未收到", "an attachment has not come"),
    "session.lost": Text("登录记录在恢复前丢失", "the session was lost when the server was restored"),
    "session.over": Text("采集时登录已结束", "captured after the session had ended"),
    "signoff.alone": Text("仅辅警签认，须民警补签", "signed by an auxiliary alone; a police officer must co-sign"),
    "signoff.second": Text("所列第二签认人无法核实", "the second signer that it names could not be verified"),
}
"""Marks that any kind may give."""


def lateness(deed: Deed) -> tuple[Mark, ...]:
    """The mark for a record entered late, for every kind that tells what an officer saw."""
    return (Mark("record.late", "Y03"),) if deed.recorded_at - deed.observed_at > LATE_AFTER else ()


def late_since(deed: Deed, happened: int) -> tuple[Mark, ...]:
    """The same for a document that says itself when it happened (milliseconds)."""
    late = deed.recorded_at - min(deed.observed_at, happened) > LATE_AFTER
    return (Mark("record.late", "Y03"),) if late else ()
