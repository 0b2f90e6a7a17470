"""Copies of the store: made beside the work, read back, verified; and what terminals may forget by them."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from backend.audit import backups
from backend.audit.backups import Confirmed, Unfit
from backend.kernel.ids import b64
from backend.kernel.keys import load_jwk
from backend.storage import tables
from backend.storage.engine import Store, sqlite_url
from headless.chain import uuid7
from tests.contract.test_epochs import opens
from tests.support import store
from tests.support.engines import Postgres
from tests.support.hand import Hand
from tests.support.world import FACILITY, World, opened, world


def copy_of(made: World, name: str = "copy") -> str:
    """The URL of a copy that was made just now."""
    target = made.folder / f"{name}.sqlite3"
    assert backups.make(made.services.store, target) == target.stat().st_size
    return sqlite_url(target)


def restored(made: World, url: str) -> World:
    """The copy with the installation's keys on another machine."""
    folder = made.folder / "restored"
    shutil.copytree(made.settings.data / "keys", folder / "data" / "keys")
    shutil.copy(url.removeprefix("sqlite:///"), folder / "data" / "roundsman.sqlite3")
    return opened(folder, None, made.ids)


def confirm(made: World, url: str) -> list[Confirmed]:
    return backups.confirm(made.services.door, load_jwk(made.services.keyring.head.jwk), url)


def edit(url: str, statement: str, *values: Any) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as copy:
        assert copy.execute(statement, values).rowcount > 0
    copy.close()


def safe(made: World, hand: Hand) -> int:
    """What the terminal is told in an answer, which is what the database has."""
    answer = hand.fetch()
    assert answer["safe_upto"] == store.one(made, tables.terminals, terminal=hand.terminal).safe_n
    told: int = answer["safe_upto"]
    return told


def test_only_a_copy_that_was_read_back_makes_operations_safe(small: World) -> None:
    h = Hand(small).signed_in("PAT")
    h.open()
    h.open()
    h.told()
    url = copy_of(small)
    h.open()
    h.told(3)
    assert safe(small, h) == 0, "a copy alone proves nothing"
    state = store.one(small, tables.facilities)
    (found,) = confirm(small, url)
    assert safe(small, h) == 2
    row = store.one(small, tables.backups)
    assert (row.epoch, row.size, b64(row.root), row.place) == (1, found.verified.size, found.verified.root, url)
    assert row.size < state.size and store.one(small, tables.facilities).safe_size == row.size
    leaf = store.leaves(small)[-1]
    said = {"epoch": 1, "size": row.size, "root": found.verified.root, "place": url}
    assert (leaf["act"], {name: leaf[name] for name in said}) == ("backup.verified", said)
    store.verified(small)


def test_the_copy_is_left_as_it_is_and_can_be_restored(small: World) -> None:
    url = copy_of(small)
    path = Path(url.removeprefix("sqlite:///"))
    before = path.read_bytes()
    confirm(small, url)
    assert path.read_bytes() == before
    assert sorted(each.name for each in path.parent.glob("copy*")) == [path.name]


def test_safe_stops_before_a_gap_and_before_what_waits(small: World) -> None:
    gap, held = Hand(small).signed_in("PAT"), Hand(small).signed_in("DISC")
    for _ in range(4):
        gap.open()
        held.open(after=[uuid7()] if held.n == 2 else [])
    gap.push(1, 1)
    gap.push(3, 4)
    held.told()
    confirm(small, copy_of(small))
    assert (safe(small, gap), safe(small, held)) == (1, 2)
    gap.push(2, 2)
    assert safe(small, gap) == 1, "the copy had the gap"
    confirm(small, copy_of(small, "next"))
    assert safe(small, gap) == 4
    store.verified(small)


def test_safe_never_goes_back_whatever_older_copy_is_read(small: World) -> None:
    h = Hand(small).signed_in("PAT")
    h.open()
    h.told()
    older = copy_of(small, "older")
    h.open()
    h.told(2)
    confirm(small, copy_of(small, "newer"))
    covered = store.one(small, tables.facilities).safe_size
    confirm(small, older)
    confirm(small, older)
    assert safe(small, h) == 2
    assert store.one(small, tables.facilities).safe_size == covered
    assert len(store.rows(small, tables.backups)) == 2
    store.verified(small)


def test_safe_is_of_the_incarnation_that_the_copy_has(small: World) -> None:
    h = Hand(small).signed_in("PAT")
    h.open()
    h.open()
    h.told()
    url = copy_of(small)
    h.begin_again("restored")
    h.signed_in("PAT").open()
    h.told()
    confirm(small, url)
    assert safe(small, h) == 0


SPOILT: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "an operation": ("UPDATE operations SET raw = x'00' WHERE n = 1", (), "not the bytes that its chain"),
    "a leaf": ("UPDATE leaves SET body = ? WHERE position = 7", (b'{"act":"x"}',), "a leaf was changed"),
    "its tail": ("DELETE FROM leaves WHERE position = (SELECT max(position) FROM leaves)", (), "its signed head"),
    "its head": ("UPDATE facilities SET head = ?", ("x.y.z",), "signature is not the server's"),
    "its schema": ("UPDATE alembic_version SET version_num = '0001'", (), "schema of another version"),
    "all facilities": ("DELETE FROM facilities", (), "the copy has no facility"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_copy_that_does_not_hold_is_refused_and_nothing_is_told(small: World, name: str) -> None:
    h = Hand(small).signed_in("PAT")
    h.open()
    h.told()
    url = copy_of(small)
    statement, values, said = SPOILT[name]
    edit(url, statement, *values)
    size = store.one(small, tables.facilities).size
    with pytest.raises(Unfit, match=said):
        confirm(small, url)
    assert (store.one(small, tables.facilities).size, safe(small, h)) == (size, 0)


def test_a_copy_of_another_installation_is_refused(small: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    with world(tmp_path_factory.mktemp("other")) as other:
        url = copy_of(other)
    with pytest.raises(Unfit, match="not of this installation"):
        confirm(small, url)


def test_a_copy_of_another_log_by_the_same_key_is_refused(small: World) -> None:
    """An older copy that was worked on in silence: its heads are right, and not of this log."""
    other = restored(small, copy_of(small))
    other.clock.advance(1)
    other.code()
    other.close()
    url = other.settings.database
    small.code()
    small.code()
    with pytest.raises(Unfit, match="not a part of the present one"):
        confirm(small, url)


def test_a_copy_of_an_older_epoch_is_refused(small: World) -> None:
    url = copy_of(small)
    opens(small, "failover")
    with pytest.raises(Unfit, match="make another copy"):
        confirm(small, url)


def test_what_is_no_copy_is_refused(small: World) -> None:
    (small.folder / "text.sqlite3").write_text("no database")
    with pytest.raises(Unfit, match="there is no file"):
        confirm(small, sqlite_url(small.folder / "nothing.sqlite3"))
    with pytest.raises(Exception, match=r"server\.busy"):
        confirm(small, sqlite_url(small.folder / "text.sqlite3"))
    with pytest.raises(Unfit, match="in use"):
        confirm(small, small.settings.database)
    target = small.folder / "text.sqlite3"
    with pytest.raises(FileExistsError):
        backups.make(small.services.store, target)


def test_a_copy_made_under_load_is_one_moment(small: World) -> None:
    h, over = Hand(small).signed_in("PAT"), threading.Event()

    def work() -> None:
        while not over.is_set():
            h.open()
            h.told(h.n)

    worker = threading.Thread(target=work)
    worker.start()
    urls, before = [], 0
    try:
        for at in range(5):
            while h.n <= before and worker.is_alive():
                time.sleep(0.001)
            before = h.n
            urls.append(copy_of(small, f"copy-{at}"))
    finally:
        over.set()
        worker.join()
    sizes = [confirm(small, url)[0].verified.size for url in urls]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]
    assert 0 < safe(small, h) <= h.n
    store.verified(small)


def test_a_restored_copy_keeps_what_terminals_may_have_forgotten(small: World) -> None:
    h = Hand(small).signed_in("PAT")
    h.open()
    h.told()
    url = copy_of(small)
    confirm(small, url)
    assert safe(small, h) == 1
    h.open()
    h.told(2)
    new = restored(small, url)
    try:
        h.world = new
        opens(new)
        answer = h.push(2, 2).json()
        assert (answer["epoch"], answer["next"], answer["outcomes"][0]["status"]) == (2, 3, "applied")
        store.verified(new)
    finally:
        new.close()


def test_a_copy_in_another_database_of_postgresql_is_confirmed(
    tmp_path: Path, postgres: Postgres, templates: Any
) -> None:
    with templates.world("postgresql", tmp_path) as made:
        h = Hand(made).signed_in("PAT")
        h.open()
        h.told()
        with pytest.raises(ValueError, match="its own tools"):
            backups.make(made.services.store, tmp_path / "copy")
        made.services.store.engine.dispose()
        url = postgres.fresh(made.settings.database)
        h.open()
        h.told(2)
        confirm(made, url)
        assert safe(made, h) == 1
        assert "postgres@" in store.one(made, tables.backups).place
        spoilt = Store(url)
        with spoilt.writing() as connection:
            connection.execute(update(tables.operations).values(raw=b"{}"))
        spoilt.close()
        with pytest.raises(Unfit):
            confirm(made, url)
        postgres.drop(url)


def test_the_commands_say_what_they_did(small: World) -> None:
    run = small.app.test_cli_runner()
    target = small.folder / "by-command.sqlite3"
    done = run.invoke(args=["backup", "make", "--to", str(target)])
    assert done.exit_code == 0 and f"flask backup confirm {target}" in done.output
    twice = run.invoke(args=["backup", "make", "--to", str(target)])
    assert twice.exit_code == 1 and "is there already" in twice.output
    told = run.invoke(args=["backup", "confirm", str(target)])
    assert told.exit_code == 0 and told.output.startswith(f"{FACILITY}: epoch 1, ")
    edit(sqlite_url(target), "UPDATE facilities SET size = 3")
    broken = run.invoke(args=["backup", "confirm", sqlite_url(target)])
    assert broken.exit_code == 1 and "does not hold" in broken.output


def test_a_password_in_the_url_stays_out_of_the_log(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    url = copy_of(small)
    real = backups._opened
    monkeypatch.setattr(backups, "_opened", lambda _url: real(url))
    confirm(small, "postgresql+psycopg://backup:hunter2@host/copy")
    row = store.one(small, tables.backups)
    assert "hunter2" not in row.place and "host/copy" in row.place
    assert "hunter2" not in str(store.leaves(small))
