"""Facilities of this installation. The server is a terminal of its own in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select

from backend.audit.log import append
from backend.domain.posts import FACILITY_TYPES
from backend.identity import terminals
from backend.identity.terminals import Terminal
from backend.kernel.ids import FACILITY, uuid7
from backend.kernel.keys import SigningKey
from backend.storage import tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Refused, Store

SERVER_LABEL = "server"
_F = tables.facilities.c


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


def found(door: Door, facility: str, name: str, type_: str, key: SigningKey) -> None:
    """Makes a facility and enrols the server in it with its own key. Raises ValueError, FacilityExists."""
    if not FACILITY.fullmatch(facility) or type_ not in FACILITY_TYPES or not 1 <= len(name) <= 80:
        raise ValueError(f"a facility needs an id like {FACILITY.pattern}, a name, and a type of {FACILITY_TYPES}")
    server = uuid7(door.clock.now())

    def work(transaction: Transaction) -> None:
        append(transaction, "facility.founded", {"facility": facility, "type": type_, "key": key.thumbprint})
        terminals.add(transaction, server, SERVER_LABEL, key.jwk)

    try:
        door.found({"facility": facility, "name": name, "type": type_, "server": server}, work)
    except Refused:
        raise FacilityExists(facility) from None


def everyone(store: Store) -> list[Facility]:
    """All facilities, by id."""
    columns = (_F.facility, _F.name, _F.type, _F.server, _F.epoch, _F.size, _F.head)
    with store.reading() as connection:
        return [Facility(*row) for row in connection.execute(select(*columns).order_by(_F.facility))]


def one(store: Store, facility: str) -> Facility:
    """Raises LookupError."""
    for each in everyone(store):
        if each.facility == facility:
            return each
    raise LookupError(facility)


def server(store: Store, facility: str) -> Terminal:
    """The server's own terminal in a facility, with the end of its chain."""
    with store.reading() as connection:
        statement = select(_F.server).where(_F.facility == bindparam("f"))
        terminal = connection.execute(statement, {"f": facility}).scalar_one()
    return terminals.by_id(store, terminal)
