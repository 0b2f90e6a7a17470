"""Several threads and processes on one file, a device that several officers share, files of an earlier program."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlite_utils import Database

from headless import Busy, Terminal, patrol
from headless.database import first
from headless.lead import Lead
from tests.headless.fake_world import World
from tests.headless.kit import SECRET, Line
from tests.headless.test_push import agreed, captured


def test_one_leads_and_the_other_waits(terminal: Terminal, world: World, tmp_path: Path, line: Line) -> None:
    captured(terminal, world, 4)
    with Terminal(tmp_path / "terminal.db", transport=line) as second:
        together: list[int] = []
        speaking = threading.Semaphore()

        def alone() -> None:
            assert speaking.acquire(blocking=False), "two spoke at once"
            time.sleep(0.02)
            speaking.release()
            line.meanwhile = alone

        line.meanwhile = alone
        threads = [
            threading.Thread(target=lambda t=t: together.append(len(t.push(limit=1)))) for t in (terminal, second) * 2
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(together) == 4
        agreed(terminal, world)


def test_who_has_no_patience_is_told(tmp_path: Path) -> None:
    ours, theirs = Lead(tmp_path / "t.db"), Lead(tmp_path / "t.db")
    with ours.held(), ours.held():
        with pytest.raises(Busy, match="process"), theirs.held(patience=0.05):
            pass
        failed: list[BaseException] = []

        def other_thread() -> None:
            try:
                with ours.held(patience=0.05):
                    pass
            except Busy as error:
                failed.append(error)

        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join()
        assert "thread" in str(failed[0])
    with theirs.held(patience=0):
        pass
    ours.close()
    ours.close()
    theirs.close()


def test_a_leader_that_dies_leads_no_more(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with Lead(tmp_path / "t.db").held():
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    lead = Lead(tmp_path / "t.db")
    with lead.held(patience=0):
        pass
    lead.close()


def test_captures_need_no_lead(terminal: Terminal, world: World, tmp_path: Path) -> None:
    other = Lead(tmp_path / "terminal.db")
    with other.held():
        assert len(captured(terminal, world, 2)) == 2
    other.close()


@pytest.mark.parametrize("second", ["PAT2", None])
def test_a_queue_is_pushed_by_whoever_is_there_and_shown_to_nobody_else(
    terminal: Terminal, world: World, second: str | None
) -> None:
    captured(terminal, world, 3)
    mine = world.officers["PAT"]["id"]
    terminal.sign_out()
    if second is not None:
        terminal.sign_in(second, SECRET)
        assert terminal.rows() == terminal.rows(pending=True) == []
        assert terminal.queue(officer=world.officers[second]["id"]) == []
        assert patrol.current_round(terminal) is None
    assert [each["status"] for each in terminal.push()] == ["applied"] * 3
    assert len(terminal.queue(officer=mine)) == 3
    agreed(terminal, world)
    if second is not None:
        terminal.pull()
        assert not {row["doc"].get("code") for row in terminal.rows()} & {"W", "C1", "C2", "K"}


def test_a_file_of_the_first_version_goes_on(terminal: Terminal, world: World, tmp_path: Path, line: Line) -> None:
    """The same content under the first version's tables: key, queue, rows and cursors are taken over."""
    captured(terminal, world, 3)
    terminal.push()
    terminal.pull()
    captured(terminal, world, 2)
    old = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    database = Database(old)
    first(database)
    database.execute("CREATE TABLE _sqlite_migrations (migration_set TEXT, name TEXT, applied_at TEXT)")
    database.execute("INSERT INTO _sqlite_migrations VALUES ('headless', 'first', '2026-11-01 00:00:00')")
    database.execute(f"ATTACH '{tmp_path / 'terminal.db'}' AS present")
    for table in ("identity", "sessions", "queue", "cursors", "rows"):
        columns = ", ".join(column.name for column in database.table(table).columns)
        database.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM present.{table}")
    database.execute("INSERT INTO heads SELECT 1, epoch, size, root, at, jws FROM present.heads")
    old.close()
    with Terminal(tmp_path / "old.db", transport=line) as taken_over:
        assert taken_over.queue() == terminal.queue()
        assert taken_over.rows() == terminal.rows()
        assert taken_over.anchor == terminal.anchor
        digests = {row["partition"]: row["digest"] for row in taken_over.store._all("SELECT * FROM cursors")}
        assert digests == taken_over.store.audit()
        assert [each["n"] for each in taken_over.push()] == [4, 5]
        taken_over.pull()
        assert taken_over.repair().partitions == []
        agreed(taken_over, world)
