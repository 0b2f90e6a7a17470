"""A small facility to test in: one ward W with cells C1, C2 and a checkpoint K, another ward V with cell D1.

Everything goes through the public door: officers are added as an administrator does, places and persons are desk acts,
terminals are headless ones over HTTP into the application in this process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from argon2 import PasswordHasher
from flask import Flask

from backend.domain.posts import HELD, Post
from backend.identity import credentials, facilities, officers, terminals
from backend.identity.officers import NewOfficer, Officer
from backend.kernel.clock import ManualClock
from backend.kernel.ids import uuid7
from backend.settings import Settings
from headless.store import Store
from headless.terminal import Terminal
from mobile_api.services import EXTENSION, Services
from sync.writing.local import Act
from tests.support.application import application
from tests.support.authenticator import Authenticator
from tools.process import UNHURRIED

FACILITY = "TEST"
SECRET = "a secret for tests"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Argon2id all the same; applications in this process find nothing outdated in it."""
credentials.HASHER = CHEAP
START = 1_795_317_255_123
"""2026-11-22T03:14:15.123Z."""
PLACES = {"W": None, "C1": "W", "C2": "W", "K": "W", "V": None, "D1": "V"}
TAGS = {"C1": "04AA000000000001", "C2": "04AA000000000002", "K": "04AA000000000003", "D1": "04AA000000000004"}
PERSONS = {"p1": "C1", "p2": "C1", "p3": "C2", "p4": "D1"}
WARD_OFFICERS = {"PAT": "W", "PAT2": "V", "AUX": "W", "DISC": "W"}


@dataclass
class Device:
    """The clock of a terminal in the world: it shows the world's time plus what it is wrong by (milliseconds)."""

    clock: ManualClock
    wrong_by: int = 0
    boot: str = "0b2fbb34-7a4d-4a53-9a7c-5d2f0d3c1e11"
    _counted: int = 0

    def now(self) -> datetime:
        return datetime.fromtimestamp((self.clock.now() + self.wrong_by) / 1000, UTC)

    def monotonic(self) -> int:
        self._counted = max(self._counted, self.clock.now() - START)
        return self._counted

    def sleep(self, seconds: float) -> None:
        self.clock.advance(int(seconds * 1000))


@dataclass
class World:
    """An installation with the small facility. ``ids``: places, persons and officers by their short names."""

    app: Flask
    clock: ManualClock
    folder: Path
    settings: Settings
    ids: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Authenticator] = field(default_factory=dict)
    """Officers' second factors, by id."""
    _terminals: list[Terminal] = field(default_factory=list)

    @property
    def services(self) -> Services:
        found: Services = self.app.extensions[EXTENSION]
        return found

    def officer(self, name: str) -> Officer:
        """The officer of a short name: a post, or PAT2 for the patrol officer of ward V."""
        return Officer(FACILITY, self.ids[name], name, f"officer {name}", (name.rstrip("2"),))

    def desk(self, name: str, *acts: Act) -> list[dict[str, Any]]:
        """Acts of an officer at a desk."""
        return self.services.desk.act(self.officer(name), acts)

    def code(self, *, approved: bool = True) -> str:
        return terminals.make_code(self.services.door, FACILITY, "test", approved=approved)[0]

    def transport(self) -> httpx.WSGITransport:
        return httpx.WSGITransport(self.app)

    def terminal(self, name: str | None = None, *, device: Device | None = None, code: str | None = None) -> Terminal:
        """A newly enrolled headless terminal, with an officer signed in if one is named."""
        path = self.folder / f"terminal-{len(self._terminals)}.sqlite3"
        path.touch(0o600)
        path.write_bytes(_blank())
        made = Terminal(path, "http://localhost", transport=self.transport(), clock=device or Device(self.clock))
        self._terminals.append(made)
        made.enrol(code or self.code(), f"T{len(self._terminals)}")
        if name is not None:
            made.sign_in(name, SECRET)
        return made

    def close(self) -> None:
        for terminal in self._terminals:
            terminal.close()
        self.services.hub.close()
        self.services.store.close()


@cache
def _blank() -> bytes:
    """The file of a terminal that has not enrolled: bringing one to the present schema costs six times an opening."""
    with TemporaryDirectory() as folder:
        Store(path := os.path.join(folder, "blank.sqlite3")).close()
        return Path(path).read_bytes()


def opened(
    folder: Path, database: str | None = None, ids: dict[str, str] | None = None, *, unhurried: bool = True
) -> World:
    """The installation in a folder, made if there is none yet; ``ids`` when its facility is in it already.

    ``unhurried``: with tokens that last and without limits to what a test does in a moment.
    """
    environ = {
        "ROUNDSMAN_DATA": str(folder / "data"),
        "ROUNDSMAN_LOG_LEVEL": "ERROR",
        "ROUNDSMAN_HEARTBEAT_SECONDS": "1",
        "ROUNDSMAN_HOME_FACILITY": FACILITY,
    } | (UNHURRIED if unhurried else {})
    settings = Settings.read(environ | ({"ROUNDSMAN_DATABASE": database} if database else {}))
    clock = ManualClock(START)
    return World(application(settings, clock), clock, folder, settings, dict(ids or {}))


@contextmanager
def world(folder: Path, database: str | None = None) -> Iterator[World]:
    """A fresh installation in a folder."""
    made = opened(folder, database)
    try:
        populate(made)
        yield made
    finally:
        made.close()


def populate(made: World) -> None:
    """Puts the small facility in."""
    services = made.services
    facilities.found(services.door, FACILITY, "测试看守所", "KSS", services.keyring.head)
    names = [post.value for post in HELD] + ["PAT2"]
    made.ids |= {name: uuid7(made.clock.now()) for name in [*names, *PLACES, *PERSONS]}
    new = [
        NewOfficer(
            made.ids[name], name, f"officer {name}", (Post(name.rstrip("2")),), SECRET,
            (made.ids[WARD_OFFICERS[name]],) if name in WARD_OFFICERS else (),
        )
        for name in names
    ]  # fmt: skip
    officers.add(services.door, FACILITY, new, CHEAP)
    done = made.desk("ADM", *(Act("place", "create", made.ids[code], place(made, code)) for code in PLACES))
    done += made.desk("INT", *(Act("person", "create", made.ids[name], person(made, name)) for name in PERSONS))
    assert {outcome["status"] for outcome in done} == {"applied"}, done


def place(made: World, code: str) -> dict[str, Any]:
    """The fields of a place of the small facility."""
    parent = PLACES[code]
    type_ = "ward" if parent is None else "checkpoint" if code == "K" else "cell"
    tags = [TAGS[code]] if code in TAGS else []
    above = made.ids[parent] if parent else None
    return {"type": type_, "code": code, "name": f"处所{code}", "parent": above, "position": 1, "tags": tags}


def person(made: World, name: str) -> dict[str, Any]:
    """The fields of a person of the small facility."""
    cell = made.ids[PERSONS[name]]
    return {"number": f"2026-{name}", "name": f"测试{name}", "sex": "m", "cell": cell, "state": "held"}


def tag(code: str) -> dict[str, Any]:
    """What a reader says of the tag at a place."""
    return {"uid": TAGS[code], "medium": "nfc", "counter": 7}


def looked(headcount: int = 2, response: str = "moving", observation: str = "calm") -> dict[str, Any]:
    """What an officer says of a cell."""
    return {"headcount": headcount, "response": response, "observation": observation}
