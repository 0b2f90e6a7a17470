"""What can go wrong on a terminal, by what its holder can do about it."""

from __future__ import annotations

from typing import Any


class HeadlessError(Exception):
    """Base of all errors of this package. None of them ever loses a queued operation."""


class Offline(HeadlessError):
    """No whole answer came. The request may or may not have taken effect: send it again later."""


class NotEnrolled(HeadlessError):
    """The terminal has no identity yet."""


class Wiped(NotEnrolled):
    """The terminal was revoked, handed in what it had, and destroyed store and key as it was ordered.

    `receipt` is {"facility", "terminal", "incarnation", "captured", "at"}: a note that it was so, and nothing else.
    """

    def __init__(self, receipt: dict[str, Any]) -> None:
        super().__init__(f"this terminal was wiped at {receipt.get('at')}")
        self.receipt = receipt


class NotSignedIn(HeadlessError):
    """No officer is signed in at this terminal."""


class Refused(HeadlessError):
    """The terminal itself refuses: what was asked cannot be an operation of the protocol."""


class Busy(HeadlessError):
    """Another thread or process leads this terminal: it pushes and pulls, and this one may wait for it."""


class Frozen(HeadlessError):
    """Server and terminal disagree about the chain: nothing is pushed until `Terminal.renew` has got a new incarnation.

    `reason` is {"code": str, …}: the server's problem, or what the terminal found.
    """

    def __init__(self, reason: dict[str, Any]) -> None:
        super().__init__(f"frozen: {reason.get('code')}")
        self.reason = reason


class Broken(HeadlessError):
    """The server's answer breaks the protocol (bad signature, other outcome, no progress): nothing was stored."""


class Contradiction(Broken):
    """The server has shown two roots for one size of its log: `held` and `shown` are those heads."""

    def __init__(self, held: Any, shown: Any) -> None:
        super().__init__(f"head: two roots for size {shown.size} of epoch {shown.epoch}")
        self.held, self.shown = held, shown


class Alarmed(Broken):
    """Two heads of the server do not agree: everything stops but capture, until `Terminal.dismiss_alarm`.

    `alarm` is {"held", "shown", "why", "reported"}: the heads as they were signed, how it was found, and whether the
    server has been told.
    """

    def __init__(self, alarm: dict[str, Any]) -> None:
        super().__init__(f"the server's log is not what it was: {alarm['why']}")
        self.alarm = alarm


class Problem(HeadlessError):
    """A refusal by the server, from `application/problem+json` (RFC 9457, protocol section 11).

    `retry_after` is in seconds, None when the answer has no such header.
    """

    def __init__(self, status: int, body: dict[str, Any], retry_after: int | None = None) -> None:
        self.status = status
        self.body = body
        self.code: str = body.get("code") or f"http.{status}"
        self.field: str | None = body.get("field")
        self.zh: str | None = body.get("zh")
        self.en: str | None = body.get("en") or body.get("title")
        # RFC 9457 has a text under this name, the protocol an object; a proxy may send the former.
        detail = body.get("detail")
        self.detail: dict[str, Any] = detail if isinstance(detail, dict) else {}
        self.errors: list[dict[str, Any]] = body.get("errors") or []
        self.retry_after = retry_after
        super().__init__(f"{status} {self.code}: {self.zh or ''} {self.en or ''}".rstrip())
