"""Whether an officer had the right to what he did, at the time at which he says he did it. Pure.

A right that was lost before sends the operation into escrow: it is kept, and a leader decides. Whoever never had a
ward records what he saw there all the same, and the record says so; he cannot change what he could not have seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from backend.domain.posts import WARD_POSTS
from backend.identity.assignments import Assignment
from backend.identity.postings import Posting
from backend.identity.scopes import GIVEN
from backend.identity.sessions import Session
from backend.kernel.kind import Compartment, Mark
from backend.kernel.problems import Problem

OUTSIDE = Mark("scope.outside")
UNPROVEN = Mark("authority.unproven")
Stay = tuple[int, str | None]


@dataclass(slots=True)
class Ground:
    """``parents``: place → the place that it lies in. ``stays``: person → since when he was where, the oldest first.
    ``assignments``: officer → the places he was ever given. ``revoked``: officer → when all his rights ended.
    ``postings``: officer → the posts he ever held, of those whose posts have changed. ``excluded``: partition → officers
    who are left out of it."""

    parents: dict[str, str | None] = field(default_factory=dict)
    stays: Mapping[str, list[Stay]] = field(default_factory=dict)
    assignments: Mapping[str, list[Assignment]] = field(default_factory=dict)
    revoked: Mapping[str, int] = field(default_factory=dict)
    postings: Mapping[str, list[Posting]] = field(default_factory=dict)
    excluded: dict[str, frozenset[str]] = field(default_factory=dict)

    def above(self, place: str | None) -> Iterator[str]:
        """A place and all that it lies in."""
        while place is not None:
            yield place
            place = self.parents.get(place)

    def where(self, partition: str, at: int) -> list[str]:
        """The places by which a partition is given at a moment; none for one of the whole facility."""
        subject, record, _ = partition.split("/")
        return list(self.above(record if subject == "place" else _place_at(self.stays.get(record, []), at)))

    def covers(self, session: Session, places: Collection[str], at: int) -> bool:
        """Whether one of the places is an officer's at a moment."""
        if not bound(session):
            return True
        for each in self.assignments.get(session.officer.officer, ()):  # noqa: SIM110 - a generator would cost more
            if each.place in places and _lasts(each, at):
                return True
        return False


def bound(session: Session) -> bool:
    """Whether an officer's right ends at the wards that he is assigned to."""
    return WARD_POSTS.issuperset(session.officer.posts)


def posts_at(ground: Ground, session: Session, at: int) -> tuple[str, ...]:
    """The posts that a session's officer held at a moment; before the first that are known, those."""
    found = session.officer.posts
    for index, posting in enumerate(ground.postings.get(session.officer.officer, ())):
        if index and posting.since > at:
            break
        found = posting.posts
    return found


def _with(session: Session, posts: Iterable[str]) -> Session:
    return replace(session, officer=replace(session.officer, posts=tuple(posts)))


def with_all_posts(ground: Ground, session: Session) -> Session:
    """The session of an officer as if he still held every post that he ever held."""
    history = ground.postings.get(session.officer.officer)
    if history is None:
        return session
    return _with(session, dict.fromkeys(post for posting in history for post in posting.posts))


Posted = tuple[Session, tuple[Mark, ...]]


def posted(
    ground: Ground, session: Session, wanted: frozenset[str], claimed: int, proven: int | None, now: int
) -> Problem | Posted:
    """The session of an officer with the posts that he held when he made an operation that asks for one of ``wanted``.

    Times as for ``judge``. The problem is ``officer.unauthorised`` where he never held one, ``officer.off_post``
    (escrow) where he held one at another time.
    """
    history = ground.postings.get(session.officer.officer)
    if history is None:
        return Problem("officer.unauthorised", "officer") if wanted.isdisjoint(session.officer.posts) else (session, ())
    seen = min(claimed, now)
    made = max(seen, proven or 0)
    for at in (made, seen):
        then = posts_at(ground, session, at)
        if not wanted.isdisjoint(then):
            lasting = at == made and not wanted.isdisjoint(posts_at(ground, session, now))
            return _with(session, then), () if lasting else (UNPROVEN,)
    ever = any(not wanted.isdisjoint(posting.posts) for posting in history)
    return Problem("officer.off_post" if ever else "officer.unauthorised", "officer")


def _place_at(stays: list[Stay], at: int) -> str | None:
    """Where a person was; before the first that is known, where he was first known to be."""
    found = stays[0][1] if stays else None
    for since, place in stays:
        if since > at:
            break
        found = place
    return found


def _lasts(given: Assignment, at: int) -> bool:
    return given.since <= at and (given.until is None or at < given.until)


def _of_all(session: Session, partition: str) -> bool:
    """Whether a partition is of the facility as a whole and given to an officer's posts: no ward bounds it."""
    subject, _, compartment = partition.split("/")
    return subject == "facility" and not GIVEN[subject, Compartment(compartment)].isdisjoint(session.officer.posts)


def judge(
    ground: Ground, session: Session, partition: str, claimed: int, proven: int | None, now: int, *, fact: bool
) -> Problem | tuple[Mark, ...]:
    """The problem that sends an operation into escrow, or what is remarkable about its officer's right.

    ``claimed``: when it was seen by the device's clock, which may be wrong by years. ``proven``: the moment before which
    it cannot have been made, if that is known. ``now``: its receipt. ``fact``: it tells what was seen, and changes
    nothing that was there.
    """
    seen = min(claimed, now)
    made = max(seen, proven or 0)
    officer = session.officer.officer
    revoked = ground.revoked.get(officer)
    if revoked is not None and made >= revoked:
        return Problem("officer.revoked", "officer")
    if officer in ground.excluded.get(partition, ()):
        return Problem("officer.out_of_scope", "officer")
    doubt = (UNPROVEN,) if revoked is not None else ()
    if not bound(session) or _of_all(session, partition):
        return doubt
    places = ground.where(partition, made)
    if ground.covers(session, places, made):
        if partition.startswith("person/"):  # nothing else ever moves
            places = ground.where(partition, now)
        return doubt if ground.covers(session, places, now) else (UNPROVEN,)
    places = ground.where(partition, seen)
    if ground.covers(session, places, seen):
        return (UNPROVEN,)
    had = any(
        each.place in places and each.since <= made and each.since != each.until
        for each in ground.assignments.get(officer, [])
    )
    if had or not fact:
        return Problem("officer.out_of_scope", "officer")
    return (*doubt, OUTSIDE)
