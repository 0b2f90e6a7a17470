"""Forks, copies and images of an older day: frozen, renewed, carried over (protocol section 6)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headless import Broken, Frozen, NotSignedIn, Offline, Problem, Terminal, chain, patrol
from headless.proof import Key
from tests.headless.fake_world import World
from tests.headless.kit import SECRET, Line
from tests.headless.test_push import captured

Copied = Callable[[], Path]


@pytest.fixture
def copied(terminal: Terminal, tmp_path: Path) -> Copied:
    """Makes an image of the terminal's file."""

    def copy() -> Path:
        terminal.store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Path(shutil.copy(tmp_path / "terminal.db", tmp_path / "copy.db"))

    return copy


def agreed(terminal: Terminal, world: World) -> None:
    """The present chain stands at the server as it does here, and each operation took effect once."""
    taken = world.terminals[terminal.identity.terminal].taken
    mine = [queued for queued in terminal.queue() if queued.incarnation == terminal.identity.incarnation]
    assert [(queued.n, queued.hash, queued.raw, queued.outcome) for queued in mine] == [
        (n, link.hash, link.raw, link.outcome) for n, link in sorted(taken.items())
    ]
    assert set(world.kept.effects.values()) <= {1}


def forked(terminal: Terminal, world: World, image: Path) -> Terminal:
    """A copy that has begun to speak before the original went on, so that only the chain tells."""
    copy = Terminal(image, transport=terminal._transport)
    copy._met = True
    copy.sign_in("PAT", SECRET)
    captured(terminal, world, 1)
    terminal.push()
    captured(copy, world, 2)
    with pytest.raises(Frozen) as frozen:
        copy.push()
    assert frozen.value.reason["code"] == "chain.fork"
    return copy


def test_a_fork_ends_the_incarnation_for_both(terminal: Terminal, world: World, copied: Copied, tmp_path: Path) -> None:
    captured(terminal, world, 2)
    terminal.push()
    copy = forked(terminal, world, copied())
    assert len(world.chains.quarantine) == 2
    captured(copy, world, 3)  # what an officer saw can be recorded all the same
    with pytest.raises(Frozen):
        copy.push()
    ops = [queued.op for queued in copy.waiting()]
    session = copy.waiting()[0].operation["session"]
    before = copy.identity
    identity = copy.renew()
    assert (identity.incarnation, identity.frozen, copy.store.former_keys()) == (2, None, [(1, before.pem)])
    assert identity.pem != before.pem
    assert copy.session is None
    assert [(queued.op, queued.incarnation, queued.n) for queued in copy.waiting()] == [
        (op, 2, n) for n, op in enumerate(ops, 1)
    ]
    said = copy.waiting()[0].operation
    assert (said["incarnation"], said["n"], said["session"]) == (2, 1, session)
    assert [each["status"] for each in copy.push()] == ["applied"] * 3
    agreed(copy, world)
    assert [queued.n for queued in copy.queue()] == [1, 2, 1, 2, 3]  # those of before are kept
    copy.sign_in("PAT", SECRET)
    copy.pull()
    patrol.close_round(copy, str(patrol.current_round(copy)))
    assert [each["status"] for each in copy.push()] == ["applied"]
    copy.close()

    captured(terminal, world, 1)
    with pytest.raises(Frozen) as frozen:
        terminal.push()
    assert frozen.value.reason["code"] == "incarnation.frozen"
    for _ in range(2):
        with pytest.raises(Frozen) as frozen:
            terminal.renew()
        assert frozen.value.reason["code"] == "incarnation.taken"
    assert len(terminal.waiting()) == 1
    terminal.capture("k", "v", chain.uuid7(), {})


def test_an_older_image_finds_out_before_it_reuses_a_number(
    terminal: Terminal, world: World, copied: Copied, line: Line
) -> None:
    captured(terminal, world, 2)
    image = copied()
    ops = captured(terminal, world, 3)
    terminal.push()
    line.requests.clear()
    with Terminal(image, transport=line) as copy:
        fresh = captured(copy, world, 3)[2]  # on the number that another life has used
        with pytest.raises(Frozen) as frozen:
            copy.push()
        assert frozen.value.reason == {"code": "terminal.behind", "next": 4, "captured": 3, "foreign": [3]}
        assert set(line.paths()) == {"/v1/sync/outcomes"}
        copy.renew()
        told = copy.push()
        assert [each.get("repeats") for each in told] == [
            {"incarnation": 1, "n": 1},
            {"incarnation": 1, "n": 2},
            None,
        ]
        assert [(each["n"], each["op"]) for each in told] == [(1, ops[0]), (2, ops[1]), (3, fresh)]
        agreed(copy, world)
    assert not world.chains.quarantine


def test_an_image_without_anything_new_finds_out_as_well(terminal: Terminal, world: World, copied: Copied) -> None:
    captured(terminal, world, 2)
    image = copied()
    captured(terminal, world, 3)
    terminal.push()
    with Terminal(image, transport=terminal._transport) as copy:
        with pytest.raises(Frozen) as frozen:
            copy.push()
        assert frozen.value.reason["next"] == 4
        copy.sync()
        assert copy.identity.incarnation == 2
        assert [each.outcome for each in copy.waiting()] == []


def test_an_image_that_spoke_already_is_told_by_the_answer(
    terminal: Terminal, world: World, copied: Copied, line: Line
) -> None:
    captured(terminal, world, 2)
    line.lose_on = "/v1/sync/push"
    with pytest.raises(Offline):
        terminal.push()
    image = copied()
    captured(terminal, world, 3)
    terminal.push()
    with Terminal(image, transport=terminal._transport) as copy:
        copy._met = True
        with pytest.raises(Frozen) as frozen:
            copy.push()
        assert frozen.value.reason == {"code": "terminal.behind", "next": 4, "captured": 2}
        assert copy.waiting() == []


def test_sync_renews_by_itself(terminal: Terminal, world: World, copied: Copied) -> None:
    image = copied()
    captured(terminal, world, 2)
    terminal.push()
    with Terminal(image, transport=terminal._transport) as copy:
        captured(copy, world, 1)
        outcomes, pulled = copy.sync()
        assert [each["status"] for each in outcomes] == ["applied"]
        assert pulled is None  # the token names the key that has ended
        with pytest.raises(NotSignedIn):
            copy.pull()


def test_a_lost_answer_to_a_renewal_is_got_again_with_the_same_key(
    terminal: Terminal, world: World, copied: Copied, line: Line
) -> None:
    captured(terminal, world, 1)
    terminal.push()
    copy = forked(terminal, world, copied())
    line.lose_answers = 1
    with pytest.raises(Offline):
        copy.renew()
    next_pem = copy.identity.next_pem
    assert copy.identity.incarnation == 1
    assert copy.renew().pem == next_pem
    assert copy.renew().incarnation == 2  # nothing to renew: nothing is asked
    assert len(world.chains.ended) == 1
    copy.close()


@pytest.mark.parametrize("spoilt", [{"genesis": "A" * 43}, {"terminal": "x"}, {"incarnation": 1}, {"head": ""}])
def test_an_incarnation_that_was_not_computed_here_is_not_taken(
    terminal: Terminal, world: World, monkeypatch: pytest.MonkeyPatch, spoilt: dict[str, Any]
) -> None:
    terminal.store.freeze({"code": "chain.fork"})
    ask = terminal.wire.ask

    def spoil(*call: Any) -> dict[str, Any]:
        told = ask(*call) | spoilt
        if spoilt == {"incarnation": 1}:
            key = Key(terminal.identity.next_pem or "")
            from headless.proof import thumbprint

            told["genesis"] = chain.genesis("DEMO", told["terminal"], 1, thumbprint(key.jwk))
        return told

    monkeypatch.setattr(terminal.wire, "ask", spoil)
    with pytest.raises(Broken):
        terminal.renew()
    assert terminal.identity.frozen == {"code": "chain.fork"}


def test_a_refused_renewal_leaves_everything(terminal: Terminal, world: World) -> None:
    terminal.store.freeze({"code": "chain.fork"})
    captured(terminal, world, 1)
    world.terminals[terminal.identity.terminal].revoked = True
    with pytest.raises(Problem) as refused:
        terminal.renew()
    assert refused.value.code == "terminal.revoked"
    assert len(terminal.waiting()) == 1


def test_bytes_that_are_no_operation_are_carried_as_they_are(terminal: Terminal, world: World) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for raw in (b'{"op": 1, "op": 1', b"[]"):
            patch.setattr(chain, "canonical", lambda operation, raw=raw: raw)
            terminal.capture("k", "v", chain.uuid7(), {})
    terminal.store.freeze({"code": "chain.fork"})
    terminal.renew()
    assert [each["status"] for each in terminal.push()] == ["quarantined"] * 2
    assert world.terminals[terminal.identity.terminal].taken[1].raw == b'{"op": 1, "op": 1'


def test_a_server_restored_to_before_the_incarnation_is_asked_for_it_again(
    terminal: Terminal, world: World, copied: Copied
) -> None:
    captured(terminal, world, 1)
    terminal.push()
    copy = forked(terminal, world, copied())
    copy.renew()
    copy.push()
    first = world.chains.ended.pop()
    known = [link.outcome["op"] for link in first.taken.values()]
    first.taken, first.frozen, world.chains.present[first.id] = {}, False, first
    for op in (*known, *(queued.op for queued in copy.queue())):
        world.kept.outcomes.pop(op, None)
        world.kept.effects.pop(op, None)
    world.kept.rows = {id_: row for id_, row in world.kept.rows.items() if row["kind"] == "place"}
    world.epoch, world.leaves = 2, [b"epoch"]
    officer, session = world.officers["PAT"]["id"], next(iter(world.chains.sessions))
    fields = {"area": world.places["W"], "companions": []}
    copy.capture("patrol.round", "open", chain.uuid7(), fields, officer=officer, session=session)
    copy.push()
    assert copy.identity.incarnation == 2
    agreed(copy, world)
    assert {queued.incarnation for queued in copy.queue()} == {2}
    assert {queued.status for queued in copy.queue()} == {"applied"}
    assert len(copy.queue()) == 4  # the one that only the first incarnation had sent is on the second's chain
    copy.close()
