"""What a serving process has noted of pulls is written before it goes."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from backend.storage import tables
from backend.storage.engine import Store
from tests.support.crew import site
from tests.support.server import serving


def test_pulls_are_written_when_the_server_is_stopped(tmp_path: Path) -> None:
    with site(tmp_path, crew=("PAT",)) as here, serving(here.settings.data) as server:
        here.goes_to(server.url)
        (hand,) = here.hands
        hand.terminal.pull()
        server.stop()
        store = Store(here.settings.database)
        with store.reading() as connection:
            rows = connection.execute(select(tables.pulls)).all()
        store.close()
        assert [(row.terminal, row.officer) for row in rows] == [(hand.terminal.identity.terminal, here.ids["PAT"])]
