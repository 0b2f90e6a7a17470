"""Confirmations: an officer's word on one decision, given by a second factor while he is on line.

A confirmation binds officer, terminal and the decision's digest. The operation that carries the decision out names it, and
uses it up.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, select

from backend.audit.log import append
from backend.identity import challenges, factors, passkeys, rates
from backend.identity.passkeys import Party
from backend.identity.sessions import Session
from backend.kernel.ids import b64, sha256, unb64, uuid7
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Store
from backend.storage.scratch import scratch

MINUTES = 15
"""How long a confirmation is good, by the receipt of the operation that names it."""
_PURPOSE = "confirm"
_C = tables.confirmations.c


@dataclass(frozen=True, slots=True)
class Confirmation:
    """``op``: the operation that used it. ``expires_at`` in milliseconds. ``lost``: all that is known is that a restore may
    have lost it."""

    officer: str = ""
    terminal: str = ""
    digest: bytes = b""
    expires_at: int = 0
    op: str | None = None
    lost: bool = False


class Confirmations:
    """Reads confirmations."""

    def __init__(self, store: Store) -> None:
        self._store = store
        wanted = select(_C.confirmation, _C.officer, _C.terminal, _C.digest, _C.expires_at, _C.op)
        self._several = store.prepare(wanted.where(_C.facility == bindparam("f"), store.among(_C.confirmation, "ids")))

    def several(self, connection: Connection, facility: str, ids: Iterable[str]) -> dict[str, Confirmation]:
        """Confirmations by id; those that do not exist are left out."""
        rows = self._several.tuples(connection, {"f": facility, "ids": self._store.listed(sorted(ids))})
        return {
            confirmation: Confirmation(officer, terminal, bytes(digest), expires_at, op)
            for confirmation, officer, terminal, digest, expires_at, op in rows
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What a factor says: a key's ``credential`` to a ``challenge``, or the ``code`` of a ``factor``."""

    challenge: str | None = None
    credential: Mapping[str, Any] | None = None
    factor: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """How a decision may be confirmed: ``options`` for a browser's keys, None where there are none; ``codes``: factors."""

    challenge: str
    options: dict[str, Any] | None
    codes: list[str]


def offer(door: Door, session: Session, digest: bytes, party: Party) -> Offer:
    """How an officer may confirm the decision of a digest. Raises Problem ``factor.none``."""
    had = factors.listed(door.store, session.officer.facility, session.officer.officer)
    if not had:
        raise Problem("factor.none")
    nonce = secrets.token_bytes(32)
    keys = [each.credential for each in had if each.credential]
    challenge = challenges.keep(door.store, session, _PURPOSE, {"nonce": b64(nonce)}, door.clock.now())
    options = passkeys.request(party, _asked(nonce, digest), keys) if keys else None
    return Offer(challenge, options, [each.factor for each in had if each.sort == factors.TOTP])


def _asked(nonce: bytes, digest: bytes) -> bytes:
    """What a key signs: it names the decision, so that its signature is worth nothing for another."""
    return sha256(b"roundsman/confirm/1\n", nonce, digest)


@dataclass(frozen=True, slots=True)
class _Proof:
    factor: str
    counter: int
    proof: bytes


class Confirmer:
    """Gives confirmations. ``key``: under which secrets of codes are kept."""

    def __init__(self, door: Door, key: bytes) -> None:
        self._door = door
        self._key = key

    def give(self, session: Session, digest: bytes, answer: Answer, party: Party) -> tuple[str, int]:
        """The confirmation of a decision, and the moment at which it ends. Each refused try is a leaf.

        Raises Problem ``factor.refused`` and, after five of them in a quarter of an hour, ``factor.locked``.
        """
        factors.count_try(self._door, session)
        facility = session.officer.facility
        try:
            given = self._door.write(facility, lambda opened: self._give(opened, session, digest, answer, party))
        except Problem as problem:
            if problem.code == "factor.refused":
                facts = _facts(session, digest)
                self._door.write(facility, lambda opened: append(opened, "confirmation.refused", facts))
            raise
        with scratch(self._door.store) as connection:
            rates.forgive(connection, factors.subject(session))
        return given

    def _give(
        self, transaction: Transaction, session: Session, digest: bytes, answer: Answer, party: Party
    ) -> tuple[str, int]:
        proof = (self._by_key if answer.credential is not None else self._by_code)(
            transaction, session, digest, answer, party
        )
        factors.used(transaction, session.officer, proof.factor, proof.counter)
        now = transaction.now
        made, expires = uuid7(now), now + MINUTES * 60_000
        row = {
            "facility": transaction.facility,
            "confirmation": made,
            "officer": session.officer.officer,
            "session": session.session,
            "terminal": session.terminal,
            "factor": proof.factor,
            "digest": digest,
            "proof": proof.proof,
            "given_at": now,
            "expires_at": expires,
            "op": None,
            "spent_at": None,
        }
        transaction.insert(tables.confirmations, [row])
        facts = {"confirmation": made, "factor": proof.factor, "proof": b64(sha256(proof.proof)), "expires": expires}
        append(transaction, "confirmation.given", facts | _facts(session, digest))
        return made, expires

    @staticmethod
    def _by_key(transaction: Transaction, session: Session, digest: bytes, answer: Answer, party: Party) -> _Proof:
        credential = answer.credential or {}
        kept = challenges.read(transaction.connection, session, _PURPOSE, answer.challenge or "", transaction.now)
        challenges.spend(transaction.connection, session, answer.challenge or "")
        had = factors.by_credential(transaction.connection, session.officer, credential.get("id"))
        nonce = unb64(kept["nonce"])
        counter = passkeys.signed(party, _asked(nonce, digest), credential, factors.passkey(had))
        said = {"sort": had.sort, "nonce": kept["nonce"], "origin": party.origin, "credential": credential}
        return _Proof(had.factor, counter, orjson.dumps(said))

    def _by_code(
        self, transaction: Transaction, session: Session, _digest: bytes, answer: Answer, _party: Party
    ) -> _Proof:
        had = factors.one(transaction.connection, session.officer, answer.factor or "", factors.TOTP)
        code, now = answer.code or "", transaction.now
        step = factors.step_of(self._key, had.key, session.officer, code, now, had.counter)
        return _Proof(had.factor, step, orjson.dumps({"sort": had.sort, "step": step}))


def _facts(session: Session, digest: bytes) -> dict[str, Any]:
    who = {"officer": session.officer.officer, "session": session.session, "terminal": session.terminal}
    return who | {"digest": b64(digest)}
