"""`python -m demo.handheld FILE`: a handheld's program as a process of its own, so that it can be killed.

Reads a plan as JSON from standard input, captures stop after stop on the database of a terminal that is enrolled and
signed in, and says each one once it is on the disk. It needs no server.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from headless import Terminal, patrol

_SECONDS_A_STOP = 0.02


class _Planned:
    """The clock of somebody who walks by plan."""

    def __init__(self, boot: str, start: datetime) -> None:
        self.boot = boot
        self._start = self.at = start

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> int:
        return int((self.at - self._start).total_seconds() * 1000)

    def sleep(self, seconds: float) -> None:
        raise RuntimeError(f"nobody is there to ask for {seconds} s of patience")


def main() -> None:
    plan: dict[str, Any] = orjson.loads(sys.stdin.buffer.readline())
    stops = plan["stops"]
    clock = _Planned(plan["boot"], datetime.fromisoformat(stops[0]["at"]))
    with Terminal(Path(sys.argv[1]), clock=clock) as terminal:
        for number, stop in enumerate(stops, 1):
            clock.at = datetime.fromisoformat(stop["at"])
            patrol.visit(
                terminal, plan["round"], stop["place"], tag=stop["tag"], cell=stop["cell"], note=stop["note"]
            )  # fmt: skip
            print(number, flush=True)
            time.sleep(_SECONDS_A_STOP)


if __name__ == "__main__":
    main()
