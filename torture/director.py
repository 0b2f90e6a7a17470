"""Who lets the torments loose on the servers and on the facility: kills, failpoints, pauses, clocks, grants, restores."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from torture.engines import Engine
from torture.journal import Journal
from torture.office import Office
from torture.plan import Plan
from torture.servers import Server
from torture.town import FACILITY, OFFICERS, Town, post

FAILPOINTS = (
    "group.planned", "commit.before", "commit.after", "cache.before", "cache.after",
    "answer.before_send", "pull.before_send",
)  # fmt: skip
FALL = 4.0
"""Seconds that a server with a failpoint has to fall, once it answers."""


@dataclass
class Stage:
    """What the director has in his hands. ``ledgers``: where the store of each ended epoch is kept, oldest first."""

    plan: Plan
    folder: Path
    engine: Engine
    servers: list[Server]
    office: Office
    town: Town
    journal: Journal
    clock: Path
    terminals: list[str] = field(default_factory=list)
    ledgers: list[str] = field(default_factory=list)
    calm: threading.Event = field(default_factory=threading.Event)

    def launch(self) -> None:
        """Starts every server and waits for them."""
        for server in self.servers:
            if not server.alive:
                server.launch()
        for server in self.servers:
            server.wait()

    def back_up(self, place: Path, *, verified: bool) -> None:
        """A copy of the store; verified, so that terminals may forget what it covers."""
        begin = self.journal.note("backup.begin")
        self.engine.copy(place)
        self.journal.note("backup", begin=begin)
        if not verified:
            return
        with self.engine.readable(place) as url:
            begin = self.journal.note("confirm.begin")
            if self.office.flask("backup", "confirm", url):
                epoch, size = self.engine.ended(url)
                self.journal.note("verified", begin=begin, epoch=epoch, size=size)
            else:
                self.journal.note("backup.refused", said=self.office.said)


class Director:
    """One thread; one torment at a time, each drawn."""

    def __init__(self, stage: Stage, over: threading.Event) -> None:
        self._stage, self._over = stage, over
        self._chance = random.Random(f"{stage.plan.seed}/director")
        self._thread = threading.Thread(target=self._live, name="director", daemon=True)
        self._backup: Path | None = None
        self._restores = 0
        self._armed: dict[Server, float | None] = {}
        self.error: BaseException | None = None
        self.done: dict[str, int] = {}

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join(120)

    def _live(self) -> None:
        pause = min(3.0, max(0.25, self._stage.plan.minutes * 60 / 25))
        begun = time.monotonic()
        try:
            while not self._over.wait(self._chance.uniform(0.3, 1.0) * pause):
                self._raise()
                self._one((time.monotonic() - begun) / (self._stage.plan.minutes * 60))
            self._raise(all_=True)
            if self._stage.plan.on("upgrade"):
                self._upgrade()
        except BaseException as error:  # noqa: BLE001 - it is raised in the driver's own thread
            self.error = error
            self._over.set()

    def _one(self, far: float) -> None:
        """One torment; ``far``: how much of the time is over."""
        on = self._stage.plan.on
        if on("restore") and self._due(far):
            return
        if on("upgrade") and far > 0.35 and self._upgrade():
            return
        kinds = [
            name for name in (
                "kills", "kills", "failpoints", "failpoints", "pauses", "server_clock",
                "grants", "grants", "grants", "revoke_officer", "revoke_terminal",
            ) if on(name)
        ]  # fmt: skip
        if kinds:
            name = self._chance.choice(kinds)
            if getattr(self, f"_{name}")():
                self.done[name] = self.done.get(name, 0) + 1

    def _due(self, far: float) -> bool:
        """A backup early, its restore later; once."""
        if self._backup is None and far > 0.2:
            self._backup = self._stage.folder / "backup.copy"
            self._stage.back_up(self._backup, verified=self._chance.random() < 0.7)
            return True
        if (
            self._backup is not None
            and self._restores == 0
            and far > 0.55
            and "open" in self._stage.town.commands.get("epoch", [])
        ):
            self._restores += 1
            self.done["restore"] = 1
            self._restore(self._backup)
            return True
        return False

    def _restore(self, place: Path) -> None:
        """Everything stops; an older copy stands in the store's place; an epoch is opened; everything starts."""
        stage = self._stage
        for server in stage.servers:
            server.kill()
        self._armed.clear()
        marks = sorted((stage.folder / "data" / "witness").glob("*.head"))
        stage.journal.note("restore.begin", marks=[mark.read_text().strip() for mark in marks])
        stage.office.close()
        keep = stage.folder / f"before-{self._restores}.sqlite3"
        stage.ledgers.append(stage.engine.restore(place, keep))
        stage.office.launch()
        stage.office.wait()
        stage.office.must("epoch", "open", "--facility", FACILITY, "--reason", "restore", "--operator", "torture")
        stage.launch()
        stage.journal.note("restore.end")

    # The servers

    def _victim(self) -> Server | None:
        """A server that answers and is not waiting for its own fall."""
        able = [server for server in self._stage.servers if server not in self._armed and server.ready]
        return self._chance.choice(able) if able else None

    def _kills(self) -> bool:
        server = self._victim()
        if server is None:
            return False
        if self._chance.random() < 0.3 and server.workers:
            worker = self._chance.choice(server.workers)
            self._stage.journal.note("kill.worker", port=server.port)
            os.kill(worker, signal.SIGKILL)
            return True
        self._stage.journal.note("kill", port=server.port)
        server.kill()
        self._over.wait(self._chance.uniform(0, 0.3))
        server.launch()
        return True

    def _failpoints(self) -> bool:
        """A server starts that falls at a named point; other torments go on meanwhile."""
        server = self._victim()
        if server is None:
            return False
        point = f"{self._chance.choice(FAILPOINTS)}:{self._chance.randint(1, 12)}"
        server.stop() if self._chance.random() < 0.3 else server.kill()
        self._stage.journal.note("armed", port=server.port, point=point)
        server.launch(point)
        self._armed[server] = None
        return True

    def _raise(self, *, all_: bool = False) -> None:
        """Whoever has fallen, or did not in all its time, starts again unarmed."""
        for server, until in list(self._armed.items()):
            if until is None and server.ready:
                self._armed[server] = time.monotonic() + FALL
            if all_ or not server.alive or (until is not None and time.monotonic() > until):
                self._stage.journal.note("armed.end", port=server.port, fell=not server.alive)
                server.kill()
                server.launch()
                del self._armed[server]

    def _upgrade(self) -> bool:
        """All servers go, and come again as a version that knows one form more; once."""
        if self.done.get("upgrade"):
            return False
        self.done["upgrade"] = 1
        for server in self._stage.servers:
            server.kill()
            server.more["ROUNDSMAN_TORTURE_UPGRADED"] = "yes"
        self._armed.clear()
        self._stage.journal.note("upgraded")
        for server in self._stage.servers:
            server.launch()
        return True

    def _pauses(self) -> bool:
        server = self._victim()
        if server is None:
            return False
        self._stage.journal.note("pause", port=server.port)
        server.signal_all(signal.SIGSTOP)
        self._over.wait(self._chance.uniform(0.1, 0.8))
        server.signal_all(signal.SIGCONT)
        return True

    def _server_clock(self) -> bool:
        """The server's clock steps, back or forward; sequence and log must not care."""
        shift = self._chance.choice((-60_000, -1_000, 0, 0, 5_000, 3_600_000))
        self._stage.journal.note("server_clock", shift=shift)
        self._stage.clock.write_text(str(shift))
        return True

    # The facility

    def _grants(self) -> bool:
        """A ward is given to an officer or taken from him."""
        stage, chance = self._stage, self._chance
        number = chance.choice([each for each in OFFICERS if post(each) in ("PAT", "DISC")])
        ward = chance.choice(("A", "B", "C"))
        stage.office.flask("officers", chance.choice(("assign", "unassign")), FACILITY, number, stage.town.ids[ward])
        return True

    def _revoke_officer(self) -> bool:
        """One officer loses every right, for good."""
        if self.done.get("revoke_officer"):
            return False
        self._stage.office.flask("officers", "revoke", FACILITY, "PAT4")
        return True

    def _revoke_terminal(self) -> bool:
        stage = self._stage
        if "revoke" not in stage.town.commands.get("terminals", []) or self.done.get("revoke_terminal", 0) >= 2:
            return False
        if len(stage.terminals) <= 4:
            return False
        terminal = stage.terminals.pop()
        stage.office.flask("terminals", "revoke", FACILITY, terminal)
        return True
