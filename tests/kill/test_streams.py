"""Streams of real server processes: many of them, lines that die in every way, and pushes beside them."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import socket
import statistics
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from backend.kernel.clock import ManualClock
from backend.kernel.ids import uuid7
from backend.settings import Settings
from bench.listeners import Line, Listeners, within
from bench.streams import Credentials, enlist
from headless.clock import SystemClock
from headless.scribe import Scribe
from headless.wire import Wire
from sync.writing.local import Act
from tests.support.engines import Postgres
from tests.support.server import Server
from tests.support.world import SECRET, World, populate
from tools.process import SILENCE_SECONDS, UNHURRIED
from wsgi import create_app

BEAT = 1.0
"""What these servers are told; a line is dead after 2.5 of them."""
HOUR = 3_600_000


@dataclass
class Place:
    """An installation whose servers run beside this process."""

    world: World
    servers: list[Server]
    wires: contextlib.ExitStack

    @property
    def server(self) -> Server:
        return self.servers[0]

    def base(self, name: str) -> str:
        kind = "person" if name.startswith("p") else "place"
        return f"{kind}/{self.world.ids[name]}/base"

    def listeners(self, server: Server | None = None) -> Listeners:
        """Credentials are asked for by ``of``; the nonce comes from the server."""
        url = (server or self.server).url
        nonce = httpx.get(f"{url}/v1/sync/stream", headers={"DPoP": "-"}).headers["DPoP-Nonce"]
        return Listeners(url, nonce)

    def of(self, count: int, *names: str) -> list[Credentials]:
        """So many terminals with these officers signed in, in turn."""
        return enlist(self.world.services, [self.world.officer(name) for name in names], count)

    def scribe(self, name: str, server: Server | None = None) -> Scribe:
        wire = self.wires.enter_context(contextlib.closing(Wire((server or self.server).url, SystemClock())))
        made = Scribe(wire, SystemClock())
        made.enrol(self.world.code(), "scribe")
        made.sign_in(name, SECRET)
        return made

    def urgent(self, scribe: Scribe, person: str = "p1", cell: str = "C1") -> str:
        """Reports something urgent; the record."""
        ids = self.world.ids
        fields = {"category": "dispute", "severity": "urgent", "person": ids[person], "place": ids[cell]}
        record = uuid7(self.world.clock.now())
        scribe.write("dynamic_info", "report", record, fields | {"involved": [], "text": "打架"})
        scribe.push()
        return record


@contextlib.contextmanager
def place(folder: Path, database: str | None = None, *, count: int = 1, streams: int = 500) -> Iterator[Place]:
    environ = {"ROUNDSMAN_DATA": str(folder / "data"), "ROUNDSMAN_LOG_LEVEL": "ERROR"} | UNHURRIED
    settings = Settings.read(environ | ({"ROUNDSMAN_DATABASE": database} if database else {}))
    clock = ManualClock(time.time_ns() // 1_000_000)
    world = World(create_app(settings, clock), clock, folder, settings)
    populate(world)
    told = {"ROUNDSMAN_HEARTBEAT_SECONDS": "1", "ROUNDSMAN_STREAMS": str(streams)}
    servers = [Server(folder / "data", database, streams=streams, more=told) for _ in range(count)]
    try:
        for server in servers:
            server.start()
        with contextlib.ExitStack() as wires:
            yield Place(world, servers, wires)
    finally:
        for server in servers:
            server.kill()
        world.close()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("streams")) as made:
        yield made


def _greeted(lines: list[Line], seconds: float = 30) -> None:
    assert within(seconds, lambda: all(line.named("hello") for line in lines)), [line.body for line in lines][:3]


def test_hundreds_of_streams_hear_what_is_in_their_scope_and_alarms_with_their_row(here: Place) -> None:
    with here.listeners() as listeners:
        near = listeners.open(here.of(100, "PAT", "DISC"))
        far = listeners.open(here.of(60, "PAT2"))
        everywhere = listeners.open(here.of(60, "LEAD", "MED"))
        _greeted(near + far + everywhere)
        record = here.urgent(here.scribe("AUX"))
        told = near + everywhere
        assert within(10, lambda: all(line.named("alarm") and line.named("news") for line in told))
        for line in told:
            (alarm,) = line.named("alarm")
            assert (alarm.data["partition"], alarm.data["row"]["id"]) == (here.base("p1"), record)
            assert {name for news in line.named("news") for name in news.data["partitions"]} == {here.base("p1")}
        here.urgent(here.scribe("PAT2"), "p4", "D1")
        assert within(10, lambda: all(line.named("alarm") for line in far))
        for line in far:
            assert [alarm.data["partition"] for alarm in line.named("alarm")] == [here.base("p4")]
        assert all(len(line.named("alarm")) == 1 for line in near)


def test_beats_keep_a_stream_alive_beyond_the_silence_that_cuts_others(here: Place) -> None:
    with here.listeners() as listeners:
        (line,) = listeners.open(here.of(1, "PAT"))
        _greeted([line])
        time.sleep(SILENCE_SECONDS * 1.6)
        assert not line.closed
        times = [each.at for each in line.heard]
        assert max(after - before for before, after in zip(times, times[1:], strict=False)) < 2.5 * BEAT


def test_a_stream_ends_with_its_session(here: Place) -> None:
    """The session began an hour ago, less a moment."""
    now = time.time_ns() // 1_000_000
    here.world.clock.set(now - 12 * HOUR + 3_000)
    here.world.services.clock._reached = 0  # as if the server that signs him in had been started then
    credentials = here.of(1, "PAT")
    here.world.clock.set(now)
    with here.listeners() as listeners:
        (line,) = listeners.open(credentials)
        _greeted([line])
        assert within(8, lambda: line.closed)
        assert line.heard[-1].name == "end" and line.heard[-1].data == {"reason": "session"}
        (again,) = listeners.open(credentials)
        assert within(5, lambda: again.status == 401)


class Proxy:
    """Stands between and, once told, lets nothing through, without a word to either side."""

    def __init__(self, server: Server) -> None:
        self._front = socket.create_server(("127.0.0.1", 0))
        self._server = server
        self._open: list[socket.socket] = [self._front]
        self.frozen = threading.Event()
        self.url = f"http://127.0.0.1:{self._front.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._front.accept()
                far = socket.create_connection(("127.0.0.1", self._server.port))
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.frozen.is_set():
                    sink.sendall(data)

    def close(self) -> None:
        for each in self._open:
            each.close()


def test_a_line_that_a_proxy_drops_in_silence_is_known_by_its_missing_beats(tmp_path: Path) -> None:
    """The terminal comes again and takes the place that its dead stream still has."""
    with place(tmp_path, streams=1) as here, contextlib.closing(Proxy(here.server)) as proxy:
        credentials = here.of(1, "PAT")
        with here.listeners() as direct:
            through = Listeners(proxy.url, direct.nonce)
            with through:
                (line,) = through.open(credentials)
                _greeted([line])
                assert within(5, lambda: bool(line.named("beat")))
                proxy.frozen.set()
                assert within(10, lambda: time.time() - line.heard[-1].at > 2.5 * BEAT)
                assert not line.closed
                (again,) = direct.open(credentials)
                _greeted([again])


def _refused(here: Place, listeners: Listeners, credentials: list[Credentials]) -> Line:
    (line,) = listeners.open(credentials)
    assert within(5, lambda: line.status != 0)
    return line


def test_beyond_the_cap_one_is_told_when_to_come_again_and_pushes_go_on(tmp_path: Path) -> None:
    """More streams than pushes have threads: if a stream took one of those, no push would be answered."""
    with place(tmp_path, streams=200) as here, here.listeners() as listeners:
        scribe = here.scribe("AUX")
        before = [_push_time(here, scribe) for _ in range(20)]
        lines = listeners.open(here.of(200, "PAT2", "LEAD"))
        _greeted(lines)
        refused = [_refused(here, listeners, here.of(1, "PAT")) for _ in range(8)]
        assert {line.status for line in refused} == {503}
        assert all(b'"code":"stream.full"' in line.body for line in refused)
        waits = {int(line.headers["retry-after"]) for line in refused}
        assert min(waits) >= 10 and len(waits) > 1, "all would come again at the same moment"
        during = [_push_time(here, scribe) for _ in range(20)]
        assert statistics.median(during) < 3 * statistics.median(before) + 0.05
        assert not any(line.closed for line in lines)
        for line in lines[::2]:
            listeners.drop(line)
        time.sleep(2 * BEAT)
        _greeted(listeners.open(here.of(100, "PAT")), 10)


def _push_time(here: Place, scribe: Scribe) -> float:
    record = uuid7(time.time_ns() // 1_000_000)
    fields = {"area": here.world.ids["W"], "companions": []}
    scribe.write("patrol.round", "open", record, fields)
    begun = time.perf_counter()
    scribe.push()
    return time.perf_counter() - begun


_ATTACH_FILTER = 26
"""SO_ATTACH_FILTER (asm-generic/socket.h)."""


def _goes_out_of_range(line: Line) -> None:
    """Whatever comes for this socket is thrown away before TCP sees it: a filter of one instruction, ``ret 0``."""
    assert line.socket is not None
    code = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    line.socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(code)))


def test_a_handheld_that_is_out_of_range_frees_its_place(tmp_path: Path) -> None:
    """It acknowledges nothing and never closes its line, and TCP goes on sending: only the server can cut it, and it does
    so long before TCP pauses for as long as it calls silence."""
    with place(tmp_path, streams=2) as here, here.listeners() as listeners:
        gone, stays = lines = listeners.open(here.of(2, "PAT"))
        _greeted(lines)
        _goes_out_of_range(gone)
        other = here.of(1, "DISC")
        assert _refused(here, listeners, other).status == 503
        begun = time.monotonic()
        assert within(2 * SILENCE_SECONDS, lambda: _refused(here, listeners, other).status == 200)
        assert time.monotonic() - begun > SILENCE_SECONDS / 2
        assert not stays.closed and not gone.closed


def test_a_server_that_stops_says_so_and_is_gone_at_once(tmp_path: Path) -> None:
    with place(tmp_path) as here, here.listeners() as listeners:
        lines = listeners.open(here.of(20, "PAT"))
        _greeted(lines)
        begun = time.monotonic()
        here.server.signal(signal.SIGTERM)
        assert within(5, lambda: all(line.closed for line in lines))
        assert {line.heard[-1].data["reason"] for line in lines} == {"server"}
        assert here.server.fallen()
        assert time.monotonic() - begun < 5


def test_what_a_command_changes_beside_the_server_is_found(here: Place) -> None:
    """SQLite: nobody tells the server, it looks."""
    with here.listeners() as listeners:
        near, far = lines = listeners.open(here.of(2, "PAT", "PAT2"))
        _greeted(lines)
        act = Act("person", "change", here.world.ids["p3"], {"cell": here.world.ids["C1"]}, base=1)
        here.world.desk("INT", act)
        assert within(6, lambda: bool(near.named("news")))
        assert near.named("news")[0].data["partitions"] == [here.base("p3")]
        assert not far.named("news")


def test_a_commit_in_one_process_reaches_a_stream_in_the_other(tmp_path: Path, postgres: Postgres) -> None:
    """By NOTIFY and with the alarm's row, faster than any look at the store; without it by the look."""
    with place(tmp_path, postgres.fresh(), count=2) as here:
        first, second = here.servers
        with here.listeners(second) as listeners:
            near, far = lines = listeners.open(here.of(2, "LEAD", "PAT2"))
            _greeted(lines)
            scribe = here.scribe("AUX", first)
            took = []
            for rung in range(1, 6):
                begun = time.time()
                record = here.urgent(scribe)
                assert within(10, lambda rung=rung: len(near.named("alarm")) == rung)  # type: ignore[misc]
                assert near.named("alarm")[-1].data["row"]["id"] == record
                took.append(near.named("alarm")[-1].at - begun)
            assert statistics.median(took) < 1.0, took
            assert not far.named("alarm") and not far.named("news")
            news = len(near.named("news"))
            act = Act("person", "change", here.world.ids["p4"], {"cell": here.world.ids["C1"]}, base=1)
            here.world.desk("INT", act)
            assert within(6, lambda: bool(far.named("scope")) and len(near.named("news")) > news)
