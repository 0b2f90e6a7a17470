"""Documents of conflicts: opened, joined, settled (docs/protocol.md §10). Pure; nothing is ever taken out of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.kernel.kind import Ruling
from backend.kernel.problems import Problem

CONFLICT = "conflict"
OPEN, ROUTED, SETTLED = "open", "routed", "settled"
Doc = Mapping[str, Any]


def opened(record: str, kind: str, server: Mapping[str, Any], candidate: Doc) -> dict[str, Any]:
    """A dispute between the server's values and one candidate."""
    return {
        "record": record,
        "kind": kind,
        "state": OPEN,
        "server": dict(server),
        "candidates": [candidate],
        "settlements": [],
    }


def joined(doc: Doc, server: Mapping[str, Any], candidate: Doc) -> dict[str, Any]:
    """One candidate more; a dispute that was settled is open again."""
    state = OPEN if doc["state"] == SETTLED else doc["state"]
    values = dict(server) if doc["state"] == SETTLED else {**doc["server"], **server}
    return {**doc, "state": state, "server": values, "candidates": [*doc["candidates"], candidate]}


def candidate(said: Doc, name: str, fields: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
    """An operation as a candidate; ``name``: its officer's."""
    return {
        "op": said["op"],
        "officer": {"id": said["officer"], "name": name},
        "terminal": said["terminal"],
        "verb": said["verb"],
        "base": said["base"],
        "observed_at": said["observed_at"],
        "seen": dict(seen),
        "fields": dict(fields),
    }


def noted(doc: Doc, said: Doc, name: str, problem: Problem | None, **changes: Any) -> dict[str, Any]:
    """The document with a settlement in its list, accepted or not, and whatever else it changes."""
    entry = {
        "op": said["op"],
        "officer": {"id": said["officer"], "name": name},
        "choice": said["fields"]["choice"],
        "reason": said["fields"]["reason"],
        "accepted": problem is None,
        "problem": problem.code if problem else None,
    }
    return {**doc, "settlements": [*doc["settlements"], entry], **changes}


def ruling(doc: Doc, partition: str) -> Ruling:
    """The conflict's row; it lies where the disputed record lies."""
    return Ruling(doc, partition, doc["state"])
