"""What a run is: its seed, how much, on what, and which torments are let loose. Everything drawn comes from the seed."""

from __future__ import annotations

from dataclasses import dataclass, field

WORK = frozenset({"edits", "settle", "escrow", "dependents", "bad", "poison"})
TERMINAL = frozenset({"resend", "twice", "gaps", "loss", "copies", "clocks", "swap", "repair"})
LINE = frozenset({"cuts"})
SERVER = frozenset({"kills", "failpoints", "pauses", "server_clock", "restore", "deadline"})
ADMIN = frozenset({"grants", "revoke_officer", "revoke_terminal"})
ALL = WORK | TERMINAL | LINE | SERVER | ADMIN


@dataclass(frozen=True)
class Plan:
    """``ops``: how many operations are captured at most; ``minutes``: for how long at most. ``only``: torments."""

    seed: str
    engine: str = "sqlite"
    ops: int = 10_000
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

    @property
    def pace(self) -> float:
        """Seconds between two operations of one terminal, so that the operations fill the minutes."""
        return self.minutes * 60 * 0.9 * (self.light + self.steady) / max(1, self.ops)
