"""Decisions that their officer confirms by a second factor (protocol section 10a), here by one-time codes. All needs signal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson

from headless import chain
from headless.core import Core
from headless.errors import Broken

T = TypeVar("T")
FACTORS, CONFIRMATIONS = "/v1/factors", "/v1/confirmations"


class Deciding(Core):
    """Second factors of the officer signed in, and what he confirms by them. Keys (WebAuthn) want a browser."""

    def factors(self) -> list[dict[str, Any]]:
        """The officer's second factors, the oldest first: {"factor", "sort", "label", "added_at", "used_at"}."""
        return _told(self.ask("GET", FACTORS), "factors", list)

    def add_totp(self, secret: str) -> dict[str, Any]:
        """A secret for an authenticator app (RFC 6238), shown this once: {"challenge", "secret", "uri", "qr"}.

        `secret`: the officer's own, once more. It is his factor only after `activate_totp`. Raises NotSignedIn, Problem
        (`secret.wrong`, `factor.full`), Offline.
        """
        return self.ask("POST", f"{FACTORS}/totp", {"secret": secret})

    def activate_totp(self, challenge: str, label: str, code: str) -> str:
        """Add what `add_totp` has shown, by a code of the app. Returns the factor's id.

        Raises NotSignedIn, Problem (`factor.refused`, `factor.locked`, `factor.full`), Offline.
        """
        body = {"challenge": challenge, "label": label, "code": code}
        return _told(self.ask("POST", f"{FACTORS}/totp/activate", body), "factor", str)

    def confirm(
        self, kind: str, verb: str, record: str, base: int, fields: Mapping[str, Any], *, factor: str, code: str
    ) -> str:
        """Confirm a decision by a code of one of the officer's factors, before it is captured. Returns the confirmation.

        The operation is captured with exactly these five, and names it in its sign-off as `confirmation`; the server must
        receive it within 15 minutes. Without an answer the code may be spent: confirm again with the next one. Raises
        Refused for what no operation can carry, NotSignedIn, Problem (`factor.refused`, `factor.locked`,
        `verb.unknown`), Offline, and Broken where the server has confirmed something else.
        """
        decision = {"kind": kind, "verb": verb, "record": record, "base": base, "fields": dict(fields)}
        chain.canonical(decision)
        told = self.ask("POST", CONFIRMATIONS, decision | {"factor": factor, "code": code})
        if told.get("digest") != _digest(decision):
            raise Broken("confirmation: of another decision than this one")
        return _told(told, "confirmation", str)


def _told(answer: dict[str, Any], name: str, form: type[T]) -> T:
    found = answer.get(name)
    if not isinstance(found, form):
        raise Broken(f"{name}: not in the answer")
    return found


def _digest(decision: dict[str, Any]) -> str:
    """SHA-256 over the decision as canonical JSON (RFC 8785)."""
    return chain.b64u(chain.sha256(orjson.dumps(decision, option=orjson.OPT_SORT_KEYS)))
