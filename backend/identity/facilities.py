"""Facilities of this installation. The server is a terminal of its own in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select

from backend.audit.log import append
from backend.domain.posts import FACILITY_TYPES
from backend.identity import credentials, officers, staff, terminals
from backend.identity.officers import CONSOLE, NewOfficer, Officer
from backend.identity.staff import Candidate
from backend.identity.terminals import Terminal
from backend.kernel.ids import FACILITY, uuid7
from backend.kernel.keys import SigningKey
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction, UnknownFacility
from backend.storage.engine import Refused, Store

SERVER_LABEL = "server"
_F = tables.facilities.c
Facts = tuple[str, str, str]
"""Id, name and type of a facility."""


@dataclass(frozen=True, slots=True)
class Facility:
    """``type`` is one of FACILITY_TYPES; ``head`` is the newest signed head of its log."""

    facility: str
    name: str
    type: str
    server: str
    epoch: int
    size: int
    head: str

    def public(self) -> dict[str, Any]:
        return {"id": self.facility, "name": self.name, "type": self.type}


class FacilityExists(ValueError):
    """There is a facility of that id already."""


def found(
    door: Door,
    facility: str,
    name: str,
    type_: str,
    key: SigningKey,
    administrator: NewOfficer | None = None,
    by: str = CONSOLE,
) -> None:
    """Makes a facility and enrols the server in it with its own key; with its first ``administrator``, if one is given.

    ``by``: ``console``, or facility and officer as ``HOME/<id>``. Raises ValueError, FacilityExists.
    """
    if not FACILITY.fullmatch(facility) or type_ not in FACILITY_TYPES or not 1 <= len(name) <= 80:
        raise ValueError(f"a facility needs an id like {FACILITY.pattern}, a name, and a type of {FACILITY_TYPES}")
    server = uuid7(door.clock.now())
    first = [] if administrator is None else [administrator]
    hashed = [credentials.HASHER.hash(each.secret) for each in first]

    def work(transaction: Transaction) -> None:
        facts = {"facility": facility, "type": type_, "key": key.thumbprint, "by": by}
        append(transaction, "facility.founded", facts)
        terminals.add(transaction, server, SERVER_LABEL, key.jwk)
        officers.enter(transaction, first, hashed, by)

    try:
        door.found({"facility": facility, "name": name, "type": type_, "server": server}, work)
    except Refused:
        raise FacilityExists(facility) from None


def found_from(door: Door, home: Officer, wanted: Facts, administrator: Candidate, key: SigningKey) -> NewOfficer:
    """Founds a facility from another one, whose log says first that it was asked for: its first administrator, with the
    temporary secret that is told once.

    Raises Problem ``facility.exists``, ``field.invalid`` for facts that cannot be.
    """
    facility, name, type_ = wanted
    if not staff.NAME.fullmatch(name):
        raise Problem("field.invalid", "name")
    first = staff.checked(administrator, uuid7(door.clock.now()))
    facts = {"facility": facility, "by": home.officer}

    def ask(transaction: Transaction) -> None:
        if transaction.connection.execute(select(_F.facility).where(_F.facility == facility)).first() is not None:
            raise Problem("facility.exists", "id")
        append(transaction, "facility.asked", facts)

    door.write(home.facility, ask)
    try:
        found(door, facility, name, type_, key, first, f"{home.facility}/{home.officer}")
    except FacilityExists:
        raise Problem("facility.exists", "id") from None
    return first


def everyone(store: Store) -> list[Facility]:
    """All facilities, by id."""
    columns = (_F.facility, _F.name, _F.type, _F.server, _F.epoch, _F.size, _F.head)
    with store.reading() as connection:
        return [Facility(*row) for row in connection.execute(select(*columns).order_by(_F.facility))]


def one(store: Store, facility: str) -> Facility:
    """Raises UnknownFacility."""
    for each in everyone(store):
        if each.facility == facility:
            return each
    raise UnknownFacility(facility)


def server(store: Store, facility: str) -> Terminal:
    """The server's own terminal in a facility, with the end of its chain."""
    with store.reading() as connection:
        statement = select(_F.server).where(_F.facility == bindparam("f"))
        terminal = connection.execute(statement, {"f": facility}).scalar_one()
    return terminals.by_id(store, terminal)
