"""Forms of the auditor's views: what may be asked, and a terminal's life and an operation's path (docs/audit.md)."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from backend.audit.views.clocks import MOST_OPERATIONS
from backend.audit.views.conflicts import STATES
from backend.records.forms import reference

_AFTER = "What the page before gave as `after`; absent: from the beginning."


def whole(**options: Any) -> fields.Integer:
    """A count, a number of an operation, or milliseconds."""
    return fields.Integer(**{"required": True, **options})


def text(**options: Any) -> fields.String:
    return fields.String(**{"required": True, **options})


def time(**options: Any) -> fields.String:
    """RFC 3339."""
    return fields.String(**{"required": True, "metadata": {"format": "date-time"}, **options})


def nested(of: type[Schema], **options: Any) -> fields.Nested:
    return fields.Nested(of, **{"required": True, **options})


def several(of: type[Schema]) -> fields.List[Any]:
    return fields.List(fields.Nested(of), required=True)


def anything(**options: Any) -> fields.Dict:
    """A JSON object whose form is told elsewhere: an operation's own keys, an outcome, a row, a document."""
    return fields.Dict(**{"required": True, **options})


def _limit(most: int, usual: int) -> fields.Integer:
    return fields.Integer(load_default=usual, validate=validate.Range(1, most))


class Paged(Schema):
    """Which page."""

    after = fields.String(validate=validate.Length(1, 400), metadata={"description": _AFTER})
    limit = _limit(200, 100)


class PagedBytes(Paged):
    """Which page of entries that are large, or dear to make."""

    limit = _limit(20, 20)


class PagedTerminal(Paged):
    """Which page of a terminal's operations, of one incarnation or of all."""

    incarnation = fields.Integer(validate=validate.Range(1, 2**31 - 1))


class PagedBacklog(Paged):
    """Which page; of one terminal, or of what waits for one id."""

    terminal = reference(required=False)
    need = reference(required=False)


class PagedConflicts(Paged):
    """Which page; of one state, or of all."""

    state = fields.String(validate=validate.OneOf(STATES))


class PagedClock(Paged):
    """Which of a terminal's operations."""

    limit = _limit(MOST_OPERATIONS, MOST_OPERATIONS)


class Number(Schema):
    """One operation by its number."""

    terminal = reference()
    incarnation = fields.Integer(required=True, validate=validate.Range(1, 2**31 - 1))
    n = fields.Integer(required=True, validate=validate.Range(1, 2**53 - 1))


class Page(Schema):
    """``after``: what to ask with for the next page; null: this is the last one."""

    after = text(allow_none=True)


class Named(Schema):
    """An officer."""

    id = text(allow_none=True)
    number = text(allow_none=True)
    name = text(allow_none=True)


class Labelled(Schema):
    """A terminal."""

    id = text()
    label = text()
    asset = text(allow_none=True)


class NumbersCame(Schema):
    """What of an incarnation's numbers came. ``outstanding``: captured by its own word, and never received."""

    last_n = whole()
    top_n = whole()
    captured = whole()
    received = whole()
    missing = fields.List(fields.List(whole()), required=True)
    outstanding = fields.List(fields.List(whole()), required=True)
    outstanding_count = whole()


class TerminalEntry(Schema):
    """A terminal and the end of its present chain."""

    terminal = text()
    label = text()
    asset = text(allow_none=True)
    state = text()
    server = fields.Boolean(required=True)
    enrolled_at = time()
    incarnation = whole()
    held = whole()
    reported_at = time(allow_none=True)
    numbers = nested(NumbersCame)


class Terminals(Page):
    """Terminals, by id."""

    terminals = several(TerminalEntry)


class IncarnationEnded(Schema):
    """One that has ended."""

    incarnation = whole()
    thumbprint = text()
    why = text()
    ended_at = time()
    numbers = nested(NumbersCame)


class Counted(Schema):
    """Operations by status, of the numbers from ``first`` to ``last``."""

    first = whole()
    last = whole()
    count = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class Holds(Schema):
    """Operations in custody: how many wait, and how many have waited."""

    open = whole()
    settled = whole()


class SessionEntry(Schema):
    """An officer who was signed in."""

    session = text()
    officer = nested(Named, allow_none=True)
    started_at = time()
    expires_at = time()
    ended_at = time(allow_none=True)


class Reported(Schema):
    """What it last said of itself. ``ahead``: milliseconds by which its clock was ahead when that came."""

    at = time()
    ahead = whole()
    said = anything()


class Life(Schema):
    """One terminal's life."""

    terminal = text()
    label = text()
    asset = text(allow_none=True)
    state = text()
    server = fields.Boolean(required=True)
    wiped_by_its_own_word = fields.Boolean(required=True)
    enrolled_at = time()
    incarnation = whole()
    thumbprint = text()
    safe_n = whole()
    last_seen = time()
    numbers = nested(NumbersCame)
    incarnations = several(IncarnationEnded)
    outcomes = nested(Counted)
    holds = nested(Holds)
    forks = whole()
    sessions = several(SessionEntry)
    report = nested(Reported, allow_none=True)


class OperationEntry(Schema):
    """What came of one number, without values."""

    terminal = text()
    incarnation = whole()
    n = whole()
    op = text(allow_none=True)
    status = text()
    kind = text(allow_none=True)
    verb = text(allow_none=True)
    record = text(allow_none=True)
    received_at = time()
    epoch = whole()
    leaf = whole()
    length = whole()


class Operations(Page):
    """A terminal's operations, by number."""

    operations = several(OperationEntry)


class Bytes(Schema):
    """An operation as it was sent; hash and raw in base64url."""

    length = whole()
    sha256 = text()
    raw = text()


class Link(Schema):
    """Its place in the chain."""

    hash = text()
    prior = text(allow_none=True)
    proven = fields.Boolean(required=True)
    gap = fields.Boolean(required=True)


class Head(Schema):
    """A signed head."""

    size = whole()
    root = text()
    at = time()


class Leaf(Schema):
    """A leaf of the log, and the first signed head whose tree includes it."""

    epoch = whole()
    position = whole()
    included_by = nested(Head, allow_none=True)
    outcome_sha256 = text()


class Custody(Schema):
    """A receipt; ``waits_for``: what has still not come."""

    receipt = anything()
    received_at = time()
    deadline = time()
    settled_at = time(allow_none=True)
    waits_for = fields.List(text(), required=True)
    leaf = nested(Leaf)


class Version(Schema):
    """A version that it made, with the row as terminals were sent it."""

    record = text()
    version = whole()
    present = fields.Boolean(required=True)
    partition = text(allow_none=True)
    seq = whole(allow_none=True)
    sha256 = text(allow_none=True)
    row = anything(allow_none=True)


class Seen(Schema):
    """A terminal that was given the row, and when first."""

    terminal = nested(Labelled, allow_none=True)
    officer = nested(Named, allow_none=True)
    at = time()


class Sight(Schema):
    """Who was given it. ``complete``: all terminals were looked at."""

    terminals = several(Seen)
    complete = fields.Boolean(required=True)


class Author(Schema):
    """An officer, as a row names him."""

    id = text()
    name = text()


class Word(Schema):
    """What a leader has decided of an operation in escrow; ``op``: the operation in which he said so."""

    state = text()
    officer = nested(Author)
    reason = text()
    at = time()
    op = text()


class Path(Schema):
    """One operation from its capture to the terminals that saw it."""

    op = text(allow_none=True)
    terminal = nested(Labelled, allow_none=True)
    incarnation = whole()
    n = whole()
    capture = anything(allow_none=True)
    bytes = nested(Bytes)
    chain = nested(Link)
    received_at = time()
    custody = nested(Custody, allow_none=True)
    status = text()
    final = fields.Boolean(required=True)
    outcome = anything()
    leaf = nested(Leaf)
    versions = several(Version)
    conflicts = fields.List(anything(), required=True)
    word = nested(Word, allow_none=True)
    seen_by = nested(Sight, allow_none=True)
