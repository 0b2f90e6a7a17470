"""Whether terminals of officers could have known of a duty: when the server last heard from them (``family.Presence``)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import Connection

from backend.facts.deliveries import Deliveries
from backend.identity.contacts import Contacts
from backend.storage.engine import Store


@dataclass(slots=True)
class Seen:
    """Presence as of one look. What this process has heard itself is asked first, then what pulls are written down."""

    connection: Connection
    facility: str
    now: int
    contacts: Contacts
    deliveries: Deliveries
    _pulled: dict[frozenset[str], list[int]] = field(default_factory=dict)

    def contact_after(self, officers: Collection[str], since: int) -> int | None:
        """A moment after ``since`` at which a terminal of one of them was in contact; None: they have been away."""
        heard = self.contacts.after(self.facility, officers, since, self.now)
        if heard is not None:
            return heard
        return min((at for at in self._pulls(frozenset(officers)) if at > since), default=None)

    def _pulls(self, officers: frozenset[str]) -> list[int]:
        """Many duties ask for the same officers."""
        if officers not in self._pulled:
            found = self.deliveries.newest(self.connection, self.facility, officers, self.now)
            self._pulled[officers] = [each.at for each in found]
        return self._pulled[officers]


class Present:
    """Makes presence for each look."""

    def __init__(self, store: Store, contacts: Contacts) -> None:
        self._contacts = contacts
        self._deliveries = Deliveries(store)

    def at(self, connection: Connection, facility: str, now: int) -> Seen:
        return Seen(connection, facility, now, self._contacts, self._deliveries)
