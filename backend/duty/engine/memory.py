"""What the engine has in mind: small JSON objects by key, of which some name the moment at which they are to be looked at.

It is the table ``watches`` as it lies in memory, with what has changed since it was written down last.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

Body = dict[str, Any]
AT = "at"
"""The key of a body under which the moment stands at which it is to be looked at."""


class Memory:
    """Bodies by key. A key is ``<page>|<rest>``; a page is what is listed together."""

    def __init__(self, rows: Mapping[str, Body] | None = None) -> None:
        self._rows: dict[str, Body] = dict(rows or {})
        self._pages: dict[str, set[str]] = defaultdict(set)
        for key in self._rows:
            self._pages[_page(key)].add(key)
        self._heap: list[tuple[int, str]] = [(body[AT], key) for key, body in self._rows.items() if AT in body]
        heapq.heapify(self._heap)
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str) -> Body | None:
        return self._rows.get(key)

    def put(self, key: str, body: Body, at: int | None = None) -> None:
        """Keeps a body; ``at``: when it is to be looked at."""
        if at is not None:
            body = {**body, AT: at}
            heapq.heappush(self._heap, (at, key))
        elif AT in body:
            body = {name: value for name, value in body.items() if name != AT}
        if self._rows.get(key) != body:
            self._changed.add(key)
        self._rows[key] = body
        self._pages[_page(key)].add(key)

    def drop(self, key: str) -> None:
        if self._rows.pop(key, None) is not None:
            self._pages[_page(key)].discard(key)
            self._changed.add(key)

    def page(self, page: str) -> list[str]:
        """The keys of a page, sorted."""
        return sorted(self._pages.get(page, ()))

    def pages(self) -> list[str]:
        """The pages that hold something."""
        return [page for page, keys in self._pages.items() if keys]

    def next(self) -> int | None:
        """The earliest moment at which something is to be looked at."""
        while self._heap:
            at, key = self._heap[0]
            body = self._rows.get(key)
            if body is not None and body.get(AT) == at:
                return at
            heapq.heappop(self._heap)
        return None

    def take(self, upto: int) -> tuple[str, int, Body] | None:
        """What is to be looked at first, at a moment or before it: key, moment, body. It then names no moment any more."""
        at = self.next()
        if at is None or at > upto:
            return None
        key = heapq.heappop(self._heap)[1]
        body = {name: value for name, value in self._rows[key].items() if name != AT}
        self._rows[key] = body
        self._changed.add(key)
        return key, at, body

    def items(self) -> Iterator[tuple[str, Body]]:
        return iter(self._rows.items())

    def changes(self) -> dict[str, Body | None]:
        """What has changed since this was asked last, by key; None: it is no more."""
        changed, self._changed = self._changed, set()
        return {key: self._rows.get(key) for key in sorted(changed)}

    @property
    def changed(self) -> int:
        """How much has changed since it was written down."""
        return len(self._changed)


def _page(key: str) -> str:
    return key.rpartition("|")[0]
