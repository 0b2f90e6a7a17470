"""kill -9 of the whole server, or of its worker alone, at any moment under load."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from tests.support.crew import Hand, at_work, site, together
from tests.support.ledger import check, check_settled
from tests.support.server import Server, serving

SEED = int(os.environ.get("SEED", "20261122"))
KILLS = int(os.environ.get("KILLS", "3"))


def test_the_whole_server_dies_at_any_moment(tmp_path: Path, database: str | None, engine: str) -> None:
    """After each death the store holds what was told; in the end all is settled. KILLS=100 is for a night."""
    chance = random.Random(f"{SEED}/{engine}")
    with site(tmp_path, database) as here:
        server = Server(here.settings.data, here.database)
        here.goes_to(server.url)
        try:
            for death in range(KILLS):
                server.start()
                with at_work(here.hands, f"{SEED}/{engine}/{death}"):
                    time.sleep(chance.uniform(0.05, 1.0))
                    server.kill()
                check(here)
            server.start()
            together(Hand.insist, here.hands)
            assert len(check_settled(here).operations) > 50
        finally:
            server.kill()


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    """The main process starts another; terminals that only try again notice nothing else."""
    with site(tmp_path) as here, serving(here.settings.data) as server:
        here.goes_to(server.url)
        with at_work(here.hands, f"{SEED}/worker"):
            time.sleep(0.5)
            (worker,) = server.workers
            os.kill(worker, signal.SIGKILL)
        together(Hand.insist, here.hands)
        assert worker not in server.workers
        check_settled(here)


def test_asked_to_stop_under_load_it_stops(tmp_path: Path) -> None:
    with site(tmp_path) as here, serving(here.settings.data) as server:
        here.goes_to(server.url)
        with at_work(here.hands, f"{SEED}/stop"):
            time.sleep(0.3)
            server.signal(signal.SIGTERM)
            assert server.fallen()
        check(here)
