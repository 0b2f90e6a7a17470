"""How two edits of one record meet: three ways, field by field (docs/protocol.md §10). Pure.

For each field there are what the officer saw, what he wrote, and what stands on the server. The comparison is by value,
not by version, so that it holds across a restore and over operations that the terminal has not yet heard of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.kernel.kind import REMOVED, Head, Kind, Policy, Verb

_NOTHING = object()


@dataclass(frozen=True, slots=True)
class Meeting:
    """``disputed``: field → the server's value, of the fields that cannot be decided here. ``agreed``: all that was
    written stands already."""

    disputed: Mapping[str, Any]
    agreed: bool


def value(head: Head, name: str) -> Any:
    """The server's value of a field; a document may leave its state to the record."""
    return head.doc.get(name, head.state if name == "state" else None)


def meet(
    kind: Kind, verb: Verb, head: Head, seen: Mapping[str, Any], fields: Mapping[str, Any], *, moved: bool
) -> Meeting:
    """An edit or a transition against the present version.

    ``seen`` names every field that it compares. ``moved``: others have changed the record since.
    """
    changes = differing(verb, head, fields)
    if head.state == REMOVED:
        return Meeting(changes or {"state": REMOVED}, agreed=False)
    wary = moved and not verb.by_value and (kind.policy is Policy.DECISION or verb.removes or not seen)
    collides = any(
        wary or (moved and name in kind.strict) or (name in seen and stands != seen[name])
        for name, stands in changes.items()
    )
    return Meeting(changes if collides else {}, agreed=not changes)


def differing(verb: Verb, head: Head, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Field → the server's value, of the fields that an operation would change or rests on."""
    found = {name: value(head, name) for name in verb.watches}
    if verb.edits:
        found |= {name: value(head, name) for name, new in fields.items() if value(head, name) != new}
    return found or ({} if verb.edits else {"state": head.state})


def joins(dispute: Mapping[str, Any], verb: Verb, head: Head, fields: Mapping[str, Any]) -> bool:
    """Whether an operation touches a field that is under dispute already, with another value than the server's."""
    if verb.by_value and not verb.watches:
        return False
    return any(name in dispute for name in differing(verb, head, fields))
