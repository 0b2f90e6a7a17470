"""Who may and who confirmed: what leaves say of posts, second factors and confirmations, as rows of a bundle. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backend.audit.evidence.rows import Leaf
from backend.kernel.clock import to_text

POSTED = ("officer.added", "officer.posted")
ADDED, REMOVED = FACTORED = ("factor.added", "factor.removed")
GIVEN = "confirmation.given"


def posting_row(leaf: Leaf) -> dict[str, Any]:
    """The row in ``postings`` of posts that were given."""
    posts = {"officer": leaf.said["officer"], "since": leaf.said["at"], "posts": " ".join(leaf.said["posts"])}
    return posts | {"epoch": leaf.epoch, "leaf": leaf.position}


def factor_rows(leaves: Iterable[Leaf]) -> list[dict[str, Any]]:
    """The rows of ``factors``, from all leaves about them in their order."""
    rows: dict[str, dict[str, Any]] = {}
    for leaf in leaves:
        said = leaf.said
        if leaf.act == ADDED:
            facts = {"factor": said["factor"], "officer": said["officer"], "sort": said["sort"]}
            facts |= {"key_digest": said["key"], "added_at": said["at"], "removed_at": None}
            ends = {"epoch": leaf.epoch, "leaf": leaf.position, "removed_epoch": None, "removed_leaf": None}
            rows[said["factor"]] = facts | ends
        else:
            gone = {"removed_at": said["at"], "removed_epoch": leaf.epoch, "removed_leaf": leaf.position}
            rows[said["factor"]] |= gone
    return list(rows.values())


def confirmation_row(leaf: Leaf, proof: bytes) -> dict[str, Any]:
    """The row in ``confirmations`` of one that was given. ``proof``: what the factor answered; the leaf has its digest."""
    names = ("confirmation", "officer", "session", "terminal", "factor", "digest")
    facts = {name: leaf.said[name] for name in names} | {"proof": proof, "given_at": leaf.said["at"]}
    return facts | {"expires_at": to_text(leaf.said["expires"]), "epoch": leaf.epoch, "leaf": leaf.position}
