"""Proofs that are good for one request (RFC 9449 §11.1): what signs in, refreshes, enrols, administers.

A proof's nonce lives five to ten minutes, in which whoever reads it on its way could send it again. Where that would do
harm the server remembers it for so long. Reads and sync remember nothing: sent again they change nothing.
"""

from __future__ import annotations

from sqlalchemy import bindparam, delete, insert

from backend.identity.proofs import NONCE_WINDOW_MS, Proven
from backend.kernel.ids import sha256
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.engine import Refused, Store
from backend.storage.scratch import scratch

_KEPT_MS = 2 * NONCE_WINDOW_MS
_S = tables.spent.c


def spend(store: Store, proof: Proven, now: int) -> None:
    """Uses a proof up, in all processes of the installation. Raises Problem ``proof.replayed`` the second time."""
    row = {"digest": sha256(f"{proof.key}\n{proof.jti}".encode()), "until": now + _KEPT_MS}
    try:
        with scratch(store) as connection:
            connection.execute(insert(tables.spent), row)
    except Refused:
        raise Problem("proof.replayed", "DPoP") from None


def forget(store: Store, now: int) -> None:
    """Removes proofs whose nonce no longer lives."""
    with scratch(store) as connection:
        connection.execute(delete(tables.spent).where(_S.until <= bindparam("now")), {"now": now})
