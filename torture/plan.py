"""What a run is: its seed, how much, on what, and which torments are let loose. Everything drawn comes from the seed."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

WORK = frozenset({"edits", "settle", "escrow", "dependents", "bad", "poison"})
TERMINAL = frozenset({"resend", "twice", "gaps", "loss", "copies", "clocks", "swap", "repair", "snapshots", "streams"})
LINE = frozenset({"cuts"})
SERVER = frozenset({"kills", "failpoints", "pauses", "server_clock", "restore", "deadline", "upgrade"})
ADMIN = frozenset({"grants", "revoke_officer", "revoke_terminal"})
ALL = WORK | TERMINAL | LINE | SERVER | ADMIN


@dataclass(frozen=True)
class Plan:
    """``ops``: how many operations are captured at most; ``minutes``: for how long at most. ``only``: torments."""

    seed: str
    engine: str = "sqlite"
    ops: int = 12_000
    minutes: float = 1.0
    light: int = 12
    steady: int = 3
    only: frozenset[str] = field(default_factory=lambda: ALL)
    broken: str | None = None

    def on(self, torment: str) -> bool:
        return torment in self.only

    def rare(self, share: float) -> float:
        """The chance of a rare thing: in a short run it comes as often as in one of half a minute."""
        return min(0.3, share * max(1.0, 0.5 / max(self.minutes, 0.01)))


class Pace:
    """Spreads a plan's operations over its minutes. All terminals count together: who can do more does it for the others."""

    def __init__(self, plan: Plan) -> None:
        self.done = 0
        self._guard = threading.Lock()
        self._seconds = plan.minutes * 60 * 0.9 / max(1, plan.ops)
        self._begun = time.monotonic()

    def begin(self) -> None:
        """The work begins."""
        self._begun = time.monotonic()

    def ahead(self, more: int) -> float:
        """Counts operations; seconds for which whoever has made them may rest."""
        with self._guard:
            self.done += more
        return self._begun + self.done * self._seconds - time.monotonic()
