"""A terminal believes no log that does not continue the one it knows, and no key that was not stated (section 12)."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from headless import Alarmed, Broken, Terminal, proof
from headless.__main__ import main
from tests.headless.fake_crypto import Signer, b64, merkle
from tests.headless.fake_world import Failure, World
from tests.headless.kit import Line
from tests.headless.test_push import agreed, captured

PROOF = "/v1/audit/consistency"


def pushed(terminal: Terminal, world: World, count: int = 3) -> None:
    captured(terminal, world, count)
    terminal.push()


def rewritten(world: World) -> None:
    """The server's log has been written anew, and has grown."""
    world.leaves[0] = b"another past"
    world.leaves += [b"more"] * 3


def test_the_anchor_is_the_newest_head_that_was_proved(terminal: Terminal, world: World, line: Line) -> None:
    line.requests.clear()
    for size in (5, 7, 8):
        world.leaves += [b"others"] * (size - len(world.leaves) - 1)
        pushed(terminal, world, 1)
        assert terminal.anchor is not None and terminal.anchor.size == len(world.leaves) == size
        assert terminal.anchor.root == b64(merkle(world.leaves))
    assert line.paths().count(PROOF) == 3


def test_a_sync_demands_one_proof_however_much_it_sends(terminal: Terminal, world: World, line: Line) -> None:
    captured(terminal, world, 6)
    line.requests.clear()
    world.max_batch = 2
    terminal.sync()
    assert line.paths().count("/v1/sync/push") >= 3
    assert line.paths().count(PROOF) == 1 and line.paths()[-1] == PROOF
    line.requests.clear()
    terminal.sync()
    assert PROOF not in line.paths(), "nothing was shown that is not known"


def test_without_an_answer_both_heads_are_kept(terminal: Terminal, world: World, line: Line) -> None:
    held = terminal.anchor
    for trouble in (Failure(503, "server.busy"), Failure(429, "rate.limited"), Failure(409, "incarnation.frozen")):
        captured(terminal, world, 1)
        line.meanwhile = lambda trouble=trouble: world.trouble.append(trouble)  # type: ignore[misc]
        terminal.push()
        assert terminal.anchor == held and terminal.store.alarm() is None
    line.lose_on = PROOF
    pushed(terminal, world, 1)
    assert terminal.anchor == held
    pushed(terminal, world, 1)
    assert terminal.anchor is not None and terminal.anchor.size == len(world.leaves)
    agreed(terminal, world)


def test_a_log_that_was_written_anew_stops_everything_but_capture(terminal: Terminal, world: World, line: Line) -> None:
    pushed(terminal, world)
    held = terminal.anchor
    rewritten(world)
    with pytest.raises(Alarmed, match="proof"):
        terminal.pull()
    (told,) = world.log.alarms
    assert held is not None and (told["held"], told["why"]) == (held.jws, "proof")
    assert proof.verify_head(told["shown"], world.signer.jwk, "DEMO").size == len(world.leaves)
    line.requests.clear()
    waiting = captured(terminal, world, 2)
    for stopped in (terminal.push, terminal.pull, terminal.sync, terminal.repair, terminal.evacuate, terminal.report):
        with pytest.raises(Alarmed):
            stopped()
    with pytest.raises(Alarmed):
        terminal.sign_in("PAT", "a secret for tests")
    assert line.requests == [], "it was reported once, and nothing else is asked"
    assert terminal.anchor == held
    assert [queued.op for queued in terminal.waiting()] == waiting
    assert terminal.waiting()[0].operation["anchor"]["size"] == held.size


def test_it_says_so_as_soon_as_somebody_hears_it(terminal: Terminal, world: World, line: Line) -> None:
    pushed(terminal, world)
    rewritten(world)
    line.lose_on = "/v1/audit/alarms"
    with pytest.raises(Alarmed) as first:
        terminal.pull()
    line.down = True
    with pytest.raises(Alarmed) as second:
        terminal.sync()
    line.down = False
    with pytest.raises(Alarmed) as third:
        terminal.sync()
    assert [each.value.alarm["reported"] for each in (first, second, third)] == [False] * 3
    alarm = terminal.store.alarm()
    assert alarm is not None and alarm["reported"] and len(world.log.alarms) == 2


@pytest.mark.parametrize("lie", [[], ["A" * 43], ["x"], ["A" * 43] * 60, [7], "none"])
def test_what_proves_nothing_is_not_believed(terminal: Terminal, world: World, lie: list[str]) -> None:
    pushed(terminal, world)
    world.log.lie = lie
    captured(terminal, world, 1)
    with pytest.raises(Alarmed, match="proof"):
        terminal.push()


@pytest.mark.parametrize("lost", [False, True])
def test_a_proof_that_is_refused_is_none(terminal: Terminal, world: World, line: Line, lost: bool) -> None:
    pushed(terminal, world)
    captured(terminal, world, 2)
    line.meanwhile = lambda: world.trouble.append(Failure(404, "route.unknown"))
    if lost:
        line.lose_on = "/v1/audit/alarms"
        terminal.push()
        assert terminal.store.alarm() is None, "nobody has heard of it: it is asked again"
        captured(terminal, world, 1)
        line.meanwhile = lambda: world.trouble.append(Failure(404, "route.unknown"))
    with pytest.raises(Alarmed, match="refused"):
        terminal.push()
    assert world.log.alarms[-1]["why"] == "refused"


def test_a_server_that_knows_that_it_was_restored_is_waited_for(terminal: Terminal, world: World, line: Line) -> None:
    """It died after it had shown a head; the copy that was brought back has no proof for it. An epoch is opened: nobody has
    to do anything here."""
    pushed(terminal, world)
    held = terminal.anchor
    captured(terminal, world, 2)
    line.meanwhile = lambda: world.leaves.__delitem__(slice(3, None))
    terminal.push()
    terminal.pull()
    assert terminal.anchor == held and terminal.store.alarm() is None
    world.lose(terminal.identity.terminal, kept=1)
    terminal.sync()
    assert terminal.anchor is not None and terminal.anchor.epoch == 2
    assert held is not None and max(each["size"] for each in world.shown if each["epoch"] == 1) > held.size
    agreed(terminal, world)


def test_two_roots_for_one_size_are_an_alarm_too(terminal: Terminal, world: World) -> None:
    pushed(terminal, world)
    world.leaves[0] = b"another past"
    with pytest.raises(Alarmed, match="roots"):
        terminal.pull()
    (told,) = world.log.alarms
    sizes = [proof.verify_head(told[name], world.signer.jwk, "DEMO").size for name in ("held", "shown")]
    assert sizes[0] == sizes[1] and told["why"] == "roots"


def test_its_holder_may_go_on_from_what_was_proved(terminal: Terminal, world: World, tmp_path: Path) -> None:
    pushed(terminal, world)
    before = list(world.leaves)
    rewritten(world)
    with pytest.raises(Alarmed):
        terminal.pull()
    run = CliRunner()
    words = ["--db", str(terminal.store.path), "alarm"]
    assert "proof (reported to the server)" in run.invoke(main, words).output
    assert "ALARM" in run.invoke(main, [*words[:2], "status"]).output
    assert run.invoke(main, [*words, "--dismiss"]).exit_code == 0
    assert run.invoke(main, words).output == "no alarm\n"
    with pytest.raises(Alarmed):
        terminal.pull()
    assert terminal.dismiss_alarm() and not terminal.dismiss_alarm()
    world.leaves = [*before, b"more"]
    terminal.pull()
    pushed(terminal, world)
    assert terminal.anchor is not None and terminal.anchor.size == len(world.leaves)
    agreed(terminal, world)


def test_a_later_epoch_is_taken_and_what_was_shown_of_the_old_one_bears_witness(
    terminal: Terminal, world: World, line: Line
) -> None:
    pushed(terminal, world, 2)
    line.lose_on = PROOF
    pushed(terminal, world, 3)
    largest = len(world.leaves)
    world.lose(terminal.identity.terminal, kept=1)
    terminal.sync()
    assert [(each["epoch"], each["size"]) for each in world.shown if each["epoch"] == 1][-1] == (1, largest)
    assert terminal.anchor is not None and terminal.anchor.epoch == 2 and terminal.store.offered() is None
    agreed(terminal, world)


# Keys


def test_a_key_that_was_stated_is_learnt_and_kept(terminal: Terminal, world: World, line: Line) -> None:
    pushed(terminal, world)
    for _ in range(2):
        world.log.turn_key(world.epoch)
    line.requests.clear()
    pushed(terminal, world)
    assert line.paths().count("/v1/audit/keys") == 1
    assert terminal.anchor is not None and terminal.anchor.size == len(world.leaves)
    pushed(terminal, world)
    assert line.paths().count("/v1/audit/keys") == 1
    agreed(terminal, world)


def test_a_retired_key_signs_nothing_more(terminal: Terminal, world: World) -> None:
    pushed(terminal, world)
    old = world.log.turn_key(world.epoch)
    pushed(terminal, world)
    present, world.log.signer = world.signer, old
    captured(terminal, world, 1)
    with pytest.raises(Broken, match="not the server's at that size"):
        terminal.push()
    world.log.signer = present
    terminal.push()
    agreed(terminal, world)


@pytest.mark.parametrize("how", ["nobody", "itself", "another facility", "another purpose", "another key"])
def test_a_key_that_nobody_has_stated_is_refused(terminal: Terminal, world: World, how: str) -> None:
    pushed(terminal, world)
    old = world.log.turn_key(world.epoch)
    said = {"facility": "DEMO", "epoch": 1, "size": 2, "jwk": world.signer.jwk, "at": "-"}
    typ = "roundsman-key-rotation+jwt"
    world.log.keys[1]["statement"] = {
        "nobody": None,
        "itself": world.signer.sign(typ, said),
        "another facility": old.sign(typ, said | {"facility": "OTHER"}),
        "another purpose": old.sign("roundsman-head+jwt", said),
        "another key": old.sign(typ, said | {"jwk": Signer().jwk}),
    }[how]
    captured(terminal, world, 1)
    with pytest.raises(Broken):
        terminal.push()
    assert terminal.anchor is not None and terminal.anchor.size == len(world.leaves) - 2
    assert terminal.store.alarm() is None


def test_a_key_that_the_server_does_not_list_is_refused(terminal: Terminal, world: World) -> None:
    pushed(terminal, world)
    world.log.signer = Signer()
    captured(terminal, world, 1)
    with pytest.raises(Broken, match="a key that is not the server's"):
        terminal.push()
