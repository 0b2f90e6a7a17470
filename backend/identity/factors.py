"""Second factors of officers: keys (WebAuthn) and one-time codes (TOTP), added with the secret, used for decisions."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from backend.audit.log import append
from backend.identity import challenges, officers, passkeys, rates, totp
from backend.identity.officers import Officer
from backend.identity.passkeys import Party, Passkey
from backend.identity.rates import Limit, Subject
from backend.identity.sessions import Session
from backend.kernel.ids import b64, sha256, unb64, uuid7
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Refused, Store
from backend.storage.scratch import scratch

WEBAUTHN, TOTP = "webauthn", "totp"
MOST = 8
TRIES = Limit(5, 15 * rates.MINUTE, "factor.locked")
_ADDING = "add"
_F = tables.factors.c


@dataclass(frozen=True, slots=True)
class Factor:
    """``counter``: signatures of a key so far, or the last time step whose code was used. Times in milliseconds."""

    factor: str
    sort: str
    label: str
    credential: str | None
    key: bytes
    counter: int
    added_at: int
    used_at: int | None


def _factor(row: Any) -> Factor:
    return Factor(
        row.factor, row.sort, row.label, row.credential, bytes(row.key), row.counter, row.added_at, row.used_at
    )  # fmt: skip


def _his(officer: Officer) -> tuple[Any, ...]:
    return (_F.facility == officer.facility, _F.officer == officer.officer, _F.removed_at.is_(None))


def of(connection: Connection, facility: str, officer: str) -> list[Factor]:
    """An officer's factors, the oldest first."""
    his = (_F.facility == facility, _F.officer == officer, _F.removed_at.is_(None))
    return [_factor(row) for row in connection.execute(select(tables.factors).where(*his).order_by(_F.factor))]


def one(connection: Connection, officer: Officer, factor: str, sort: str) -> Factor:
    """A factor of an officer's own. Raises Problem ``factor.refused``."""
    wanted = select(tables.factors).where(*_his(officer), _F.factor == factor, _F.sort == sort)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise Problem("factor.refused", "factor")
    return _factor(row)


def by_credential(connection: Connection, officer: Officer, credential: object) -> Factor:
    """An officer's key by WebAuthn's id of it. Raises Problem ``factor.refused``."""
    wanted = select(tables.factors).where(*_his(officer), _F.credential == str(credential))
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise Problem("factor.refused", "credential")
    return _factor(row)


def _proved(door: Door, session: Session, secret: str, sort: str) -> None:
    """He who adds a factor gives his secret again. Raises Problem ``secret.wrong``, ``sign_in.locked``, ``factor.full``."""
    officer = session.officer
    try:
        known = officers.authenticate(door, officer.facility, session.terminal, officer.number, secret)
    except Problem as problem:
        raise Problem("secret.wrong", "secret") if problem.code == "session.refused" else problem from None

    def work(transaction: Transaction) -> None:
        _room(transaction, officer)
        officers.proved(transaction, known, session.terminal)
        append(transaction, "factor.begun", {"officer": officer.officer, "session": session.session, "sort": sort})

    door.write(officer.facility, work)


def _room(transaction: Transaction, officer: Officer) -> None:
    count = transaction.connection.execute(select(func.count()).where(*_his(officer))).scalar_one()
    if count >= MOST:
        raise Problem("factor.full")


def offer_key(door: Door, session: Session, secret: str, party: Party) -> tuple[str, dict[str, Any]]:
    """A challenge, and the options with which a browser makes a key. Raises as ``_proved``."""
    _proved(door, session, secret, WEBAUTHN)
    nonce = secrets.token_bytes(32)
    with door.store.reading() as connection:
        had = [each.credential for each in of(connection, session.officer.facility, session.officer.officer)]
    options = passkeys.creation(party, session.officer, nonce, [each for each in had if each])
    challenge = challenges.keep(door.store, session, _ADDING + WEBAUTHN, {"nonce": b64(nonce)}, door.clock.now())
    return challenge, options


def add_key(
    door: Door, session: Session, challenge: str, label: str, answer: Mapping[str, Any], party: Party
) -> Factor:
    """Adds the key that a browser made. Raises Problem ``factor.refused``, ``factor.full``."""
    now = door.clock.now()
    with scratch(door.store) as connection:
        kept = challenges.read(connection, session, _ADDING + WEBAUTHN, challenge, now)
        challenges.spend(connection, session, challenge)
    with _refusals(door, session, WEBAUTHN):
        made = passkeys.created(party, unb64(kept["nonce"]), answer)
    return _add(door, session, Factor(uuid7(now), WEBAUTHN, label, made.credential, made.key, made.counter, now, None))


@contextmanager
def _refusals(door: Door, session: Session, sort: str) -> Iterator[None]:
    """A wrong answer of a factor that is being added is a leaf."""
    try:
        yield
    except Problem:
        facts = {"officer": session.officer.officer, "session": session.session, "sort": sort}
        door.write(session.officer.facility, lambda opened: append(opened, "factor.refused", facts))
        raise


def offer_codes(door: Door, session: Session, secret: str, key: bytes) -> tuple[str, totp.Shown]:
    """A challenge, and a new secret for an authenticator app, shown this once. Raises as ``_proved``."""
    _proved(door, session, secret, TOTP)
    made = totp.fresh()
    sealed = {"secret": b64(totp.seal(key, made, session.officer))}
    challenge = challenges.keep(door.store, session, _ADDING + TOTP, sealed, door.clock.now())
    return challenge, totp.shown(made, session.officer)


def add_codes(door: Door, session: Session, challenge: str, label: str, code: str, key: bytes) -> Factor:
    """Adds a secret of which the app has shown a right code. Raises Problem ``factor.refused``, ``.locked``, ``.full``."""
    now = door.clock.now()
    count_try(door, session)
    with door.store.reading() as connection:
        sealed = unb64(challenges.read(connection, session, _ADDING + TOTP, challenge, now)["secret"])
    with _refusals(door, session, TOTP):
        step = step_of(key, sealed, session.officer, code, now, 0)
    with scratch(door.store) as connection:
        challenges.spend(connection, session, challenge)
        rates.forgive(connection, subject(session))
    return _add(door, session, Factor(uuid7(now), TOTP, label, None, sealed, step, now, None))


def step_of(key: bytes, sealed: bytes, officer: Officer, code: str, now: int, after: int) -> int:
    """The time step of a right code. Raises Problem ``factor.refused``."""
    secret = totp.unseal(key, sealed, officer)
    step = None if secret is None else totp.step_of(secret, code, now, after)
    if step is None:
        raise Problem("factor.refused", "code")
    return step


def _add(door: Door, session: Session, made: Factor) -> Factor:
    officer = session.officer
    row = {name: getattr(made, name) for name in Factor.__slots__} | {"removed_at": None}

    def work(transaction: Transaction) -> None:
        _room(transaction, officer)
        transaction.insert(tables.factors, [row | {"facility": officer.facility, "officer": officer.officer}])
        facts = {"officer": officer.officer, "factor": made.factor, "sort": made.sort, "session": session.session}
        append(transaction, "factor.added", facts | {"key": b64(sha256(made.key))})

    try:
        door.write(officer.facility, work)
    except Refused:  # the key is another factor already
        raise Problem("factor.refused", "credential") from None
    return made


def remove(door: Door, facility: str, factor: str, by: str, owner: str | None = None) -> None:
    """Takes a factor away; ``owner``: only if it is that officer's. Raises LookupError where there is none."""
    this = [_F.facility == facility, _F.factor == factor, _F.removed_at.is_(None)]
    this += [] if owner is None else [_F.officer == owner]

    def work(transaction: Transaction) -> None:
        officer = transaction.connection.execute(select(_F.officer).where(*this)).scalar_one_or_none()
        if officer is None:
            raise LookupError(factor)
        gone = update(tables.factors).where(*this)
        transaction.execute(gone.values(removed_at=transaction.now, credential=None))
        append(transaction, "factor.removed", {"officer": officer, "factor": factor, "by": by})

    door.write(facility, work)


def subject(session: Session) -> Subject:
    """Under what an officer's answers are counted."""
    return Subject(session.officer.facility, f"factor/{session.officer.officer}")


def count_try(door: Door, session: Session) -> None:
    """Counts an answer before it is looked at. Raises Problem ``factor.locked`` after five wrong ones."""
    with scratch(door.store) as connection:
        rates.take(connection, subject(session), TRIES, door.clock.now())


def used(transaction: Transaction, officer: Officer, factor: str, counter: int) -> None:
    """A factor has answered; it will not answer so again."""
    this = update(tables.factors).where(*_his(officer), _F.factor == factor)
    transaction.execute(this.values(counter=counter, used_at=transaction.now))


def passkey(factor: Factor) -> Passkey:
    """A factor as the key that it is."""
    return Passkey(factor.credential or "", factor.key, factor.counter)


def listed(store: Store, facility: str, officer: str) -> list[Factor]:
    """An officer's factors, the oldest first."""
    with store.reading() as connection:
        return of(connection, facility, officer)
