"""Checking a bundle with nothing but the file, and perhaps the server's key as the verifier knows it.

Names the first thing that is wrong and stops there. What a bundle cannot show: that nothing was left out of one that is
not of everything (a terminal's chain shows its own gaps), and that the names of officers and terminals are right. A row
that is only stated is known not to have been changed since the server signed the bundle.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson

from backend.audit.checks.base import Broken
from backend.audit.evidence.checks import beside, decisions, head, operations, tree
from backend.audit.evidence.checks.bundle import Bundle, opened
from backend.kernel.ids import b64, unhash
from backend.kernel.keys import Jws, thumbprint


@dataclass(frozen=True, slots=True)
class Held:
    """What held. ``scope`` as JSON; ``at``: when it was exported; ``key``: thumbprint of the key that signed; ``root``:
    of the newest head's ``size`` leaves; counts over the bundle."""

    facility: str
    export: str
    scope: str
    at: str
    key: str
    epoch: int
    size: int
    root: str
    leaves: int
    operations: int
    versions: int


def pin_of(text: str) -> str:
    """A key as it is given: its thumbprint, or its JWK. Raises ValueError."""
    if text.lstrip().startswith("{"):
        return thumbprint(orjson.loads(text))
    unhash(text)
    return text


def verify(path: Path, pin: str | None = None) -> Held:
    """Checks all of a bundle. ``pin``: the thumbprint of a key of this installation's that the verifier knows.

    Raises Broken.
    """
    with closing(opened(path)) as file:
        try:
            return _verify(Bundle(file), pin)
        except sqlite3.Error as fault:
            raise Broken(f"the file cannot be read: {fault}") from None
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, IndexError) as fault:
            raise Broken(f"the bundle says something that no bundle says ({type(fault).__name__}: {fault})") from None


def _verify(bundle: Bundle, pin: str | None) -> Held:
    head.check_descriptions(bundle)
    head.check_keys(bundle, pin)
    head.check_heads(bundle)
    told = tree.check_leaves(bundle)
    head.check_rotations(bundle, told)
    head.check_epochs(bundle)
    head.check_export(bundle)
    count = operations.check_operations(bundle)
    operations.check_receipts(bundle)
    versions = operations.check_versions(bundle)
    beside.check_sessions(bundle)
    decisions.check_postings(bundle)
    decisions.check_factors(bundle)
    decisions.check_confirmations(bundle)
    beside.check_files(bundle, told)
    beside.check_witnesses(bundle, told)
    beside.check_forks(bundle, told)
    head.check_seal(bundle)
    newest = max(bundle.ends)
    size, root = bundle.ends[newest]
    signed = bundle.one("heads", epoch=newest)
    assert signed is not None
    key = str(Jws(signed["signed"]).header["kid"])
    about = bundle.about
    return Held(
        about["facility"], about["export"], about["scope"], about["made_at"], key, newest, size, b64(root),
        told.count, count, versions,
    )  # fmt: skip
