"""Three server processes on one PostgreSQL: on ports of their own, so that a test can say who is asked."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from tests.support.crew import Hand, Site, at_work, packed, site, together
from tests.support.engines import Postgres
from tests.support.ledger import check, check_settled
from tests.support.server import Server

WRITERS = ("PAT", "DISC", "AUX", "PAT2", "LEAD", "PAT") * 2
READERS = ("LEAD",) * 3
SECONDS = 4.0


class Three:
    """The servers, who were started together on an empty database, and an installation put in behind them."""

    def __init__(self, here: Site, servers: Sequence[Server]) -> None:
        self.here = here
        self.servers = servers
        self.writers, self.readers = here.hands[: len(WRITERS)], here.hands[len(WRITERS) :]
        self.spread()

    def spread(self) -> None:
        """Each terminal to one of the servers, in turn."""
        for at, hand in enumerate((*self.here.hands, self.here.reader)):
            hand.goes_to(self.servers[at % len(self.servers)].url)

    def move(self) -> None:
        """Each terminal to another server than before, as a balancer might."""
        self.servers = [*self.servers[1:], self.servers[0]]
        self.spread()


@pytest.fixture(scope="module")
def three(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    folder, database = tmp_path_factory.mktemp("three"), postgres.fresh()
    servers = [Server(folder / "data", database) for _ in range(3)]
    try:
        for server in servers:
            server.launch()
        for server in servers:
            server.wait()
        with site(folder, database, WRITERS + READERS) as here:
            yield Three(here, servers)
    finally:
        for server in servers:
            server.kill()


def _reads_on(hand: Hand, over: threading.Event, pulls: list[int]) -> None:
    """Pulls by cursor without a pause."""
    while not over.is_set():
        hand.terminal.pull(limit=60)
        pulls.append(1)


def test_they_started_together_on_an_empty_database(three: Three) -> None:
    for server in three.servers:
        told = httpx.get(f"{server.url}/healthz").json()
        assert (told["status"], told["store"], told["facilities"]) == ("ok", "postgresql", 1)
        assert "Traceback" not in server.log.read_text()


def test_who_reads_by_cursor_misses_nothing(three: Three) -> None:
    """The trap: a lower number that commits after a higher one has been read."""
    pulls: list[int] = []
    with at_work(three.writers, "trap") as over, ThreadPoolExecutor(len(three.readers)) as pool:
        reading = [pool.submit(_reads_on, hand, over, pulls) for hand in three.readers]
        time.sleep(SECONDS)
        over.set()
        for each in reading:
            each.result()
    together(Hand.insist, three.writers)
    assert len(pulls) > 3 * len(three.readers)
    ledger = check(three.here)
    bodies = [row.body for row in ledger.records]
    for hand in three.readers:
        hand.terminal.pull()
        assert hand.bodies() == bodies


def _outcomes(answer: httpx.Response) -> bytes:
    assert answer.status_code == 200, answer.text
    content = answer.content
    return content[content.index(b'"outcomes":[') + 12 : content.index(b'],"head"')]


def test_a_resend_to_another_process_gets_the_same_bytes(three: Three) -> None:
    hand = three.writers[0]
    for _ in range(4):
        hand.walk()
    with httpx.Client() as client:

        def push(server: Server, limit: int = 500) -> bytes:
            headers, body = packed(hand.terminal, limit)
            return _outcomes(client.post(f"{server.url}/v1/sync/push", headers=headers, content=body))

        first, second, third = three.servers
        part = push(first, 7)
        whole = push(second)
        assert whole.startswith(part + b",")
        assert push(third) == push(first) == whole
        assert whole.startswith(push(third, 11) + b",")
    hand.terminal.push()
    check(three.here)


def test_the_same_push_to_all_three_at_once_has_one_effect(three: Three) -> None:
    with httpx.Client() as client, ThreadPoolExecutor(9) as pool:
        for hand in three.writers[:6]:
            hand.walk()
            headers, body = packed(hand.terminal)

            def push(at: int, headers: dict[str, str] = headers, body: bytes = body) -> bytes:
                return _outcomes(
                    client.post(f"{three.servers[at % 3].url}/v1/sync/push", headers=headers, content=body)
                )

            assert len(set(pool.map(push, range(9)))) == 1
            hand.terminal.push()
    check(three.here)


def _is_told_more(hand: Hand, seconds: float = 20) -> bool:
    """Whether he learns another outcome within so many seconds."""
    before, until = len(hand.terminal.outcomes()), time.monotonic() + seconds
    while time.monotonic() < until:
        if len(hand.terminal.outcomes()) > before:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("death", ["commit.before:3", "group.planned:2"])
def test_a_process_dies_with_the_lock_in_its_hand(death: str, three: Three) -> None:
    """The others go on at once, and those who were with it go on elsewhere."""
    victim = Server(three.here.settings.data, three.here.database)
    unlucky, others = three.writers[:3], three.writers[3:]
    try:
        victim.start(death)
        for hand in unlucky:
            hand.goes_to(victim.url)
        with at_work(three.writers, death):
            assert victim.fallen()
            assert all(_is_told_more(hand) for hand in others[:3])
    finally:
        victim.kill()
    three.move()
    together(Hand.insist, three.writers)
    check(three.here)


def test_the_database_throws_everybody_out(three: Three, postgres: Postgres) -> None:
    """As when it is restarted: terminals are told to come again, and come."""
    chance = random.Random("thrown out")
    name = str(three.here.settings.database).partition("?")[0].rpartition("/")[2]
    url = three.here.settings.database.replace("+psycopg", "").replace(f"/{name}?", "/postgres?")
    with psycopg.connect(url, autocommit=True) as other, at_work(three.writers, "thrown out"):
        for _ in range(3):
            time.sleep(chance.uniform(0.1, 0.4))
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    together(Hand.insist, three.writers)
    check(three.here)


def test_in_the_end_all_hold_the_same(three: Three) -> None:
    three.move()
    ledger = check_settled(three.here)
    assert len(ledger.operations) > 500
    for server in three.servers:
        assert server.alive
        assert "Traceback" not in server.log.read_text()
