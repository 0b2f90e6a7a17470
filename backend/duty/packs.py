"""The pack of rules that is in force in a facility: the product's, with what the facility laid over it and who signed it.

Overrides and signatures are records of the facility's own (kinds ``rule.override``, ``rule.signature``). They lie with the
roster, which everybody is given: whoever is held to a time may know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, or_, select

from backend.domain.calendars import day_of
from backend.domain.rules.composing import NotTighter, Override, amount_of, laid
from backend.domain.rules.model import Pack
from backend.domain.rules.reading import base
from backend.identity.scopes import partition
from backend.kernel.kind import Compartment
from backend.storage import tables
from backend.storage.door import UnknownFacility
from backend.storage.engine import Store

OVERRIDE, SIGNATURE = "rule.override", "rule.signature"
STANDS = "stands"
"""The state of an override or signature that nobody has withdrawn."""

_F, _P, _R = tables.facilities.c, tables.partitions.c, tables.records.c


@dataclass(frozen=True, slots=True)
class Signature:
    """That a lawyer confirmed a pack: ``by`` whom, on what paper and day."""

    digest: str
    by: str


@dataclass(frozen=True, slots=True)
class _Laid:
    """What a facility has said of its rules, as of a sequence number of its partition."""

    seq: int
    type: str
    overrides: tuple[Override, ...]
    signatures: tuple[Signature, ...]


class Packs:
    """Reads packs; one whose records have not changed is not put together again. Shared by threads.

    To make one reads the product's pack. Raises Broken, so that a server with a broken one does not start.
    """

    def __init__(self, store: Store) -> None:
        base()
        key = (_P.facility == bindparam("f"), _P.partition == bindparam("p"))
        self._seq = store.prepare(select(_P.seq).where(*key))
        self._type = store.prepare(select(_F.type).where(_F.facility == bindparam("f")))
        said = (
            _R.facility == bindparam("f"),
            _R.partition == bindparam("p"),
            or_(_R.kind == OVERRIDE, _R.kind == SIGNATURE),
        )
        self._said = store.prepare(select(_R.kind, _R.body).where(*said, _R.state == STANDS).order_by(_R.seq))
        self._laid: dict[str, _Laid] = {}
        self._packs: dict[str, tuple[_Laid, date, Pack]] = {}

    def in_force(self, connection: Connection, facility: str, at: int) -> Pack:
        """The pack at a moment (milliseconds). Raises UnknownFacility."""
        said, day = self._read(connection, facility), day_of(at)
        kept = self._packs.get(facility)
        if kept is not None and kept[0] is said and kept[1] == day:
            return kept[2]
        pack = laid(base(), said.type, said.overrides, day)
        signed = next((each.by for each in reversed(said.signatures) if each.digest == pack.digest), None)
        pack = replace(pack, signed=signed)
        self._packs[facility] = (said, day, pack)
        return pack

    def overrides(self, connection: Connection, facility: str) -> tuple[Override, ...]:
        """What the facility has laid over the product's pack, with what is to be in force later."""
        return self._read(connection, facility).overrides

    def _read(self, connection: Connection, facility: str) -> _Laid:
        asked = {"f": facility, "p": partition("facility", facility, Compartment.ROSTER)}
        newest = self._seq.first(connection, asked)
        seq = 0 if newest is None else newest.seq
        kept = self._laid.get(facility)
        if kept is not None and kept.seq == seq:
            return kept
        found = self._type.first(connection, {"f": facility})
        if found is None:
            raise UnknownFacility(facility)
        rows = [(row.kind, orjson.loads(row.body)["doc"]) for row in self._said.all(connection, asked)]
        overrides = [override_of(doc) for kind, doc in rows if kind == OVERRIDE]
        signatures = [signature_of(doc) for kind, doc in rows if kind == SIGNATURE]
        read = _Laid(seq, found.type, tuple(each for each in overrides if each), tuple(signatures))
        self._laid[facility] = read
        return read


def override_of(doc: Mapping[str, Any]) -> Override | None:
    """What a record of the kind ``rule.override`` lays over the pack; None where the pack no longer allows it."""
    rule = base().rules.get(doc["rule"])
    if rule is None:
        return None
    try:
        amount = amount_of(rule, doc["value"], doc["amount"])
    except (LookupError, NotTighter, ValueError):
        return None
    return Override(rule.id, doc["value"], amount, date.fromisoformat(doc["since"]))


def signature_of(doc: Mapping[str, Any]) -> Signature:
    """What a record of the kind ``rule.signature`` says."""
    return Signature(doc["digest"], f"{doc['signer']}, {doc['paper']}, {doc['signed_on']}")
