"""Server processes over the torture's entry point, to be killed and started again."""

from __future__ import annotations

import contextlib
import http.client
import time
from pathlib import Path

from tools.process import Killable, environment
from tools.serve import command

ENTRY = "torture.entry:serve"
_PATIENCE = 60.0


class Server(Killable):
    """One server over a data folder, with the torture's clock and whatever is broken in it on purpose."""

    def __init__(self, data: Path, database: str | None, clock: Path, broken: str | None) -> None:
        super().__init__(data.parent, "server")
        more = {"ROUNDSMAN_TORTURE_CLOCK": str(clock)}
        if broken is not None:
            more["ROUNDSMAN_TORTURE_BROKEN"] = broken
        self.data, self.database, self.more = data, database, more
        self._answered = False

    def launch(self, failpoint: str | None = None) -> None:
        """Begins to start; armed with ``name:count`` if a failpoint is given."""
        self._answered = False
        line = [ENTRY if word == "wsgi:serve" else word for word in command(self.port)]
        self.begin(line, environment(self.data, self.database, **self.more), failpoint)

    def wait(self) -> bool:
        """Until it answers, or has gone down; whether it answers. Raises RuntimeError when it does neither."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            if not self.alive or self.ready:
                return self.alive
            time.sleep(0.05)
        raise self.failed()

    @property
    def ready(self) -> bool:
        """Whether it has answered since it was launched, and is alive."""
        if not self._answered and self.alive:
            asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
            with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(asked):
                asked.request("GET", "/healthz")
                self._answered = asked.getresponse().status == 200
        return self._answered and self.alive
