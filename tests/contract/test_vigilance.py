"""Terminal and server together: what is proved, what is refused, and what the server hears of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import delete

from backend.audit import backups, epochs, merkle, witness
from backend.identity import facilities, rotation
from backend.kernel.ids import unhash
from backend.storage import tables
from headless import Alarmed, Terminal, patrol
from headless.living import Living
from headless.wire import Wire
from tests.support import store
from tests.support.world import FACILITY, World, opened


def captured(world: World, terminal: Terminal) -> None:
    patrol.open_round(terminal, world.ids["W"])


def anchored(world: World, terminal: Terminal) -> None:
    """The terminal's anchor is a head of the log as it is."""
    anchor = terminal.anchor
    assert anchor is not None
    head = store.one(world, tables.tree_heads, epoch=anchor.epoch, size=anchor.size)
    assert head.root == unhash(anchor.root)


def test_a_terminal_follows_the_log_over_other_terminals_and_other_keys(both: World) -> None:
    terminal, other = both.terminal("PAT"), both.terminal("DISC")
    sizes = []
    for turn in (False, True, False, True):
        captured(both, other)
        other.sync()
        if turn:
            rotation.rotate(both.services.door, both.services.keyring.heads)
        captured(both, terminal)
        terminal.sync()
        anchored(both, terminal)
        assert terminal.anchor is not None
        sizes.append(terminal.anchor.size)
    assert sizes == sorted(set(sizes))
    assert terminal.store.alarm() is None
    store.verified(both)


def test_whoever_has_database_and_keys_cannot_write_another_past_for_it(both: World) -> None:
    """The log is written anew with the server's own key, and holds in itself: a terminal that knows the old one stops,
    and the leaf that it makes, and the health page, say so."""
    terminal = both.terminal("PAT")
    captured(both, terminal)
    terminal.sync()
    held = terminal.anchor
    _rewrite(both)
    both.code()
    captured(both, terminal)
    with pytest.raises(Alarmed, match="proof"):
        terminal.sync()
    leaf = store.leaves(both)[-1]
    assert held is not None and leaf["act"] == "head.alarm"
    assert (leaf["held"]["root"], leaf["held"]["signed"], leaf["shown"]["signed"]) == (held.root, True, True)
    with both.app.test_client() as client:
        assert client.get("/healthz").json["status"] == "alarmed"
    captured(both, terminal)
    assert len(terminal.waiting()) == 1 and terminal.anchor == held


@pytest.mark.parametrize("known", [False, True])
def test_a_restore_asks_nothing_of_whoever_holds_a_terminal(small: World, known: bool) -> None:
    """The server died when it had shown a head and not proved it yet, and is restored; whether it knows by itself that it
    is behind, or hears it from the terminal."""
    terminal, copy = small.terminal("PAT"), small.folder / "copy.sqlite3"
    backups.make(small.services.store, copy)
    captured(small, terminal)
    Living.push(terminal)
    offered = terminal.store.offered()
    assert offered is not None
    if known:
        witness.keep(small.settings.data / "witness", FACILITY, offered[1].jws)
    restored = _restored(small, copy)
    terminal._wire = Wire("http://localhost", terminal.clock, restored.transport())
    try:
        terminal.pull()
        assert terminal.store.offered() == offered and terminal.store.alarm() is None
        log = facilities.one(restored.services.store, FACILITY)
        assert restored.services.highwater.behind(FACILITY, log.epoch, log.size)
        epochs.open_epoch(restored.services.door, restored.services.highwater, FACILITY, "restored", "test")
        terminal.sync()
        anchored(restored, terminal)
        assert terminal.anchor is not None and terminal.anchor.epoch == 2
        assert {queued.status for queued in terminal.queue()} == {"applied"}
        (shown,) = {row.size for row in store.rows(restored, tables.witnesses)}
        assert shown == offered[1].size
        store.verified(restored)
    finally:
        restored.close()


def _restored(world: World, copy: Path) -> World:
    """The installation as it is brought back from a copy, with its keys and what lies beside the database."""
    folder = world.folder / "restored"
    for part in ("keys", "witness"):
        if (world.settings.data / part).exists():
            shutil.copytree(world.settings.data / part, folder / "data" / part)
    shutil.copy(copy, folder / "data" / "roundsman.sqlite3")
    made = opened(folder, None, world.ids)
    made.clock.set(world.clock.now())
    return made


def _rewrite(world: World) -> None:
    """Every leaf is another, by a space, and everything that is made from the leaves is made from these."""
    leaves = tables.leaves
    size, peaks, heads = 0, list[bytes](), {}
    for row in store.rows(world, leaves, facility=FACILITY):
        size, peaks = merkle.extend(size, peaks, [merkle.leaf_hash(row.body + b" ")])
        heads[size] = merkle.root(peaks)
    with world.services.store.writing() as connection:
        kept = [row._asdict() for row in store.rows(world, leaves)]
        connection.execute(delete(leaves))
        connection.execute(leaves.insert(), [row | {"body": row["body"] + b" "} for row in kept])
    for row in store.rows(world, tables.tree_heads):
        store.alter(world, tables.tree_heads, {"size": row.size}, root=heads[row.size])
    store.alter(world, tables.facilities, {}, peaks=b"".join(peaks))
