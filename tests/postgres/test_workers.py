"""One server of three processes behind one port, as an installation runs it on PostgreSQL."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.support.crew import CREW, Hand, at_work, site, together
from tests.support.engines import Postgres
from tests.support.ledger import check, check_settled
from tests.support.server import serving

PROCESSES = 3


def test_one_of_three_is_killed_and_replaced(tmp_path: Path, postgres: Postgres) -> None:
    """Every request may land on any of them; those that were with the dead one are sent again."""
    with (
        site(tmp_path, postgres.fresh(), CREW * 2) as here,
        serving(here.settings.data, here.database, processes=PROCESSES) as server,
    ):
        here.goes_to(server.url)
        workers = server.workers
        assert len(workers) == PROCESSES
        with at_work(here.hands, "one of three"):
            time.sleep(0.7)
            os.kill(workers[1], signal.SIGKILL)
            time.sleep(0.7)
        check(here)
        together(Hand.insist, here.hands)
        assert len(check_settled(here).operations) > 100
        assert {workers[0], workers[2]} < set(server.workers)
