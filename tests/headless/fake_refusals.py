"""What the fake server refuses: a request, an operation, or an operation for the time being."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """One operation is rejected."""

    def __init__(self, code: str, field: str | None = None) -> None:
        super().__init__(code)
        self.code, self.field = code, field


class Missing(Exception):
    """One operation waits: what it needs has not come."""

    def __init__(self, *needs: dict[str, str]) -> None:
        super().__init__(str(needs))
        self.needs = list(needs)


class Failure(Exception):
    """A request is refused: a problem (section 11)."""

    def __init__(
        self,
        status: int,
        code: str,
        *,
        field: str | None = None,
        detail: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.field, self.detail = status, code, field, detail
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """The problem's JSON."""
        told = {"type": "about:blank", "status": self.status, "title": self.code, "code": self.code}
        return told | {"field": self.field, "zh": "不行", "en": "no", "detail": self.detail or {}, "errors": []}
