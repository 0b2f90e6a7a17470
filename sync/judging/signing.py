"""Who stands behind an operation: the second who signs beside an auxiliary, and the confirmation of a decision. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from backend.domain.posts import POLICE, Post
from backend.identity.confirmations import Confirmation
from backend.identity.sessions import Session
from backend.kernel.decision import digest_of
from backend.kernel.kind import Mark
from backend.kernel.problems import Problem
from sync.judging.authority import Ground, posts_at

_ALONE, _UNKNOWN = Mark("signoff.alone", "P07"), Mark("signoff.second")
_AUXILIARY = frozenset({Post.AUX})


def over_at(session: Session) -> int:
    """The moment (milliseconds) at which a session was over, or will be."""
    return session.expires_at if session.ended_at is None else min(session.ended_at, session.expires_at)


@dataclass(frozen=True, slots=True)
class Signing:
    """A signed operation: ``said`` on ``terminal``, by the officer of ``session`` as he was when it was made.

    ``seen``: when it was observed, as claimed; ``made``: the same, or the later moment that is proven (milliseconds).
    """

    said: Mapping[str, Any]
    terminal: str
    session: Session
    seen: int
    made: int


def remarks(signing: Signing, sessions: Mapping[str, Session], ground: Ground) -> tuple[Mark, ...]:
    """What is remarkable about who signed: an auxiliary alone, or beside somebody who cannot be found."""
    signoff = signing.said["signoff"]
    if signoff is None:
        return ()
    second = signoff.get("second")
    if second is not None and _stands(second, signing, sessions, ground):
        return ()
    marks = () if second is None else (_UNKNOWN,)
    return (*marks, _ALONE) if _AUXILIARY.issuperset(signing.session.officer.posts) else marks


def second(signing: Signing, sessions: Mapping[str, Session], ground: Ground) -> str:
    """The officer who signed beside an operation's own, if he can be verified; else nothing."""
    named = (signing.said["signoff"] or {}).get("second")
    return named["officer"] if named is not None and _stands(named, signing, sessions, ground) else ""


def _stands(second: Mapping[str, str], signing: Signing, sessions: Mapping[str, Session], ground: Ground) -> bool:
    """Another officer, of the police, whose session on the same terminal had not ended.

    That it had begun needs no proof: its id was not known to anybody before.
    """
    session = sessions.get(second["session"])
    if session is None or session.terminal != signing.terminal or session.officer.officer != second["officer"]:
        return False
    if second["officer"] == signing.said["officer"] or signing.seen > over_at(session):
        return False
    revoked = ground.revoked.get(second["officer"])
    return (revoked is None or signing.made < revoked) and not POLICE.isdisjoint(
        posts_at(ground, session, signing.made)
    )


@dataclass(frozen=True, slots=True)
class Moment:
    """When an operation is judged: the receipt's time and epoch. ``late``: whether it may come after its time."""

    now: int
    epoch: int
    late: bool = False


def confirm(
    said: Mapping[str, Any], known: Mapping[str, Confirmation], moment: Moment
) -> tuple[str, Problem] | Confirmation:
    """The confirmation of a decision, spent by it; or what becomes of the decision, and why.

    What had been confirmed before a restore may have lost its confirmation, or that it was in time: a leader decides.
    """
    named = said["signoff"]["confirmation"]
    found = known.get(named)
    if found is None:
        return "rejected", Problem("confirmation.missing", "signoff.confirmation")
    if found.lost:
        return ("escrowed", Problem("confirmation.lost", "signoff.confirmation")) if not moment.late else found
    its = digest_of(said["kind"], said["verb"], said["record"], said["base"], said["fields"])
    whose = (found.officer, found.terminal, found.digest)
    if whose != (said["officer"], said["terminal"], its) or found.op not in (None, said["op"]):
        return "rejected", Problem("confirmation.invalid", "signoff.confirmation")
    if found.op is None and not moment.late and moment.now >= found.expires_at:
        if said["anchor"]["epoch"] < moment.epoch:
            return "escrowed", Problem("confirmation.lost", "signoff.confirmation")
        return "rejected", Problem("confirmation.expired", "signoff.confirmation")
    return replace(found, op=said["op"])
