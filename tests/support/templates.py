"""The small facility made once an engine and copied for each test: a copy costs a tenth of the making."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.engines import Postgres
from tests.support.world import World, opened, world


class Templates:
    """Installations that nobody uses but to copy them: files, keys and, on PostgreSQL, a template database."""

    def __init__(self, folder: Path, postgres: Callable[[], Postgres]) -> None:
        self._folder = folder
        self._postgres = postgres
        self._made: dict[str, tuple[Path, str | None, dict[str, str]]] = {}

    def _make(self, engine: str) -> tuple[Path, str | None, dict[str, str]]:
        folder = self._folder / engine
        folder.mkdir()
        database = None if engine == "sqlite" else self._postgres().fresh()
        with world(folder, database) as made:
            return folder, database, made.ids

    @contextmanager
    def world(self, engine: str, folder: Path) -> Iterator[World]:
        """A copy in a folder of its own."""
        if engine not in self._made:
            self._made[engine] = self._make(engine)
        template, database, ids = self._made[engine]
        shutil.copytree(template / "data", folder / "data")
        copy = self._postgres().fresh(database) if database else None
        made = opened(folder, copy, ids)
        try:
            yield made
        finally:
            made.close()
            if copy is not None:
                self._postgres().drop(copy)
