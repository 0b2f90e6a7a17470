"""The stream: events, silence, ends, and what a terminal does about them (protocol section 9)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from headless import Broken, Event, Offline, Problem, Terminal
from headless.backoff import Backoff
from headless.stream import Listener, parsed
from tests.headless.fake_server import FakeServer, served
from tests.headless.fake_world import Failure, World
from tests.headless.kit import CODE, SECRET, HandClock, Line
from tests.headless.test_pull import scope_rows


def listened(terminal: Terminal) -> list[Event]:
    listener = Listener(terminal.wire, terminal._key(), terminal._token)
    return list(listener.events())


def test_events_are_read_as_they_are_written() -> None:
    lines = [
        ": beat",
        "",
        "event: news",
        'data: {"at": 1,',
        'data:"x": 2}',
        "id: 7",
        "",
        "data",
        "data: {}",
        "",
        "event: x",
        "",
    ]
    assert list(parsed(iter(lines))) == [Event("news", {"at": 1, "x": 2}), Event("message", {})]
    for data in ("{", "[]"):
        with pytest.raises(Broken):
            list(parsed(iter([f"data: {data}", ""])))


def test_a_stream_until_its_end(terminal: Terminal, world: World) -> None:
    world.say("news", {"at": 7, "epoch": 1, "partitions": []})
    world.say("end", {"reason": "server"})
    world.say("news", {"at": 8, "epoch": 1, "partitions": []})
    assert [event.name for event in listened(terminal)] == ["hello", "news", "end"]


def test_a_stream_that_breaks_off(terminal: Terminal, world: World) -> None:
    with pytest.raises(Offline, match="without a word"):
        listened(terminal)


def test_a_stream_that_is_refused(terminal: Terminal, world: World) -> None:
    world.trouble = [Failure(503, "stream.full", retry_after=7)]
    with pytest.raises(Problem) as refused:
        listened(terminal)
    assert refused.value.retry_after == 7
    world.nonce = "another"
    world.say("end", {"reason": "server"})
    assert [event.name for event in listened(terminal)] == ["hello", "end"]


def test_news_is_pulled(terminal: Terminal, world: World) -> None:
    seen: list[tuple[str, int]] = []
    person = world.person("C1")
    row = world.kept.rows[person]
    world.say("news", {"at": 7, "epoch": 1, "partitions": [row["partition"]]})
    world.say("alarm", {"partition": row["partition"], "row": row})
    world.say("end", {"reason": "session"})
    terminal.follow(lambda event: seen.append((event.name, len(terminal.rows("person")))))
    assert seen == [("hello", 1), ("news", 1), ("alarm", 1), ("end", 1)]
    assert terminal.rows() == scope_rows(world, "PAT")


def test_a_line_that_dies_is_opened_again_after_growing_waits(
    terminal: Terminal, world: World, clock: HandClock, line: Line
) -> None:
    left = 5
    names: list[str] = []

    def goes_on() -> bool:
        nonlocal left
        left -= 1
        return left > 0

    terminal.capture("k", "v", "r", {})
    terminal.follow(lambda event: names.append(event.name), goes_on)
    # Each time hello came, so that the waits begin anew; before each new line a moment of the terminal's own.
    assert names == ["hello"] * 2
    assert clock.slept == [1.125, 2.5, 1.125][: len(clock.slept)]
    assert terminal.waiting() == []
    clock.slept.clear()
    line.down, left = True, 6
    terminal.follow(lambda event: None, goes_on)
    assert clock.slept == [1.125, 2.5, 2.25, 2.5, 4.5, 2.5, 9.0, 2.5, 18.0]


def test_a_server_without_a_free_stream_is_asked_later(terminal: Terminal, world: World, clock: HandClock) -> None:
    world.say("end", {"reason": "session"})
    world.trouble = [Failure(503, "stream.full", retry_after=40), Failure(503, "server.busy", retry_after=50)]
    terminal.follow(lambda event: None)
    assert clock.slept == [45.0, 56.25]


def test_an_ended_session_ends_the_following(terminal: Terminal, world: World) -> None:
    world.end_all()
    with pytest.raises(Problem) as refused:
        terminal.follow(lambda event: None)
    assert refused.value.code == "session.expired"


def test_a_server_that_goes_down_says_so(terminal: Terminal, world: World, clock: HandClock) -> None:
    world.say("end", {"reason": "server"})
    ends: list[str] = []

    def on_event(event: Event) -> None:
        if event.name == "end":
            ends.append(event.data["reason"])
            world.say("end", {"reason": "session"})

    terminal.follow(on_event)
    assert ends == ["server", "session"]
    assert clock.slept == [1.125]


def test_waits_double_up_to_a_minute(clock: HandClock) -> None:
    backoff = Backoff(clock, lambda: 0.0)
    for _ in range(8):
        backoff.wait()
    backoff.reset()
    backoff.wait()
    backoff.wait(7)
    assert clock.slept == [1, 2, 4, 8, 16, 32, 60, 60, 1, 7]


def test_insisting_never_gives_up(terminal: Terminal, world: World, clock: HandClock, line: Line) -> None:
    line.down = True
    terminal.capture("k", "v", "r", {})
    attempts = 0

    def step() -> int:
        nonlocal attempts
        attempts += 1
        if attempts == 9:
            line.down = False
            world.trouble = [Failure(503, "server.behind", retry_after=45), Failure(502, "http.502")]
        return len(terminal.push())

    assert terminal.insist(step) == 1
    assert clock.slept == [1.125, 2.25, 4.5, 9, 18, 36, 67.5, 67.5, 50.625, 67.5]
    world.trouble = [Failure(403, "role.forbidden")]
    with pytest.raises(Problem):
        terminal.insist(terminal.pull)
    line.down = True
    with pytest.raises(Offline):
        terminal.insist(terminal.pull, goes_on=lambda: False)
    line.down, world.trouble = False, [Failure(503, "server.busy")]
    with pytest.raises(Problem):
        terminal.insist(terminal.pull, goes_on=lambda: False)


@pytest.fixture
def url(fake: FakeServer) -> Iterator[str]:
    """The fake server on a socket, in this process."""
    with served(fake) as port:
        yield f"http://127.0.0.1:{port}"


def test_silence_is_noticed(url: str, world: World, tmp_path: Path, clock: HandClock) -> None:
    """Real bytes on a real line: the server says that it beats each 0.1 s, and falls silent."""
    transport = httpx.HTTPTransport(verify=False)
    with Terminal(tmp_path / "t.db", url, transport=transport, clock=clock) as terminal:
        terminal.enrol(CODE, "PDA-07")
        terminal.sign_in("PAT", SECRET)
        world.heartbeat, world.silent = 0.1, 1.5
        listener = Listener(terminal.wire, terminal._key(), terminal._token)
        begun = time.monotonic()
        with pytest.raises(Offline):
            list(listener.events())
        # The first line was opened for another heartbeat, and left for one with this one's patience.
        assert time.monotonic() - begun < 1.4
        assert listener.heartbeat == 0.1
        assert world.hellos == 2


def test_a_pull_and_a_push_go_on_beside_the_stream(url: str, world: World, tmp_path: Path) -> None:
    with Terminal(tmp_path / "t.db", url, transport=httpx.HTTPTransport(verify=False)) as terminal:
        terminal.enrol(CODE, "PDA-07")
        terminal.sign_in("PAT", SECRET)
        world.silent = 0.5
        hello, over = threading.Event(), threading.Event()
        following = threading.Thread(
            target=terminal.follow, args=(lambda event: hello.set(), lambda: not over.is_set()), daemon=True
        )
        following.start()
        assert hello.wait(10)
        terminal.capture("k", "v", "r", {})
        assert [each["status"] for each in terminal.push()] == ["rejected"]
        world.person("C1")
        terminal.pull()
        assert terminal.rows() == scope_rows(world, "PAT")
        over.set()
        following.join(10)
        assert not following.is_alive()
