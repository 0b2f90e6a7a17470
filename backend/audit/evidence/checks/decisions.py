"""Who may and who confirmed: posts, second factors and confirmations are what their leaves say, and decisions theirs."""

from __future__ import annotations

from typing import Any

from backend.audit.checks.base import Broken
from backend.audit.evidence.checks.bundle import Bundle, Row
from backend.audit.evidence.decisions import ADDED, GIVEN, POSTED, REMOVED
from backend.audit.evidence.rows import read
from backend.kernel.clock import to_text
from backend.kernel.decision import digest_of
from backend.kernel.ids import b64, sha256

ACTS = frozenset({*POSTED, GIVEN, ADDED, REMOVED})
_USED = frozenset({"applied", "merged", "conflict", "held"})
"""What becomes of an operation whose confirmation was found right."""
_DECISION = ("kind", "verb", "record", "base", "fields")


def check_listed(bundle: Bundle, said: Row, place: dict[str, int]) -> None:
    """A leaf about posts or a confirmation has its row; one about a factor in a bundle of everything."""
    act = said["act"]
    if act in POSTED:
        name = f"what officer {said['officer']} was given as posts"
        row = bundle.one("postings", officer=said["officer"], **place)
    elif act == GIVEN:
        name = f"confirmation {said['confirmation']}"
        row = bundle.one("confirmations", confirmation=said["confirmation"], **place)
    elif bundle.whole:
        name = f"factor {said['factor']}"
        ends = {"removed_epoch": place["epoch"], "removed_leaf": place["leaf"]}
        row = bundle.one("factors", factor=said["factor"], **(ends if act == REMOVED else place))
    else:
        return
    if row is None:
        raise Broken(f"{name} has a leaf, but the bundle has it not")


def check_postings(bundle: Bundle) -> None:
    """The posts that an officer was given are what the leaf says that gave them."""
    for row in bundle.rows("postings"):
        name = f"what officer {row['officer']} was given as posts"
        said = bundle.leaf(row, name)["said"]
        is_ = (row["officer"], row["since"], row["posts"])
        if said["act"] not in POSTED or is_ != (said["officer"], said["at"], " ".join(said["posts"])):
            raise Broken(f"{name} differs from its leaf")


def check_factors(bundle: Bundle) -> None:
    """Every second factor was added as its leaf says, and taken away where one says so. A part lists none."""
    for row in bundle.rows("factors"):
        name = f"factor {row['factor']}"
        if not bundle.whole:
            raise Broken(f"{name} is listed in a bundle that is not of everything")
        said = bundle.leaf(row, name)["said"]
        is_ = tuple(row[each] for each in ("factor", "officer", "sort", "key_digest", "added_at"))
        if said["act"] != ADDED or is_ != tuple(said[each] for each in ("factor", "officer", "sort", "key", "at")):
            raise Broken(f"{name} differs from its leaf")
        end = (row["removed_at"], row["removed_epoch"], row["removed_leaf"])
        if end != (None, None, None) and not _removed(bundle, row, name):
            raise Broken(f"{name} was not taken away as is said")


def _removed(bundle: Bundle, row: Row, name: str) -> bool:
    said = bundle.leaf({"epoch": row["removed_epoch"], "leaf": row["removed_leaf"]}, name)["said"]
    is_ = (REMOVED, row["factor"], row["officer"], row["removed_at"])
    return (said["act"], said["factor"], said["officer"], said["at"]) == is_


def check_confirmations(bundle: Bundle) -> None:
    """Every confirmation is what its leaf says, was given in its officer's sign-in, and is used by one decision at most."""
    for row in bundle.rows("confirmations"):
        name = f"confirmation {row['confirmation']}"
        said = bundle.leaf(row, name)["said"]
        if said["act"] != GIVEN or _facts(row) != _told(said):
            raise Broken(f"{name} differs from its leaf")
        session = bundle.one("sessions", session=row["session"])
        if session is None or (session["officer"], session["terminal"]) != (row["officer"], row["terminal"]):
            raise Broken(f"{name} was not given in a sign-in of its officer at its terminal")
        if bundle.whole and not _his(bundle, row):
            raise Broken(f"{name} was given by a factor that its officer did not have then")
    _check_decisions(bundle)


def _facts(row: Row) -> tuple[Any, ...]:
    proof = b64(sha256(row["proof"])) if type(row["proof"]) is bytes else None
    who = tuple(row[each] for each in ("confirmation", "officer", "session", "terminal", "factor", "digest"))
    return (*who, proof, row["given_at"], row["expires_at"])


def _told(said: Row) -> tuple[Any, ...]:
    who = tuple(said[each] for each in ("confirmation", "officer", "session", "terminal", "factor", "digest"))
    return (*who, said["proof"], said["at"], to_text(said["expires"]))


def _his(bundle: Bundle, row: Row) -> bool:
    factor = bundle.one("factors", factor=row["factor"], officer=row["officer"])
    if factor is None or _place(factor) > _place(row):
        return False
    return factor["removed_epoch"] is None or _place(row) < (factor["removed_epoch"], factor["removed_leaf"])


def _place(row: Row) -> tuple[int, int]:
    return row["epoch"], row["leaf"]


def _check_decisions(bundle: Bundle) -> None:
    """What took effect by a confirmation had one of this very decision, given by this officer at this terminal, in time.

    What is not judged here: operations that were refused, and perhaps for that.
    """
    users: dict[str, str] = {}
    for row in bundle.rows("operations", having="confirmation"):
        name, confirmation = f"operation {row['n']} of terminal {row['terminal']}", row["confirmation"]
        released = row["status"] == "escrowed" and _took_effect(bundle, row)
        if row["status"] not in _USED and not released:
            continue
        given = bundle.one("confirmations", confirmation=confirmation)
        if given is None:
            if released:  # a leader's word on one that a restore had lost
                continue
            raise Broken(f"{name} took effect by confirmation {confirmation}, which the bundle has not")
        if not _of_decision(row, given):
            raise Broken(f"{name} took effect by confirmation {confirmation}, which is of another decision or officer")
        if row["op"] is None:  # the same operation, sent again
            continue
        if _place(row) < _place(given) or (not released and row["received_at"] >= given["expires_at"]):
            raise Broken(f"{name} took effect by confirmation {confirmation}, which was not good then")
        if users.setdefault(confirmation, row["op"]) != row["op"]:
            raise Broken(f"{name} took effect by confirmation {confirmation}, which another had used")


def _took_effect(bundle: Bundle, row: Row) -> bool:
    """Whether a leader's word has let an operation out of escrow."""
    return row["op"] is not None and bundle.one("versions", op=row["op"], record=row["record"]) is not None


def _of_decision(row: Row, given: Row) -> bool:
    said = read(row["raw"])
    digest = b64(digest_of(*(said[each] for each in _DECISION)))
    return (said["officer"], row["terminal"], digest) == (given["officer"], given["terminal"], given["digest"])
