"""A revoked terminal hands in what it has, and destroys itself on the order (protocol section 6)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from headless import NotEnrolled, Offline, Problem, Terminal, Wiped
from tests.headless.fake_world import World
from tests.headless.kit import OTHER_CODE, SECRET, Line
from tests.headless.test_push import captured


def revoked(terminal: Terminal, world: World) -> None:
    world.terminals[terminal.identity.terminal].revoked = True


def nothing_left(folder: Path, *secrets: str | bytes) -> None:
    """None of these is in any of the terminal's files."""
    for file in folder.glob("terminal.db*"):
        content = file.read_bytes()
        for secret in secrets:
            assert (secret if isinstance(secret, bytes) else secret.encode()) not in content


def test_everything_is_handed_in_and_the_store_destroyed(terminal: Terminal, world: World, tmp_path: Path) -> None:
    captured(terminal, world, 2)
    terminal.push()
    captured(terminal, world, 3)
    revoked(terminal, world)
    with pytest.raises(Problem) as refused:
        terminal.push()
    assert refused.value.code == "terminal.revoked"
    identity, (queued, *_), row = terminal.identity, terminal.waiting(), terminal.rows()[0]
    done = terminal.evacuate(limit=2)
    assert [(each["n"], each["status"]) for each in done.outcomes] == [(n, "escrowed") for n in (3, 4, 5)]
    assert done.receipt == {
        "facility": "DEMO",
        "terminal": identity.terminal,
        "incarnation": 1,
        "captured": 5,
        "at": "2026-11-22T03:14:15.123Z",
    }
    assert world.terminals[identity.terminal].wiped
    with pytest.raises(Wiped, match="wiped at 2026"):
        terminal.push()
    assert (terminal.rows(), terminal.queue(), terminal.session) == ([], [], None)
    terminal.close()
    nothing_left(tmp_path, identity.pem, queued.op, row["id"], queued.raw[:40])
    with Terminal(tmp_path / "terminal.db", "http://fake", transport=terminal._transport) as again:
        with pytest.raises(Wiped) as wiped:
            again.status()
        assert wiped.value.receipt == done.receipt
        assert isinstance(wiped.value, NotEnrolled)
        again.enrol(OTHER_CODE, "PDA-07")  # the device may serve again, as another terminal
        assert again.identity.terminal != identity.terminal
        assert again.store.fact("wiped") is None


def test_with_nothing_to_hand_in_the_order_comes_all_the_same(fresh: Terminal, world: World) -> None:
    fresh.enrol(OTHER_CODE, "PDA-08")
    revoked(fresh, world)
    done = fresh.evacuate()
    assert done.outcomes == []
    assert done.receipt is not None


@pytest.mark.parametrize("forgotten", [False, True])
def test_what_the_server_has_already_is_shown_once_more(terminal: Terminal, world: World, forgotten: bool) -> None:
    captured(terminal, world, 2)
    terminal.push()
    if forgotten:
        world.backup()
        terminal._ask([1])
        assert terminal.prune() == 2
    revoked(terminal, world)
    assert terminal.evacuate().receipt is not None


def test_what_a_restored_server_lacks_is_handed_in_again(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 4)
    terminal.push()
    world.lose(terminal.identity.terminal, kept=1)
    revoked(terminal, world)
    done = terminal.evacuate()
    assert done.receipt is not None
    assert sorted(world.terminals[done.receipt["terminal"]].taken) == [1, 2, 3, 4]


def test_without_the_order_nothing_is_destroyed(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 2)
    revoked(terminal, world)
    world.terminals[terminal.identity.terminal].captured = 7  # it had said so before its store was lost
    done = terminal.evacuate()
    assert (len(done.outcomes), done.receipt) == (2, None)
    assert len(terminal.queue()) == 2


def test_what_no_backup_has_is_kept(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 2)
    revoked(terminal, world)
    world.uncovered = True
    done = terminal.evacuate()
    assert (len(done.outcomes), done.receipt, terminal.status()["order"]) == (2, None, "keep")
    assert terminal.evacuate().receipt is None and len(terminal.queue()) == 2
    world.uncovered = False
    terminal.sync()
    with pytest.raises(Wiped):
        terminal.status()


def test_an_active_terminal_is_not_evacuated(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 2)
    with pytest.raises(Problem) as refused:
        terminal.evacuate()
    assert refused.value.code == "evacuation.not_ordered"
    assert len(terminal.push()) == 2


def test_answers_that_are_lost_on_the_way_out(terminal: Terminal, world: World, line: Line) -> None:
    captured(terminal, world, 2)
    revoked(terminal, world)
    for path in ("/v1/sync/evacuate", "/v1/terminals/wiped"):
        line.lose_on = path
        with pytest.raises(Offline):
            terminal.evacuate()
    assert terminal.store.fact("order") == "wipe"
    assert terminal.status()["order"] == "wipe"
    assert terminal.evacuate().receipt is not None


def test_sync_takes_the_way_out_by_itself(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 1)
    revoked(terminal, world)
    outcomes, pulled = terminal.sync()
    assert ([each["status"] for each in outcomes], pulled) == (["escrowed"], None)
    with pytest.raises(Wiped):
        _ = terminal.identity


def test_a_wipe_that_died_before_the_file_was_scoured(terminal: Terminal, world: World, tmp_path: Path) -> None:
    captured(terminal, world, 1)
    identity = terminal.identity
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal.store, "scour", lambda: None)
        terminal.store.wipe("2026-11-22T03:14:15.123Z")
    (tmp_path / "terminal.db.snapshot-left").write_bytes(b"rows")
    terminal.close()
    Terminal(tmp_path / "terminal.db").close()
    nothing_left(tmp_path, identity.pem)
    assert not (tmp_path / "terminal.db.snapshot-left").exists()


def test_what_was_deleted_before_is_not_left_either(terminal: Terminal, world: World, tmp_path: Path) -> None:
    row = terminal.rows()[0]
    database = terminal.store._db
    database.execute("PRAGMA secure_delete=OFF")  # as in a file of an earlier program
    database.execute("DELETE FROM rows")
    assert row["id"].encode() in (tmp_path / "terminal.db").read_bytes() + (tmp_path / "terminal.db-wal").read_bytes()
    terminal.store.wipe("2026-11-22T03:14:15.123Z")
    nothing_left(tmp_path, row["id"])


def test_what_another_officer_saw_is_not_left_in_free_pages(terminal: Terminal, world: World, tmp_path: Path) -> None:
    row = terminal.rows()[0]
    terminal.sign_in("PAT2", SECRET)
    terminal.store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    nothing_left(tmp_path, row["id"])


def test_a_copy_of_a_revoked_terminal_wipes_itself_too(terminal: Terminal, world: World, tmp_path: Path) -> None:
    captured(terminal, world, 1)
    terminal.store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(tmp_path / "terminal.db", tmp_path / "copy.db")
    captured(terminal, world, 2)
    terminal.push()
    revoked(terminal, world)
    assert terminal.evacuate().receipt is not None
    with Terminal(tmp_path / "copy.db", transport=terminal._transport) as copy:
        copy.evacuate()  # the server has all of it, and says so
        with pytest.raises(Wiped):
            copy.sign_in("PAT", SECRET)
