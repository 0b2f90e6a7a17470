"""What a confirmation is of: one decision, told by its digest (docs/protocol.md §10a)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from backend.kernel.ids import sha256


def digest_of(kind: str, verb: str, record: str, base: int, fields: Mapping[str, Any]) -> bytes:
    """SHA-256 of a decision as canonical JSON (RFC 8785): ``{base, fields, kind, record, verb}``. 32 bytes."""
    said = {"kind": kind, "verb": verb, "record": record, "base": base, "fields": fields}
    return sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS))
