"""The turns of a terminal's life against the real server: forks, the end, epochs, the stream."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from backend.audit import backups, epochs
from backend.identity import terminals
from backend.kernel.keys import load_jwk
from backend.storage import tables
from backend.storage.engine import sqlite_url
from headless import Event, Frozen, Problem, Terminal, Wiped, patrol
from tests.headless.whole import agreed, copied, reopened, same_rows, told, walked
from tests.support import store
from tests.support.world import FACILITY, SECRET, World, opened, populate


@pytest.fixture
def terminal(small: World) -> Terminal:
    made = small.terminal("PAT")
    made.pull()
    return made


@pytest.fixture
def copy(terminal: Terminal, small: World) -> Iterator[Terminal]:
    """An image of the terminal, of a moment before it sent two more operations."""
    walked(terminal, small, 1)
    terminal.push()
    with reopened(copied(terminal, small), small) as made:
        walked(terminal, small, 1)
        terminal.push()
        yield made


# Incarnations


def test_an_image_finds_out_and_carries_its_work_over(copy: Terminal, small: World) -> None:
    copy.sign_in("PAT", SECRET)
    walked(copy, small, 1)
    with pytest.raises(Frozen) as frozen:
        copy.push()
    assert (frozen.value.reason["code"], frozen.value.reason["foreign"]) == ("terminal.behind", [3, 4])
    assert store.rows(small, tables.forks) == []
    ops = [queued.op for queued in copy.waiting()]
    copy.sync()
    assert copy.identity.incarnation == 2
    assert [(queued.n, queued.op) for queued in copy.queue() if queued.incarnation == 2] == list(enumerate(ops, 1))
    agreed(copy, small)
    copy.sign_in("PAT", SECRET)
    copy.pull()
    same_rows(copy, small)


def test_what_had_been_sent_before_repeats(terminal: Terminal, small: World) -> None:
    walked(terminal, small, 1)
    image = copied(terminal, small)
    terminal.push()
    walked(terminal, small, 0)
    terminal.push()
    with reopened(image, small) as copy, pytest.raises(Frozen):
        copy.push()
    with reopened(image, small) as copy:
        copy.renew()
        again = copy.push()
        assert told(again) == [(1, "applied"), (2, "applied")]
        assert [each["repeats"] for each in again] == [{"incarnation": 1, "n": 1}, {"incarnation": 1, "n": 2}]
        agreed(copy, small)


def test_two_lives_that_fork(copy: Terminal, terminal: Terminal, small: World) -> None:
    copy._met = True  # it had asked before the other went on
    copy.sign_in("PAT", SECRET)
    walked(copy, small, 1)
    with pytest.raises(Frozen) as frozen:
        copy.push()
    assert frozen.value.reason["code"] == "chain.fork"
    assert len(store.rows(small, tables.forks)) == 2
    copy.sync()
    agreed(copy, small)
    with pytest.raises(Frozen) as frozen:
        terminal.pull()  # it has nothing to push, and hears of it all the same
    assert frozen.value.reason["code"] == "incarnation.frozen"
    walked(terminal, small, 0)
    with pytest.raises(Frozen) as frozen:
        terminal.renew()
    assert frozen.value.reason["code"] == "incarnation.taken"
    assert len(terminal.waiting()) == 1


def test_a_device_that_is_enrolled_again_by_its_inventory_number(small: World) -> None:
    first, second = small.folder / "first.db", small.folder / "second.db"
    with reopened(first, small) as lost:
        lost.enrol(small.code(), "PDA-07", asset="A-0042")
    with reopened(second, small) as found:
        found.enrol(small.code(), "PDA-07", asset="A-0042")
    closed = [row for row in store.rows(small, tables.terminals) if row.asset == "A-0042"]
    assert sorted(row.state for row in closed) == ["active", "closed"]


# The end


def revoked(terminal: Terminal, world: World) -> None:
    terminals.revoke(world.services.door, FACILITY, terminal.identity.terminal, world.ids["ADM"])


def test_a_restore_to_before_several_incarnations(before: World) -> None:
    terminal = before.terminal("PAT")
    walked(terminal, before, 0)
    terminal.push()
    backup = backed_up(before, "backup.sqlite3")
    for _ in range(3):
        walked(terminal, before, 0)
        terminal.push()
        terminal.store.freeze({"code": "chain.fork"})
        terminal.renew()
        terminal.sign_in("PAT", SECRET)
    walked(terminal, before, 0)
    with restored(before, backup) as world, reopened(terminal.store.path, world) as again:
        new_epoch(world)
        again.push()
        again.sign_in("PAT", SECRET)
        again.sync()
        assert again.identity.incarnation == 4
        agreed(again, world)
        assert len(store.rows(world, tables.incarnations, terminal=again.identity.terminal)) == 3
        assert {queued.status for queued in again.queue()} == {"applied"}
        same_rows(again, world)


def test_a_revoked_terminal_hands_in_and_wipes_itself(terminal: Terminal, small: World) -> None:
    walked(terminal, small, 1)
    terminal.push()
    walked(terminal, small, 2)
    revoked(terminal, small)
    with pytest.raises(Problem) as refused:
        terminal.push()
    assert refused.value.code == "terminal.revoked"
    done = terminal.evacuate(limit=2)
    assert told(done.outcomes) == [(n, "escrowed") for n in (3, 4, 5)]
    assert done.receipt is None, "nowhere else but here and in the store is what it has"
    backed_up(small, "backup.sqlite3")
    assert terminal.evacuate().receipt is not None
    with pytest.raises(Wiped):
        terminal.pull()
    assert b"PRIVATE KEY" not in terminal.store.path.read_bytes()
    assert "terminal.wiped" in [leaf["act"] for leaf in store.leaves(small)]
    store.verified(small)


def test_nothing_left_to_hand_in(terminal: Terminal, small: World) -> None:
    walked(terminal, small, 1)
    terminal.push()
    backed_up(small, "backup.sqlite3")
    revoked(terminal, small)
    outcomes, _ = terminal.sync()
    assert outcomes == []
    with pytest.raises(Wiped):
        terminal.status()


# Epochs


def backed_up(world: World, name: str) -> Path:
    services, target = world.services, world.folder / name
    backups.make(services.store, target)
    backups.confirm(services.door, load_jwk(services.keyring.head.jwk), sqlite_url(target))
    return target


def new_epoch(world: World) -> None:
    services = world.services
    epochs.open_epoch(services.door, services.highwater, FACILITY, "restored", "operator")


def test_what_a_backup_covers_is_forgotten(terminal: Terminal, small: World) -> None:
    walked(terminal, small, 2)
    terminal.push()
    assert terminal.prune() == 0
    backed_up(small, "backup.sqlite3")
    patrol.close_round(terminal, str(patrol.current_round(terminal)))
    terminal.push()
    assert (terminal.status()["safe_upto"], terminal.prune()) == (3, 3)
    terminal.pull()
    walked(terminal, small, 1)
    assert [each["status"] for each in terminal.push()] == ["applied"] * 2


def test_a_failover_that_lost_nothing(terminal: Terminal, small: World) -> None:
    walked(terminal, small, 2)
    terminal.push()
    terminal.pull()
    new_epoch(small)
    before = terminal.queue()
    assert terminal.pull().rows > 0
    assert terminal.push() == []
    assert terminal.queue() == before
    agreed(terminal, small)
    same_rows(terminal, small)
    walked(terminal, small, 0)
    assert told(terminal.push()) == [(4, "applied")]


@contextmanager
def restored(world: World, backup: Path) -> Iterator[World]:
    """The same installation after its database was put back to the backup."""
    folder, ids, now = world.folder, dict(world.ids), world.clock.now()
    database = Path(str(world.services.store.engine.url.database))
    world.close()
    for left in database.parent.glob(database.name + "-*"):
        left.unlink()
    shutil.copy(backup, database)
    made = opened(folder, ids=ids)
    made.clock.set(now + 1000)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The small facility, to be closed by `restored`, in what is a new process to its ids: no other clock was ahead."""
    monkeypatch.setattr("backend.kernel.ids._last", 0)
    made = opened(tmp_path)
    populate(made)
    return made


def test_a_restore_is_healed_by_the_terminals(before: World) -> None:
    """What came after the backup is offered again; the rows and heads of the old epoch are let go of, and shown."""
    terminal = before.terminal("PAT")
    round_id = walked(terminal, before, 1)
    terminal.push()
    backup = backed_up(before, "backup.sqlite3")
    patrol.visit(terminal, round_id, before.ids["K"], tag=None, cell=None, note="标签脱落")
    patrol.close_round(terminal, round_id)
    terminal.sync()
    rows = {row["id"]: row["doc"] for row in terminal.rows()}
    with restored(before, backup) as world, reopened(terminal.store.path, world) as again:
        patrol.open_round(again, world.ids["W"])
        with pytest.raises(Problem) as refused:
            again.push()
        assert refused.value.code == "server.behind"
        new_epoch(world)
        outcomes, pulled = again.sync()
        assert pulled is not None
        assert sorted(n for n, status in told(outcomes) if status == "applied") == [3, 4, 5]
        agreed(again, world)
        same_rows(again, world)
        assert rows.items() <= {row["id"]: row["doc"] for row in again.rows()}.items()
        walked(again, world, 0)
        again.push()
        assert [row.epoch for row in store.rows(world, tables.witnesses)] == [1]


def test_a_restore_to_before_the_incarnation(before: World) -> None:
    """The server knows neither the key nor the chain any more: the key before it claims them once again."""
    terminal = before.terminal("PAT")
    walked(terminal, before, 0)
    terminal.push()
    backup = backed_up(before, "backup.sqlite3")
    walked(terminal, before, 0)
    terminal.push()
    terminal.store.freeze({"code": "chain.fork"})
    walked(terminal, before, 0)
    terminal.renew()
    assert told(terminal.push()) == [(1, "applied")]
    with restored(before, backup) as world, reopened(terminal.store.path, world) as again:
        new_epoch(world)
        again.sign_in("PAT", SECRET)
        again.sync()
        assert again.identity.incarnation == 2
        agreed(again, world)
        present = [queued for queued in again.queue() if queued.incarnation == 2]
        # What only the first incarnation had sent comes after it; what the backup covers is not sent again.
        assert [(queued.n, queued.status) for queued in present] == [(1, "applied"), (2, "applied")]
        same_rows(again, world)


def test_work_of_a_session_that_the_restore_has_lost(before: World) -> None:
    """Nobody remembers the sign-in; what the officer saw reaches the server all the same."""
    terminal = before.terminal("PAT")
    backup = backed_up(before, "backup.sqlite3")
    terminal.sign_in("PAT", SECRET)
    walked(terminal, before, 0)
    terminal.push()
    with restored(before, backup) as world, reopened(terminal.store.path, world) as again:
        new_epoch(world)
        again.sign_in("PAT", SECRET)
        again.sync()
        assert [queued.status for queued in again.queue()] == ["applied"]
        agreed(again, world)


def test_work_of_a_lost_session_that_goes_on_after_the_restore(before: World) -> None:
    """A push needs no sign-in: the officer goes on, while the clock knows less of the time than the one that let him in."""
    terminal = before.terminal("PAT")
    backup = backed_up(before, "backup.sqlite3")
    before.clock.advance(60_000)
    terminal.sign_in("PAT", SECRET)
    with restored(before, backup) as world, reopened(terminal.store.path, world) as again:
        world.clock.set(world.clock.now() - 61_000)
        new_epoch(world)
        for _ in range(2):
            walked(again, world, 0)
            again.push()
        assert [queued.operation["anchor"]["epoch"] for queued in again.queue()] == [1, 2]
        assert [queued.status for queued in again.queue()] == ["applied", "applied"]


# The stream, against a server process


def test_news_of_another_terminals_work_is_pulled(served: tuple[World, str], tmp_path: Path) -> None:
    world, url = served
    with speaking(tmp_path / "reader.db", url) as reader, speaking(tmp_path / "walker.db", url) as walker:
        for each in (reader, walker):
            each.enrol(world.code(), "PDA-07")
            each.sign_in("PAT", SECRET)
            each.pull()
        heard: list[str] = []
        hello, seen = threading.Event(), threading.Event()

        def on_event(event: Event) -> None:
            heard.append(event.name)
            hello.set()
            if reader.rows("patrol.visit"):
                seen.set()

        following = threading.Thread(target=reader.follow, args=(on_event, lambda: not seen.is_set()), daemon=True)
        following.start()
        assert hello.wait(20)
        walked(walker, world, 1)
        walker.push()
        assert seen.wait(20)
        following.join(20)
        assert not following.is_alive()
        assert heard[0] == "hello" and "news" in heard
        walker.pull()
        assert reader.rows("patrol.visit") == walker.rows("patrol.visit")


def test_a_stream_ends_with_its_session(served: tuple[World, str], tmp_path: Path) -> None:
    world, url = served
    with speaking(tmp_path / "reader.db", url) as reader, speaking(tmp_path / "reader.db", url) as other:
        reader.enrol(world.code(), "PDA-08")
        reader.sign_in("PAT", SECRET)
        heard: list[Event] = []
        reader.follow(lambda event: (heard.append(event), event.name == "hello" and other.sign_out()))  # type: ignore[func-returns-value]
        assert (heard[-1].name, heard[-1].data) == ("end", {"reason": "session"})


def speaking(file: Path, url: str) -> Terminal:
    """A terminal on this file, over real HTTP; reading certificates would take longer than its requests."""
    return Terminal(file, url, transport=httpx.HTTPTransport(verify=False))
