"""Files to a server process over the wire: large ones at once, and ones whose server is killed on the way."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headless import Offline, Problem, Terminal, carrying, patrol
from headless.luggage import COME
from tests.support import recordings, tus
from tests.support.server import Server, serving
from tests.support.templates import Templates
from tests.support.world import SECRET, World

SIZE = 12 * 2**20
"""More than any other body may have."""


def film(size: int = SIZE) -> bytes:
    return recordings.FTYP + recordings.film(b"vide") + recordings.box(b"mdat", bytes(range(1, 256)) * (size // 255))


@pytest.fixture
def served(templates: Templates, tmp_path: Path) -> Iterator[tuple[World, Server]]:
    with templates.world("sqlite", tmp_path) as world:
        world.clock.set(time.time_ns() // 1_000_000)
        with serving(world.settings.data) as server:
            yield world, server


@pytest.fixture
def terminal(served: tuple[World, Server], tmp_path: Path) -> Iterator[Terminal]:
    world, server = served
    with Terminal(tmp_path / "t.db", server.url) as made:
        made.enrol(world.code(), "T")
        made.sign_in("PAT", SECRET)
        made.pull()
        yield made


def lies(world: World, content: bytes) -> bool:
    name = hashlib.sha256(content).hexdigest()
    path = world.settings.data / "files" / "TEST" / name[:2] / name
    return path.exists() and path.read_bytes() == content


def test_a_large_file_goes_in_one_piece(
    served: tuple[World, Server], terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "PIECE", SIZE * 2)
    content = film()
    terminal.attach(content, "video/mp4")
    assert terminal.upload() == [tus.digest(content)]
    assert lies(served[0], content)


def test_an_upload_outlives_the_server_that_began_it(
    served: tuple[World, Server], terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "PIECE", 2**20)
    world, server = served
    content = film()
    digest = terminal.attach(content, "video/mp4")
    round_id = patrol.open_round(terminal, world.ids["W"])
    patrol.visit(terminal, round_id, world.ids["K"], tag=None, cell=None, note="标签脱落", attachments=[digest])
    told, sent = terminal.wire.tell, []

    def killing(key, method, path, headers, content):  # type: ignore[no-untyped-def]
        sent.append((method, headers.get("Upload-Offset")))
        if len([each for each in sent if each[0] == "PATCH"]) == 4:
            server.kill()
        return told(key, method, path, headers, content)

    terminal.push()
    with monkeypatch.context() as patched:
        patched.setattr(terminal.wire, "tell", killing)
        with pytest.raises(Offline):
            terminal.upload()
    server.start()
    until = time.monotonic() + 60
    while terminal.store.carried_one(digest).state != COME and time.monotonic() < until:
        try:
            terminal.upload()
        except (Offline, Problem):
            time.sleep(0.5)
    assert lies(world, content)
    assert sent[-1] == ("PATCH", str(3 * 2**20))
