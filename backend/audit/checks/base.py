"""What all checks share: how a fault is named, how long tables are read, how two sorted streams are held together."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Select

from backend.audit.log import HeadKeys, read_head

AT_ONCE = 500
L = TypeVar("L")
R = TypeVar("R")


class Broken(Exception):
    """The first thing that is wrong, in a sentence."""


@dataclass(frozen=True, slots=True)
class View:
    """One consistent view of a facility: ``state`` is its row; ``key`` verifies the server's heads.

    As a context it closes what streams were begun and not read to their end.
    """

    connection: Connection
    facility: str
    key: HeadKeys
    state: Any
    _streams: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._streams.close()

    def stream(self, statement: Select[Any]) -> Iterator[Any]:
        """Rows as they come, a few hundred in memory."""
        rows = self.connection.execute(statement.execution_options(yield_per=AT_ONCE))
        self._streams.callback(rows.close)
        return iter(rows)

    def head(self, token: str) -> dict[str, Any]:
        """``{epoch, size, root, …}`` of a head that the server signed for this facility. Raises Broken."""
        try:
            head = read_head(token, self.key)
        except ValueError:
            raise Broken("a head's signature is not the server's") from None
        if head["facility"] != self.facility:
            raise Broken(f"a head speaks of facility {head['facility']}")
        return head


def paired(
    left: Iterable[L], right: Iterable[R], left_key: Callable[[L], Any], right_key: Callable[[R], Any]
) -> Iterator[tuple[L | None, R | None]]:
    """Two streams sorted by the same key, side by side; None where one lacks what the other has."""
    lefts, rights = iter(left), iter(right)
    one, other = next(lefts, None), next(rights, None)
    while one is not None or other is not None:
        if other is None or (one is not None and left_key(one) < right_key(other)):
            yield one, None
            one = next(lefts, None)
        elif one is None or right_key(other) < left_key(one):
            yield None, other
            other = next(rights, None)
        else:
            yield one, other
            one, other = next(lefts, None), next(rights, None)
