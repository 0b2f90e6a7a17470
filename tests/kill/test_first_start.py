"""Several processes that start at once on nothing make one installation."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from backend.storage.engine import Store
from tests.support.engines import ENGINES
from tools.process import ROOT, environment

RACERS = 4
KEYS = {"head.pem", "seal.pem", "token.key", "nonce.key", "factor.key"}
RACES = {"sqlite": 20, "postgresql": 3}
"""On SQLite it takes some for two to meet: without the lock three of a hundred starts failed."""


@pytest.mark.parametrize("engine", ENGINES)
def test_one_schema_and_one_set_of_keys(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folders = [tmp_path / f"data-{at}" for at in range(RACES[engine])]
    if engine == "sqlite":
        urls = [f"sqlite:///{folder}/roundsman.sqlite3" for folder in folders]
    else:
        urls = [request.getfixturevalue("postgres").fresh() for _ in folders]
    lines = "".join(f"{folder} {url}\n" for folder, url in zip(folders, urls, strict=True))
    command = [sys.executable, "-m", "tests.support.racer", str(RACERS)]
    said = subprocess.run(
        command, input=lines, capture_output=True, text=True, cwd=ROOT, env=environment(tmp_path), timeout=90
    )
    assert Counter(said.stdout.splitlines()) == {"open": RACERS * len(folders)}, said.stderr[-2000:]
    for folder, url in zip(folders, urls, strict=True):
        assert {path.name for path in (folder / "keys").iterdir()} == KEYS
        store = Store(url)
        with store.reading() as connection:
            assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1
            assert "operations" in inspect(connection).get_table_names()
        store.close()
