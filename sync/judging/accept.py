"""Bytes → operation: everything about an operation that can be said without looking at any other.

Pure, and done before the facility's lock is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema, fields, validate

from backend.kernel.acceptor import Acceptor, acceptor
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


class _Second(Schema):
    officer = reference()
    session = reference()
    method = choice(("session",))


class _Signoff(Schema):
    method = choice(("face", "session"))
    evidence = listed(fields.Nested(_Evidence), 8)
    challenge = word(200, allow_none=True)
    second = fields.Nested(_Second, required=False)
    confirmation = reference(required=False)


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
    seen = fields.Dict()
    fields = fields.Dict(required=True)  # type: ignore[assignment] # the protocol's word; marshmallow keeps them apart


_ENVELOPE = Acceptor(Envelope)


@dataclass(slots=True)
class Operation:
    """An accepted frame. Without ``problem`` it is right in itself, and ``kind`` and ``verb`` are set.

    ``status`` is what becomes of it when it has a problem: ``quarantined`` (could not be read as an operation; then
    ``said`` is None, and ``op`` too unless an id was legible), ``rejected``, or ``unsupported`` (of a schema that this
    server does not take: the push that brought it is refused). ``fields`` and ``seen`` are those of the kind's present
    schema, ``converted`` whether they were sent so.
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
    fields: Mapping[str, Any] = field(default_factory=dict)
    seen: Mapping[str, Any] = field(default_factory=dict)
    converted: bool = False


class Acceptance:
    """Reads frames as operations of the given kinds."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds
        self._fields = {
            (kind.name, name): acceptor(verb.schema) for kind in kinds.values() for name, verb in kind.verbs.items()
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
        return self._of_kind(frame, said, times)

    def _of_kind(self, frame: Frame, said: Mapping[str, Any], times: tuple[int, int]) -> Operation:
        kind = self._kinds.get(said["kind"])
        verb = kind.verbs.get(said["verb"]) if kind else None
        if kind is None or verb is None:
            problem = Problem("verb.unknown", "verb") if kind else Problem("kind.unknown", "kind")
            return Operation(frame, said["op"], said, kind, verb, *times, "rejected", problem)
        schema = said["schema"]
        if schema != kind.version and schema not in (supported := kind.supported()):
            told = Problem("schema.unsupported", "schema", kind=kind.name, n=frame.n, supported=supported)
            return Operation(frame, said["op"], said, kind, verb, *times, "unsupported", told)
        fields_, seen = said["fields"], said.get("seen", {})
        try:
            for step in range(schema, kind.version):
                convert = kind.converters[step]
                fields_, seen = convert(said["verb"], fields_), convert(said["verb"], seen) if seen else seen
        except (KeyError, TypeError, ValueError, AttributeError):
            told = Problem("field.invalid", "fields")
        else:
            found = self._wrong(said, kind, verb, fields_, seen)
            if found is None:
                return Operation(
                    frame, said["op"], said, kind, verb, *times, None, None, fields_, seen, schema != kind.version
                )
            told = found
        return Operation(frame, said["op"], said, kind, verb, *times, "rejected", told)

    def _wrong(
        self, said: Mapping[str, Any], kind: Kind, verb: Verb, fields_: Mapping[str, Any], seen: Mapping[str, Any]
    ) -> Problem | None:
        if verb.creates != (said["base"] == 0):
            return Problem("field.invalid", "base")
        if said["op"] in said["after"]:
            return Problem("field.invalid", "after")
        if messages := self._fields[kind.name, said["verb"]].errors(fields_):
            return of_fields(messages, "fields")
        compared = verb.compared(fields_)
        if seen.keys() != set(compared):
            missing = [name for name in compared if name not in seen]
            return Problem("field.missing" if missing else "field.unknown", "seen")
        return _signoff_wrong(said["signoff"], verb)


def _signoff_wrong(signoff: Mapping[str, Any] | None, verb: Verb) -> Problem | None:
    if signoff is None:
        return Problem("signoff.missing", "signoff") if verb.signoff else None
    face = signoff["method"] == "face"
    if face != bool(signoff["evidence"]) or face != (signoff["challenge"] is not None):
        return Problem("signoff.invalid", "signoff")
    if verb.confirm == ("confirmation" in signoff):
        return None
    return Problem("confirmation.missing" if verb.confirm else "signoff.invalid", "signoff.confirmation")


def _times(said: Mapping[str, Any]) -> tuple[int, int] | Problem:
    name = "observed_at"
    try:
        observed = from_text(said[name])
        name = "recorded_at"
        recorded = from_text(said[name])
        for at, seen in enumerate(said["signoff"]["evidence"] if said["signoff"] else ()):
            name = f"signoff.evidence.{at}.taken_at"
            from_text(seen["taken_at"])
    except ValueError:
        return Problem("field.invalid", name)
    return observed, recorded


def _quarantined(frame: Frame, problem: Problem, op: object = None) -> Operation:
    named = op if isinstance(op, str) and UUID7.fullmatch(op) else None
    return Operation(frame, named, None, status="quarantined", problem=problem)
