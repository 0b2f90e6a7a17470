"""A database that was turned back is not written to until an epoch is opened; what was lost is proved by who still knows."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from backend.audit import epochs, witness
from backend.audit.epochs import Epoch
from backend.audit.log import read_head
from backend.kernel.keys import SigningKey, load_jwk
from backend.storage import tables
from backend.storage.door import UnknownFacility
from tasks import jobs
from tests.contract.test_audit import everything, put_back
from tests.support import hand, store
from tests.support.hand import Hand
from tests.support.world import FACILITY, World, opened

AT = {"at": "2026-11-22T03:14:15.123Z"}


def size_of(world: World) -> tuple[int, int]:
    row = store.one(world, tables.facilities)
    return row.epoch, row.size


def health(world: World) -> dict[str, Any]:
    with world.app.test_client() as client:
        answer = client.get("/healthz")
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json
        return found


def refused(response: httpx.Response) -> bool:
    """Whether it is the answer of a server that has stopped writing."""
    if response.status_code == 200:
        return False
    assert (response.status_code, response.json()["code"]) == (503, "server.behind")
    assert int(response.headers["Retry-After"]) > 0
    return True


def opens(world: World, reason: str = "restored from last night's copy") -> Epoch:
    services = world.services
    return epochs.open_epoch(services.door, services.highwater, FACILITY, reason, "the operator")


def listed(world: World) -> list[Epoch]:
    return epochs.epochs(world.services.store, FACILITY)


def signed(world: World, **said: Any) -> str:
    """A head by the server's own key."""
    payload = {"facility": FACILITY, "epoch": 1, "size": 9, "root": "A" * 43} | AT | said
    return world.services.keyring.head.sign({"typ": "roundsman-head+jwt"}, payload)


def lost_a_round(world: World) -> tuple[Hand, str]:
    """A terminal that was told of a round which the database has forgotten since; and the head that it was given."""
    h = Hand(world).signed_in("PAT")
    h.open()
    h.told()
    before = everything(world)
    h.open()
    h.open()
    head = h.push(2).json()["head"]
    put_back(world, before)
    return h, head


def test_a_running_server_notices_that_its_database_was_turned_back(both: World) -> None:
    h, _ = lost_a_round(both)
    has = size_of(both)
    assert refused(h.push())
    assert h.pull()["partitions"], "reads go on"
    told = health(both)
    assert (told["status"], told["behind"]) == ("behind", [{"facility": FACILITY, "epoch": 1, "size": has[1]}])
    assert "flask epoch open" in told["advice"]
    with pytest.raises(Exception, match=r"server\.behind"):
        both.code()
    assert size_of(both) == has


def test_the_right_copy_brought_back_lets_writing_go_on(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    older = everything(both)
    h.open()
    h.told()
    newest = everything(both)
    put_back(both, older)
    assert refused(h.push())
    put_back(both, newest)
    assert h.told()[0]["status"] == "applied"
    assert health(both)["status"] == "ok"


def again(world: World) -> World:
    """The installation after a restart."""
    database = None if world.services.store.sqlite else world.settings.database
    return opened(world.folder, database, world.ids)


def test_a_server_that_starts_on_an_older_database_serves_reads_and_says_what_to_do(
    both: World, capsys: pytest.CaptureFixture[str]
) -> None:
    h = Hand(both).signed_in("PAT")
    older = everything(both)
    h.open()
    h.told()
    jobs.keep_high_water(both.services.store, both.settings.data / "witness")
    put_back(both, older)
    capsys.readouterr()
    restarted = again(both)
    try:
        assert "flask epoch open" in capsys.readouterr().err
        h.world = restarted
        assert refused(h.push())
        assert health(restarted)["status"] == "behind"
        opens(restarted)
        assert h.told()[0]["status"] == "applied"
        assert store.verified(restarted).epoch == 2
    finally:
        restarted.close()


def test_time_does_not_go_back_over_a_restore(small: World) -> None:
    """The machine's clock is an hour behind what was signed, and the restored database does not know it."""
    h = Hand(small).signed_in("PAT")
    older = everything(small)
    small.clock.advance(3_600_000)
    h.open()
    h.told()
    signed_last = small.clock.now()
    jobs.keep_high_water(small.services.store, small.settings.data / "witness")
    put_back(small, older)
    restarted = again(small)
    try:
        assert restarted.clock.now() < signed_last
        assert restarted.services.clock.now() == signed_last
    finally:
        restarted.close()


def test_a_terminal_shows_what_no_file_knows_and_a_restart_does_not_forget_it(both: World) -> None:
    h, head = lost_a_round(both)
    restarted = again(both)
    try:
        h.world = restarted
        assert health(restarted)["status"] == "ok", "nobody has told it yet"
        assert refused(h.push(1, None, head=head))
        assert refused(h.push()), "from now on it knows"
    finally:
        restarted.close()
    once_more = again(both)
    try:
        assert health(once_more)["status"] == "behind"
        assert opens(once_more).epoch == 2
        proof = store.one(once_more, tables.witnesses)
        assert (proof.epoch, proof.source, proof.head) == (1, h.terminal, head)
        assert listed(once_more)[0].lost == 2
    finally:
        once_more.close()


def test_heads_that_are_not_the_server_s_stop_nothing(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    far = {"facility": FACILITY, "epoch": 7, "size": 10**6, "root": "A" * 43} | AT
    forged = SigningKey.generate().sign({"typ": "roundsman-head+jwt"}, far)
    other_purpose = both.services.keyring.head.sign({"typ": "dpop+jwt"}, far)
    for shown in (forged, other_purpose, signed(both, facility="ELSE", epoch=7), "no head", "a.b.c"):
        h.open()
        assert not refused(h.push(h.n, None, head=shown))
    assert health(both)["status"] == "ok"


def test_a_head_that_another_process_has_signed_stops_nothing(small: World) -> None:
    h = Hand(small).signed_in("PAT")
    beside = again(small)
    try:
        h.open()
        head = h.push().json()["head"]
        h.world = beside
        h.open()
        assert not refused(h.push(2, None, head=head))
    finally:
        beside.close()


def test_a_head_of_another_log_of_the_same_epoch_stops_writing_however_long_this_one_is(both: World) -> None:
    """The database was turned back in silence, and has grown past what was lost since."""
    h, head = lost_a_round(both)
    restarted = again(both)
    try:
        for _ in range(9):
            restarted.code()
        assert size_of(restarted)[1] > read_head(head, load_jwk(both.services.keyring.head.jwk))["size"]
        h.world = restarted
        assert refused(h.push(1, None, head=head))
        assert health(restarted)["status"] == "behind"
        opens(restarted)
        assert not refused(h.push(1, None, head=head))
        assert listed(restarted)[0].lost == 1, "at least one: nobody can say more"
        store.verified(restarted)
    finally:
        restarted.close()


def test_an_epoch_says_where_the_one_before_ended_and_what_is_proved_lost(both: World) -> None:
    h, head = lost_a_round(both)
    assert refused(h.push(1, None, head=head))
    had = store.one(both, tables.facilities)
    root = store.one(both, tables.tree_heads, epoch=1, size=had.size).root
    epoch = opens(both)
    assert (epoch.epoch, epoch.reason, epoch.operator, epoch.present) == (
        2, "restored from last night's copy", "the operator", True
    )  # fmt: skip
    (leaf,) = [orjson.loads(row.body) for row in store.rows(both, tables.leaves, epoch=2)]
    lost = read_head(head, load_jwk(both.services.keyring.head.jwk))
    shown = {name: lost[name] for name in ("epoch", "size", "root")} | {"source": h.terminal}
    assert leaf["act"] == "epoch.opened"
    assert leaf["previous"] == {"epoch": 1, "size": had.size, "root": hand.proof.b64u(root)}
    assert (leaf["reason"], leaf["operator"], leaf["witnesses"]) == (epoch.reason, epoch.operator, [shown])
    before = listed(both)[0]
    assert (before.epoch, before.size, before.present) == (1, had.size, False)
    assert (before.lost, before.shown_by) == (lost["size"] - had.size, (h.terminal,))
    store.verified(both)


def test_terminals_offer_again_and_nothing_that_they_have_is_lost(both: World) -> None:
    h, head = lost_a_round(both)
    opens(both)
    answer = h.push(1, None, head=head).json()
    assert (answer["epoch"], answer["next"], answer["safe_upto"]) == (2, 4, 0)
    assert [outcome["status"] for outcome in answer["outcomes"]] == ["applied"] * 3
    rows = store.rows(both, tables.operations, terminal=h.terminal)
    assert [(row.n, row.epoch) for row in rows] == [(1, 1), (2, 2), (3, 2)]
    assert store.verified(both).operations >= 3


def test_a_head_of_an_old_epoch_that_comes_late_is_kept_once(both: World) -> None:
    h, head = lost_a_round(both)
    opens(both)
    for _ in range(3):
        h.open()
        assert not refused(h.push(1, None, head=head))
    told = [orjson.loads(row.body) for row in store.rows(both, tables.leaves, epoch=2)]
    assert [leaf["source"] for leaf in told if leaf["act"] == "witness.shown"] == [h.terminal]
    proof = store.one(both, tables.witnesses)
    assert (proof.epoch, proof.source, proof.head) == (1, h.terminal, head)
    assert listed(both)[0].lost > 0
    assert health(both)["status"] == "ok"
    store.verified(both)
    restarted = again(both)
    try:
        restarted.code()
        assert len(store.rows(restarted, tables.witnesses)) == 1, "a restart enters it no second time"
    finally:
        restarted.close()


def test_a_head_that_the_log_holds_is_no_witness(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    h.open()
    head = h.push().json()["head"]
    opens(both, "failover")
    h.open()
    assert not refused(h.push(2, None, head=head))
    assert store.rows(both, tables.witnesses) == []
    assert [each.lost for each in listed(both)] == [0, 0]


def test_an_epoch_number_that_was_ever_signed_is_never_used_again(both: World) -> None:
    """Epoch 2 was opened, written in, and lost with the copy that is brought back: the next one is 3."""
    first = everything(both)
    opens(both, "failover")
    h = Hand(both).signed_in("PAT")
    h.open()
    head = h.push().json()["head"]
    put_back(both, first)
    epoch = opens(both)
    assert epoch.epoch == 3
    found = {each.epoch: each for each in listed(both)}
    assert (found[1].lost, found[1].present) == (0, False)
    assert (found[2].size, found[2].opened_at, found[2].present) == (0, None, False)
    assert found[2].lost >= 1
    assert found[3].present
    store.verified(both)
    assert hand.send(both, h.key.push(h.claims()), b"").status_code != 503
    both.services.highwater.shown(FACILITY, head, "a terminal")
    both.code()
    assert len(store.rows(both, tables.witnesses, epoch=2)) == 2
    store.verified(both)


def test_what_a_backup_covered_is_forgotten_and_numbers_stay_within_the_database(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    h.open()
    h.told()
    store.alter(both, tables.terminals, {"terminal": h.terminal}, safe_n=5)
    store.alter(both, tables.facilities, {}, safe_size=9)
    opens(both, "failover")
    assert store.one(both, tables.terminals, terminal=h.terminal).safe_n == 1
    assert store.one(both, tables.facilities).safe_size == 0


@pytest.mark.parametrize("words", [("", "x"), ("x", " "), ("x" * 501, "x"), ("x", "x" * 81)])
def test_an_epoch_needs_a_reason_and_an_operator(standing: World, words: tuple[str, str]) -> None:
    services = standing.services
    with pytest.raises(ValueError, match="needs a reason"):
        epochs.open_epoch(services.door, services.highwater, FACILITY, *words)
    with pytest.raises(UnknownFacility):
        epochs.open_epoch(services.door, services.highwater, "NOWHERE", "x", "x")
    with pytest.raises(LookupError):
        epochs.epochs(services.store, "NOWHERE")
    assert size_of(standing)[0] == 1


def test_the_commands_open_and_list(small: World) -> None:
    lost_a_round(small)
    run = small.app.test_cli_runner()
    beside = run.invoke(args=["terminals", "code", FACILITY])
    assert beside.exit_code != 0
    words = ["--facility", FACILITY, "--reason", "disk replaced", "--operator", "the operator"]
    done = run.invoke(args=["epoch", "open", *words])
    assert done.exit_code == 0, done.output
    assert "epoch 2 is open" in done.output
    told = run.invoke(args=["epoch", "list", "--facility", FACILITY]).output.splitlines()
    assert told[0].startswith("epoch 1: ended") and told[1].startswith("epoch 2: present, 1 leaves, opened")
    assert "by the operator: disk replaced" in told[1]
    assert run.invoke(args=["epoch", "list", "--facility", "NOWHERE"]).exit_code == 1
    assert run.invoke(args=["epoch", "open", *words[2:], "--facility", "NOWHERE"]).exit_code == 1
    assert run.invoke(args=["audit", "verify"]).exit_code == 0


def test_files_that_are_no_heads_are_passed_over(small: World) -> None:
    folder = small.settings.data / "witness"
    folder.mkdir(exist_ok=True)
    for name in (f"{FACILITY}.head", f"{FACILITY}.1.x.shown", "odd", "odd.head", "a.b.shown"):
        (folder / name).write_bytes(b"\xff not a head")
    (folder / f"{FACILITY}.2.y.shown").write_text("neither.is.this")
    restarted = again(small)
    try:
        assert health(restarted)["status"] == "ok"
        restarted.code()
        jobs.keep_high_water(restarted.services.store, folder)
        assert witness.recall(folder, FACILITY) == store.one(restarted, tables.facilities).head
    finally:
        restarted.close()
