"""Terminals: one-time codes, enrolment and its approval, their end, and the end of each chain."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, insert, select, update

from backend.audit.log import append
from backend.audit.views import pages
from backend.identity import segments
from backend.identity.segments import Range, lacking, without
from backend.kernel.framing import genesis
from backend.kernel.ids import sha256, uuid7
from backend.kernel.keys import thumbprint
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Store

CODE_MINUTES = 30
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 12
PENDING = "pending"
"""It is enrolled, and waits for an administrator; nothing else of it is taken."""
REFUSED = "refused"
"""An administrator did not approve it."""
ACTIVE = "active"
FROZEN = "frozen"
"""Its present incarnation has forked; it waits for the next one."""
REVOKED = "revoked"
"""It hands in its queue by the evacuation route, and does nothing else."""
WIPED = "wiped"
"""It says that store and key are destroyed."""
CLOSED = "closed"
"""Its asset was enrolled again."""
STATES = (PENDING, REFUSED, ACTIVE, FROZEN, REVOKED, WIPED, CLOSED)
_GROUPS, _GROUP = 4, 4


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal with the end of its present chain.

    ``last_n``: up to which no number is missing, and ``last_hash`` its hash; ``top_n``: the highest number received;
    ``captured``: the highest one it has reported; ``safe_n``: up to which a verified backup has them; ``asset``: the
    device's inventory number.
    """

    facility: str
    terminal: str
    label: str
    thumbprint: str
    jwk: dict[str, str]
    state: str
    incarnation: int
    last_n: int
    last_hash: bytes
    captured: int
    top_n: int
    safe_n: int
    asset: str | None

    @property
    def fingerprint(self) -> str:
        """The beginning of the key's thumbprint (RFC 7638) in groups, as the device shows it: ``aB3d eF6h iJ9l mN2p``."""
        return fingerprint(self.thumbprint)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a key: a terminal as it is now, and the incarnation that the key belongs to."""

    terminal: Terminal
    incarnation: int


class UnknownTerminal(LookupError):
    """There is no such terminal in the facility, or it is the server itself."""


_T, _I, _F = tables.terminals.c, tables.incarnations.c, tables.forks.c
_BY_ID = select(tables.terminals).where(_T.terminal == bindparam("terminal"))
_BY_THUMBPRINT = select(tables.terminals).where(_T.thumbprint == bindparam("thumbprint"))
_BY_PAST_THUMBPRINT = (
    select(tables.terminals, _I.incarnation.label("past"))
    .join(tables.incarnations, (_I.facility == _T.facility) & (_I.terminal == _T.terminal))
    .where(_I.thumbprint == bindparam("thumbprint"))
)
_OF_SERVER = select(tables.facilities.c.facility).where(tables.facilities.c.server == bindparam("terminal"))
_SET_STATE = (
    update(tables.terminals)
    .where(_T.facility == bindparam("f"), _T.terminal == bindparam("t"))
    .values(state=bindparam("new_state"))
)


def fingerprint(key: str) -> str:
    """What two persons compare of a thumbprint: its first 16 signs in groups of four."""
    return " ".join(key[at : at + _GROUP] for at in range(0, _GROUPS * _GROUP, _GROUP))


def barred(state: str) -> Problem | None:
    """Why a terminal in this state is not served; None for one that is active or frozen."""
    if state in (ACTIVE, FROZEN):
        return None
    return _not_let_in(state) if state in (PENDING, REFUSED) else Problem("terminal.revoked")


def _not_let_in(state: str) -> Problem:
    return Problem("terminal.pending" if state == PENDING else "terminal.refused")


def _terminal(row: Any) -> Terminal:
    return Terminal(
        row.facility, row.terminal, row.label, row.thumbprint, orjson.loads(row.jwk), row.state,
        row.incarnation, row.last_n, row.last_hash, row.captured, row.top_n, row.safe_n, row.asset,
    )  # fmt: skip


def by_id(store: Store, terminal: str) -> Terminal:
    """Raises Problem ``terminal.unknown``."""
    with store.reading() as connection:
        row = connection.execute(_BY_ID, {"terminal": terminal}).one_or_none()
    if row is None:
        raise Problem("terminal.unknown")
    return _terminal(row)


def holder(connection: Connection, key: str) -> Holder | None:
    """Who holds a key or held it in an earlier incarnation, whatever has become of the terminal."""
    row = connection.execute(_BY_THUMBPRINT, {"thumbprint": key}).first()
    if row is not None:
        return Holder(_terminal(row), row.incarnation)
    row = connection.execute(_BY_PAST_THUMBPRINT, {"thumbprint": key}).first()
    return None if row is None else Holder(_terminal(row), row.past)


def is_server(connection: Connection, terminal: str) -> bool:
    """Whether it is the server's own terminal in some facility: nobody speaks for that over HTTP, whatever key he has."""
    return connection.execute(_OF_SERVER, {"terminal": terminal}).first() is not None


def served(connection: Connection, key: str) -> Holder:
    """The holder of a key, of its terminal's present incarnation or an earlier one.

    Raises Problem ``terminal.unknown``, also for the server's own terminal, or that of ``barred`` when the terminal is
    neither active nor frozen.
    """
    found = holder(connection, key)
    if found is None or is_server(connection, found.terminal.terminal):
        raise Problem("terminal.unknown")
    problem = barred(found.terminal.state)
    if problem is not None:
        raise problem
    return found


def by_thumbprint(store: Store, key: str) -> Terminal:
    """The active terminal that holds a key now. Raises Problem as ``served``, and ``incarnation.frozen``."""
    with store.reading() as connection:
        found = served(connection, key)
    present = found.terminal
    if found.incarnation != present.incarnation or present.state == FROZEN:
        raise ended(present.state, present.incarnation)
    return present


def ended(state: str, present: int) -> Problem:
    """What an incarnation is answered that has ended: it names the present one, if the terminal has one that lives."""
    return Problem("incarnation.frozen", incarnation=None if state == FROZEN else present)


class Ends:
    """Reads the present chain ends of several terminals at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        wanted = select(tables.terminals).where(_T.facility == bindparam("f"), store.among(_T.terminal, "ids"))
        self._read = store.prepare(wanted)

    def read(self, connection: Connection, facility: str, terminals: list[str]) -> dict[str, Terminal]:
        """Ends by terminal; those that are not enrolled in the facility are left out."""
        rows = self._read.all(connection, {"f": facility, "ids": self._store.listed(terminals)})
        return {row.terminal: _terminal(row) for row in rows}


def page(
    connection: Connection, facility: str, state: str | None, after: str | None, limit: int
) -> tuple[list[tuple[Terminal, int]], str | None]:
    """Terminals of a state, or of all, in the order of their enrolment, each with its moment; and the next page's cursor.

    The server's own is left out. Raises Problem ``field.invalid`` for a cursor that no page has given.
    """
    servers = select(tables.facilities.c.server).where(tables.facilities.c.facility == facility)
    wanted = select(tables.terminals).where(_T.facility == facility, _T.terminal.not_in(servers))
    if state is not None:
        wanted = wanted.where(_T.state == state)
    behind = pages.beyond((_T.terminal,), pages.opened(after, (str,)))
    rows = connection.execute(wanted.where(behind).order_by(_T.terminal).limit(limit + 1)).all()
    kept, then = pages.cut(rows, limit, lambda row: (row.terminal,))
    return [(_terminal(row), row.enrolled_at) for row in kept], then


def normalise(code: str) -> str:
    """A code as typed → as made: upper case, no hyphens or spaces, O and I, L read as 0 and 1."""
    typed = "".join(sign for sign in code.upper() if sign not in "- ")
    return typed.translate(str.maketrans("OIL", "011"))


def _digest(code: str) -> bytes:
    return sha256(b"roundsman/code/1\n", normalise(code).encode("utf-8", "replace"))


def make_code(door: Door, facility: str, by: str, *, approved: bool = True) -> tuple[str, int]:
    """A fresh one-time code ``XXXX-XXXX-XXXX`` and the moment at which it ends. Only its digest is kept.

    ``approved``: the terminal that uses it is active at once; else it waits until an administrator approves it.
    """
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))

    def work(transaction: Transaction) -> int:
        expires = transaction.now + CODE_MINUTES * 60_000
        row = {"digest": _digest(code), "facility": facility, "expires_at": expires, "thumbprint": None}
        transaction.insert(tables.enrolment_codes, [row | {"approved": approved}])
        append(transaction, "code.made", {"by": by, "expires": expires, "approved": approved})
        return expires

    expires = door.write(facility, work)
    return "-".join(code[at : at + 4] for at in range(0, _LENGTH, 4)), expires


def enrol(door: Door, code: str, label: str, jwk: dict[str, str], asset: str | None = None) -> Terminal:
    """Uses a code for a key. The same code with the same key gives the same terminal again, as it is then: one whose
    code wants approval is pending until an administrator has decided.

    An ``asset`` that is enrolled already closes the terminal that had it, once this one is approved. Raises Problem
    ``code.invalid``, and those of ``by_thumbprint`` when the terminal was refused, or has come to an end since.
    """
    codes, key = tables.enrolment_codes, thumbprint(jwk)
    with door.store.reading() as connection:
        facility = connection.execute(
            select(codes.c.facility).where(codes.c.digest == _digest(code))
        ).scalar_one_or_none()
    if facility is None:
        raise Problem("code.invalid", "code")

    def work(transaction: Transaction) -> None:
        found = transaction.connection.execute(select(codes).where(codes.c.digest == _digest(code))).one()
        if found.thumbprint == key:
            return
        if found.thumbprint is not None or found.expires_at <= transaction.now or holder(transaction.connection, key):
            raise Problem("code.invalid", "code")
        transaction.execute(update(codes).where(codes.c.digest == _digest(code)).values(thumbprint=key))
        if asset is not None and found.approved:
            _close(transaction, asset)
        add(transaction, uuid7(transaction.now), label, jwk, asset, approved=found.approved)

    door.write(facility, work)
    with door.store.reading() as connection:
        made = holder(connection, key)
    if made is not None and made.terminal.state == PENDING:
        return made.terminal
    return by_thumbprint(door.store, key)


def _close(transaction: Transaction, asset: str) -> None:
    """Closes the terminals of an asset, and lists what they had captured and the server has never received."""
    here = (_T.facility == transaction.facility, _T.asset == asset, _T.state.in_((ACTIVE, FROZEN, REVOKED)))
    for row in transaction.connection.execute(select(tables.terminals).where(*here).order_by(_T.terminal)).all():
        old = _terminal(row)
        _set_state(transaction, old.terminal, CLOSED)
        facts = {"terminal": old.terminal, "by_asset": asset, "never_received": _never_received(transaction, old)}
        append(transaction, "terminal.closed", facts)


def _never_received(transaction: Transaction, end: Terminal) -> list[Range]:
    chain = (end.facility, end.terminal, end.incarnation)
    of_fork = select(_F.n).where(_F.facility == chain[0], _F.terminal == chain[1], _F.incarnation == chain[2])
    ranges = lacking(end.last_n, segments.everything(transaction.connection, chain), end.captured)
    return without(ranges, transaction.connection.execute(of_fork).scalars())


def _set_state(transaction: Transaction, terminal: str, state: str) -> None:
    transaction.execute(_SET_STATE, {"f": transaction.facility, "t": terminal, "new_state": state})


def add(
    transaction: Transaction,
    terminal: str,
    label: str,
    jwk: dict[str, str],
    asset: str | None = None,
    *,
    approved: bool = True,
) -> None:
    """A new terminal at incarnation 1, its chain at genesis; one that is not ``approved`` waits."""
    key = thumbprint(jwk)
    transaction.execute(
        insert(tables.terminals),
        {
            "facility": transaction.facility,
            "terminal": terminal,
            "label": label,
            "thumbprint": key,
            "jwk": orjson.dumps(jwk).decode(),
            "state": ACTIVE if approved else PENDING,
            "incarnation": 1,
            "last_n": 0,
            "last_hash": genesis(transaction.facility, terminal, 1, key),
            "captured": 0,
            "enrolled_at": transaction.now,
            "asset": asset,
        },
    )
    facts: dict[str, Any] = {"terminal": terminal, "incarnation": 1, "key": key}
    facts |= ({} if asset is None else {"asset": asset}) | ({} if approved else {"state": PENDING})
    append(transaction, "terminal.enrolled", facts)


def approve(door: Door, facility: str, terminal: str, by: str) -> None:
    """Lets a pending terminal in, and closes the one that had its asset; one that was let in before stays as it is.

    ``by``: an officer's id, or ``console``. Raises UnknownTerminal, UnknownFacility, and Problem
    ``terminal.not_pending`` for one that was refused or has come to its end.
    """

    def work(transaction: Transaction) -> None:
        found = _one(transaction, terminal)
        if found.state in (ACTIVE, FROZEN):
            return
        if found.state != PENDING:
            raise Problem("terminal.not_pending", state=found.state)
        if found.asset is not None:
            _close(transaction, found.asset)
        _set_state(transaction, terminal, ACTIVE)
        append(transaction, "terminal.approved", {"terminal": terminal, "key": found.thumbprint, "by": by})

    door.write(facility, work)


def refuse(door: Door, facility: str, terminal: str, by: str) -> None:
    """Turns a pending terminal away for good; a second time changes nothing.

    Raises as ``approve`` does; one that was let in is not refused but revoked.
    """

    def work(transaction: Transaction) -> None:
        found = _one(transaction, terminal)
        if found.state not in (PENDING, REFUSED):
            raise Problem("terminal.not_pending", state=found.state)
        if found.state == PENDING:
            _refuse(transaction, terminal, by)

    door.write(facility, work)


def _refuse(transaction: Transaction, terminal: str, by: str) -> None:
    _set_state(transaction, terminal, REFUSED)
    append(transaction, "terminal.refused", {"terminal": terminal, "by": by})


def _one(transaction: Transaction, terminal: str) -> Terminal:
    """A terminal of the facility. Raises UnknownTerminal, for the server itself too."""
    here = (_T.facility == transaction.facility, _T.terminal == terminal)
    row = transaction.connection.execute(select(tables.terminals).where(*here)).one_or_none()
    server = select(tables.facilities.c.server).where(tables.facilities.c.facility == transaction.facility)
    if row is None or transaction.connection.execute(server).scalar_one() == terminal:
        raise UnknownTerminal(terminal)
    return _terminal(row)


def revoke(door: Door, facility: str, terminal: str, by: str) -> None:
    """Takes a terminal's rights: from now on it only hands in its queue. ``by``: an officer's id, or the console.

    One that waits for approval is refused. A second time, and on one that is wiped or closed, it changes nothing. Raises
    UnknownTerminal, UnknownFacility.
    """

    def work(transaction: Transaction) -> None:
        state = _one(transaction, terminal).state
        if state == PENDING:
            _refuse(transaction, terminal, by)
        elif state in (ACTIVE, FROZEN):
            _set_state(transaction, terminal, REVOKED)
            append(transaction, "terminal.revoked", {"terminal": terminal, "by": by})

    door.write(facility, work)


def wiped(door: Door, key: str) -> None:
    """Keeps a terminal's word that it has destroyed store and key; a second time changes nothing.

    Raises Problem ``terminal.unknown``, ``incarnation.frozen`` for the key of an earlier incarnation, and
    ``terminal.pending`` or ``terminal.refused`` for one that was never let in.
    """
    with door.store.reading() as connection:
        found = holder(connection, key)
    if found is None:
        raise Problem("terminal.unknown")

    def work(transaction: Transaction) -> None:
        now = holder(transaction.connection, key)
        assert now is not None
        if now.incarnation != now.terminal.incarnation:
            raise ended(now.terminal.state, now.terminal.incarnation)
        if now.terminal.state in (PENDING, REFUSED):
            raise _not_let_in(now.terminal.state)
        if now.terminal.state != WIPED:
            _set_state(transaction, now.terminal.terminal, WIPED)
            append(transaction, "terminal.wiped", {"terminal": now.terminal.terminal})

    door.write(found.terminal.facility, work)
