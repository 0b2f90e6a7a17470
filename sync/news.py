"""What a commit tells those who listen: which partitions have something new, and the rows of alarms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class News:
    """``at``: the facility's newest sequence number. ``alarms``: (partition, row as it is sent)."""

    facility: str
    epoch: int
    at: int
    partitions: frozenset[str]
    alarms: tuple[tuple[str, bytes], ...] = ()


class Herald:
    """Passes news on to whoever listens in this process. A listener must neither block nor raise."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[News], None]] = []

    def listen(self, listener: Callable[[News], None]) -> None:
        self._listeners.append(listener)

    def tell(self, news: News) -> None:
        for listener in self._listeners:
            listener(news)
