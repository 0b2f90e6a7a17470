"""What a verifier of bundles is told, in sentences."""

from __future__ import annotations

from backend.audit.evidence.verify import Held


def sentence(held: Held, *, pinned: bool) -> str:
    """What held, and what is still to be compared."""
    said = (
        f"{held.facility}: the bundle of {held.at} holds: {held.leaves} leaves, {held.operations} operations, "
        f"{held.versions} versions; scope {held.scope}; head of epoch {held.epoch}, {held.size} leaves, root {held.root}"
    )
    if pinned:
        return f"{said}\nsigned by the key {held.key}, to which the key that was given has led"
    return f"{said}\nsigned by the key {held.key}: compare it with the one that the facility's terminals know (--key)"
