"""Bytes → operation: everything about an operation that can be said without looking at any other.

Pure, and done before the facility's lock is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, fields, validate

from backend.kernel.acceptor import Acceptor
from backend.kernel.clock import from_text
from backend.kernel.framing import MAX_OPERATION, Frame
from backend.kernel.ids import UUID7
from backend.kernel.kind import Kind, Verb
from backend.kernel.problems import Problem, of_fields
from backend.kernel.strict_json import Unreadable, read_object
from backend.records.forms import choice, listed, reference, whole, word

_SAFE = 2**53 - 1


def _digest(**options: Any) -> fields.String:
    return fields.String(required=True, validate=validate.Regexp(r"[A-Za-z0-9_-]{43}\Z"), **options)


class _Clock(Schema):
    boot = fields.String(required=True, validate=validate.Regexp(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"))
    monotonic = whole(0, _SAFE)


class _Anchor(Schema):
    epoch = whole(1, 2**31 - 1)
    size = whole(1, _SAFE)
    root = _digest()


class _Evidence(Schema):
    digest = _digest()
    taken_at = word(24, 24)


class _Signoff(Schema):
    method = choice(("face", "session"))
    evidence = listed(fields.Nested(_Evidence), 8)
    challenge = word(200, allow_none=True)


class Envelope(Schema):
    """Everything around ``fields`` (docs/protocol.md §5)."""

    op = reference()
    terminal = reference()
    incarnation = whole(1, 2**31 - 1)
    n = whole(1, _SAFE)
    kind = word(40)
    schema = whole(1, 9999)
    verb = word(40)
    record = reference()
    base = whole(0, 2**31 - 1)
    after = listed(reference(), 64)
    officer = reference()
    session = reference()
    observed_at = word(24, 24)
    recorded_at = word(24, 24)
    clock = fields.Nested(_Clock, required=True)
    anchor = fields.Nested(_Anchor, required=True)
    signoff = fields.Nested(_Signoff, required=True, allow_none=True)
    attachments = listed(_digest(), 16)
    fields = fields.Dict(required=True)  # type: ignore[assignment] # the protocol's word; marshmallow keeps them apart


_ENVELOPE = Acceptor(Envelope)


@dataclass(frozen=True, slots=True)
class Operation:
    """An accepted frame. Without ``problem`` it is right in itself, and ``kind`` and ``verb`` are set.

    ``status`` is what becomes of it when it has a problem: ``quarantined`` (could not be read as an operation; then
    ``said`` is None, and ``op`` too unless an id was legible) or ``rejected``.
    """

    frame: Frame
    op: str | None
    said: Mapping[str, Any] | None
    kind: Kind | None = None
    verb: Verb | None = None
    observed_at: int = 0
    recorded_at: int = 0
    status: str | None = None
    problem: Problem | None = None


class Acceptance:
    """Reads frames as operations of the given kinds."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds
        self._fields = {
            (kind.name, name): Acceptor(verb.schema) for kind in kinds.values() for name, verb in kind.verbs.items()
        }

    def accept(self, frame: Frame, terminal: str, incarnation: int) -> Operation:
        """The operation in a frame of that terminal's push. Never raises: what is wrong is in the result."""
        try:
            if len(frame.raw) > MAX_OPERATION:
                raise Unreadable("length")
            said = read_object(frame.raw)
        except Unreadable as fault:
            return _quarantined(frame, Problem("operation.unreadable", reason=fault.reason))
        if messages := _ENVELOPE.errors(said):
            return _quarantined(frame, of_fields(messages), said.get("op"))
        times = _times(said)
        if isinstance(times, Problem):
            return _quarantined(frame, times, said["op"])
        if (said["terminal"], said["incarnation"], said["n"]) != (terminal, incarnation, frame.n):
            return _quarantined(frame, Problem("operation.misaddressed"))
        kind = self._kinds.get(said["kind"])
        verb = kind.verbs.get(said["verb"]) if kind else None
        problem = self._wrong(said, kind, verb)
        status = "rejected" if problem else None
        return Operation(frame, said["op"], said, kind, verb, *times, status, problem)

    def _wrong(self, said: Mapping[str, Any], kind: Kind | None, verb: Verb | None) -> Problem | None:
        if kind is None:
            return Problem("kind.unknown", "kind")
        if said["schema"] != kind.version:
            return Problem("kind.schema", "schema", supported=[kind.version])
        if verb is None:
            return Problem("verb.unknown", "verb")
        if verb.creates != (said["base"] == 0):
            return Problem("field.invalid", "base")
        if messages := self._fields[kind.name, said["verb"]].errors(said["fields"]):
            return of_fields(messages, "fields")
        return _signoff_wrong(said["signoff"], verb)


def _signoff_wrong(signoff: Mapping[str, Any] | None, verb: Verb) -> Problem | None:
    if signoff is None:
        return Problem("signoff.missing", "signoff") if verb.signoff else None
    face = signoff["method"] == "face"
    if face != bool(signoff["evidence"]) or face != (signoff["challenge"] is not None):
        return Problem("signoff.invalid", "signoff")
    return None


def _times(said: Mapping[str, Any]) -> tuple[int, int] | Problem:
    texts = {name: said[name] for name in ("observed_at", "recorded_at")}
    for at, seen in enumerate(said["signoff"]["evidence"] if said["signoff"] else ()):
        texts[f"signoff.evidence.{at}.taken_at"] = seen["taken_at"]
    moments = []
    for name, text in texts.items():
        try:
            moments.append(from_text(text))
        except ValueError:
            return Problem("field.invalid", name)
    return moments[0], moments[1]


def _quarantined(frame: Frame, problem: Problem, op: object = None) -> Operation:
    named = op if isinstance(op, str) and UUID7.fullmatch(op) else None
    return Operation(frame, named, None, status="quarantined", problem=problem)
