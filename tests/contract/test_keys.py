"""The server's keys: one hands over to the next, all are backed up, and none is overwritten that has signed anything."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from backend.audit import backups, epochs
from backend.audit.log import read_head
from backend.audit.verify import Broken
from backend.identity import facilities, keybackup, keyfiles, rotation
from backend.identity.headring import NEXT, PRESENT, ROTATION_TYPE, ROTATIONS, HeadRing
from backend.identity.keyring import Keyring
from backend.kernel.keys import Jws, SigningKey, load_jwk, thumbprint
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.engine import sqlite_url
from headless import proof
from headless.chain import frames
from tests.support import store
from tests.support.caller import NOBODY, Caller, is_problem
from tests.support.hand import Hand, send
from tests.support.world import FACILITY, World, opened

OTHER = "OTHER"
PASSPHRASE = "a passphrase for tests"


@pytest.fixture
def two(both: World) -> World:
    """An installation with two facilities."""
    services = both.services
    facilities.found(services.door, OTHER, "另一看守所", "KSS", services.keyring.head)
    return both


def folder(world: World) -> Path:
    return world.settings.data / "keys"


def rotate(world: World) -> rotation.Rotated:
    return rotation.rotate(world.services.door, world.services.keyring.heads)


def state(world: World, facility: str = FACILITY) -> Any:
    return store.one(world, tables.facilities, facility=facility)


def kid(head: str) -> Any:
    return Jws(head).header["kid"]


def writes(world: World) -> str:
    """Something is written; returns the head that it made."""
    world.code()
    return str(state(world).head)


def test_the_new_key_signs_from_its_leaf_on_in_every_facility(two: World) -> None:
    old, size = two.services.keyring.head.thumbprint, state(two).size
    done = rotate(two)
    new = two.services.keyring.head.thumbprint
    assert (done.old, done.new, done.facilities) == (old, new, (OTHER, FACILITY)) and old != new
    for facility in (FACILITY, OTHER):
        leaf = store.leaves(two, facility)[-1]
        assert (leaf["act"], leaf["from"], leaf["to"]) == ("key.rotated", old, new)
        assert kid(state(two, facility).head) == state(two, facility).key == new
        store.verified(two, facility)
    assert store.leaves(two)[size]["act"] == "key.rotated"
    assert kid(writes(two)) == new
    store.verified(two)


def test_the_old_key_is_gone_and_what_it_has_stated_stays(two: World) -> None:
    before = (folder(two) / PRESENT).read_bytes()
    with (folder(two) / PRESENT).open("rb") as kept:
        rotate(two)
        assert kept.read() == bytes(len(before)), "the old file's own bytes are still there"
    names = {path.name for path in folder(two).iterdir()}
    assert NEXT not in names and ROTATIONS in names
    assert all(before not in path.read_bytes() for path in folder(two).iterdir())
    fresh = Keyring.open(folder(two))
    assert fresh.head.thumbprint == two.services.keyring.head.thumbprint
    assert [each.upto is None for each in fresh.heads.chain(FACILITY)] == [False, True]


def test_heads_are_believed_of_the_key_that_signed_them_then(two: World) -> None:
    old, ring = two.services.keyring.head, two.services.keyring.heads
    early = state(two).head
    rotate(two)
    late = state(two).head
    assert [read_head(each, ring)["size"] for each in (early, late)] == [state(two).size - 1, state(two).size]
    said = Jws(late).payload
    for key, size in ((old, said["size"]), (old, 10**6), (ring.newest, said["size"] - 1), (ring.newest, 1)):
        forged = key.sign({"typ": "roundsman-head+jwt", "kid": key.thumbprint}, said | {"size": size})
        with pytest.raises(ValueError, match="was not the server's at that size"):
            read_head(forged, ring)
    for key in (SigningKey.generate(), old):
        forged = key.sign({"typ": "roundsman-head+jwt", "kid": ring.newest.thumbprint}, said)
        with pytest.raises(ValueError):
            read_head(forged, ring)
    assert read_head(old.sign({"typ": "roundsman-head+jwt", "kid": old.thumbprint}, Jws(early).payload), ring)


def test_a_retired_key_cannot_stop_the_server(two: World) -> None:
    """A head beyond all that there is, by a key that somebody has kept: it is none of the server's."""
    old = two.services.keyring.head
    said = Jws(state(two).head).payload
    rotate(two)
    h = Hand(two).signed_in("PAT")
    h.open()
    forged = old.sign({"typ": "roundsman-head+jwt", "kid": old.thumbprint}, said | {"size": 10**6})
    assert h.push(1, None, head=forged).status_code == 200
    assert kid(writes(two)) == two.services.keyring.head.thumbprint


def test_another_process_signs_with_the_new_key_at_once(two: World) -> None:
    beside = opened(two.folder, None if two.services.store.sqlite else two.settings.database, two.ids)
    try:
        writes(beside)
        rotate(two)
        assert kid(writes(beside)) == two.services.keyring.head.thumbprint
        assert beside.services.keyring.head.thumbprint == two.services.keyring.head.thumbprint
        h = Hand(beside)
        assert thumbprint(h.server_key) == two.services.keyring.head.thumbprint
        store.verified(beside)
    finally:
        beside.close()


def test_another_process_tells_of_the_new_key_before_it_has_signed_with_it(two: World) -> None:
    """A terminal reads a head that a command beside the server has signed, and asks the server for the key."""
    beside = opened(two.folder, None if two.services.store.sqlite else two.settings.database, two.ids)
    try:
        h = Hand(beside)
        for turns in (2, 3):
            rotate(two)
            head = h.fetch()["head"]
            keys = h.wire.ask(h.key, "GET", "/v1/audit/keys")["keys"]
            assert len(keys) == turns and keys[-1]["kid"] == kid(head)
    finally:
        beside.close()


def test_several_rotations_make_one_chain(two: World) -> None:
    first = two.services.keyring.head.jwk
    for _ in range(3):
        writes(two)
        rotate(two)
    chain = two.services.keyring.heads.chain(FACILITY)
    assert chain[0].jwk == first and len(chain) == 4
    assert all(one.upto == other.after for one, other in zip(chain, chain[1:], strict=False))
    store.verified(two)


def test_a_rotation_that_was_interrupted_is_taken_up_again(two: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine stops before the old key is destroyed: both sign, each where it must, until the next attempt."""
    old = two.services.keyring.head.thumbprint
    with monkeypatch.context() as patch:
        patch.setattr(keyfiles, "supersede", _stops)
        with pytest.raises(InterruptedError):
            rotate(two)
    coming = two.services.keyring.head.thumbprint
    ring = HeadRing(folder(two))
    assert ring.newest.thumbprint == coming and ring.signer(old).thumbprint == old
    assert kid(writes(two)) == coming
    done = rotate(two)
    assert (done.old, done.new) == (old, coming)
    assert [leaf["act"] for leaf in store.leaves(two)].count("key.rotated") == 1
    assert not (folder(two) / NEXT).exists()
    store.verified(two)


def test_a_facility_that_has_not_changed_over_goes_on_with_the_old_key(
    two: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first facility changes over, the second one's write is refused; both are verified, and both write."""
    old, write = two.services.keyring.head.thumbprint, two.services.door.write

    def refuse(facility: str, work: Any) -> Any:
        if facility == FACILITY:
            raise Problem("server.busy", retry_after=1)
        return write(facility, work)

    with monkeypatch.context() as patch:
        patch.setattr(two.services.door, "write", refuse)
        with pytest.raises(Problem):
            rotate(two)
    assert (state(two, OTHER).key == two.services.keyring.head.thumbprint) and state(two).key == old
    assert kid(writes(two)) == old
    for facility in (FACILITY, OTHER):
        store.verified(two, facility)
    assert thumbprint(Hand(two).server_key) == old
    rotate(two)
    assert kid(writes(two)) == two.services.keyring.head.thumbprint
    store.verified(two)


def _stops(*_: Any) -> None:
    raise InterruptedError


def test_a_leaf_that_the_old_key_has_not_stated_is_named(two: World) -> None:
    """Who edits the file of rotations, and not the log, is shown by the log."""
    rotate(two)
    path = folder(two) / ROTATIONS
    plain = orjson.loads(path.read_bytes())
    said = Jws(plain[0]["statements"][FACILITY]).payload
    forger = SigningKey.generate()
    plain[0]["old"] = forger.jwk
    header = {"typ": ROTATION_TYPE, "kid": forger.thumbprint}
    plain[0]["statements"][FACILITY] = forger.sign(header, said)
    path.write_bytes(orjson.dumps(plain))
    two.services.keyring.heads._state = two.services.keyring.heads._read()
    with pytest.raises(Broken, match="the old key has not stated"):
        store.verified(two)


def test_a_copy_from_before_the_rotation_holds_and_is_behind_when_it_is_brought_back(small: World) -> None:
    copy = small.folder / "copy.sqlite3"
    backups.make(small.services.store, copy)
    rotate(small)
    found = backups.confirm(small.services.door, small.services.keyring.heads, sqlite_url(copy))
    assert found[0].verified.size < state(small).size
    shutil.copytree(folder(small), small.folder / "restored" / "data" / "keys")
    shutil.copy(copy, small.folder / "restored" / "data" / "roundsman.sqlite3")
    again = opened(small.folder / "restored", None, small.ids)
    try:
        with pytest.raises(Problem, match=r"server\.behind"):
            again.code()
        epochs.open_epoch(again.services.door, again.services.highwater, FACILITY, "restored", "test")
        assert kid(writes(again)) == again.services.keyring.head.thumbprint
        store.verified(again)
    finally:
        again.close()


def test_a_terminal_is_told_the_keys_each_stated_by_the_one_before(two: World) -> None:
    caller = Caller.of(two, NOBODY)
    first = two.services.keyring.head
    (only,) = orjson.loads(caller.ask("GET", "/v1/audit/keys").data)["keys"]
    assert only == {"kid": first.thumbprint, "jwk": first.jwk, "statement": None}
    size = state(two).size
    rotate(two)
    keys = orjson.loads(caller.ask("GET", "/v1/audit/keys").data)["keys"]
    assert [each["kid"] for each in keys] == [first.thumbprint, two.services.keyring.head.thumbprint]
    said = Jws(keys[1]["statement"]).verify(load_jwk(keys[0]["jwk"]), "roundsman-key-rotation+jwt")
    assert {name: said[name] for name in ("facility", "epoch", "size", "jwk")} == {
        "facility": FACILITY, "epoch": 1, "size": size, "jwk": keys[1]["jwk"],
    }  # fmt: skip


def test_nobody_speaks_for_the_server_s_own_terminal(both: World) -> None:
    """Its key is the first one that signed heads. Who has kept that, retired or not, is no terminal."""
    kept = both.services.keyring.head
    server = state(both).server
    rotate(both)
    thief = Caller(both, proof.Key(kept.pem().decode()))
    for method, path in (("GET", "/v1/audit/keys"), ("POST", "/v1/sync/outcomes")):
        body = {"incarnation": 1, "numbers": [1]} if method == "POST" else None
        assert is_problem(thief.ask(method, path, body)) == "terminal.unknown"
    assert is_problem(thief.sign_in("PAT")) == "terminal.unknown"
    h = Hand(both).signed_in("PAT")
    h.open()
    claims = h.claims() | {"terminal": server}
    response = send(both, thief.key.push(claims), frames(h.frames))
    assert (response.status_code, response.json()["code"]) == (401, "terminal.unknown")
    store.verified(both)


# Commands


def run(world: World, *words: str, passphrase: str | None = PASSPHRASE) -> Any:
    env = {} if passphrase is None else {"ROUNDSMAN_PASSPHRASE": passphrase}
    return world.app.test_cli_runner().invoke(args=["keys", *words], env=env)


def test_the_console_rotates_and_lists(two: World) -> None:
    old = two.services.keyring.head.thumbprint
    said = run(two, "rotate")
    assert said.exit_code == 0 and f"{old} is retired and destroyed" in said.output
    listed = run(two, "list").output
    new = two.services.keyring.head.thumbprint
    assert f"present  {new}" in listed and f"retired  {old}" in listed and f"{OTHER}: heads up to epoch 1, " in listed
    assert f"facility {FACILITY}  {new}" in listed


def test_all_keys_come_back_from_a_backup(small: World, tmp_path: Path) -> None:
    rotate(small)
    target = tmp_path / "keys.backup"
    said = run(small, "backup", "--to", str(target))
    assert said.exit_code == 0, said.output
    assert target.stat().st_mode & 0o777 == 0o600
    kept = {path.name: path.read_bytes() for path in folder(small).iterdir()}
    assert set(kept) == {"head.pem", "head.rotations.json", "seal.pem", "token.key", "nonce.key", "factor.key"}
    assert all(data not in target.read_bytes() for data in kept.values())
    anew = opened(tmp_path / "anew")
    try:
        back = run(anew, "restore", str(target))
        assert back.exit_code == 0, back.output
        assert {path.name: path.read_bytes() for path in folder(anew).iterdir()} == kept
    finally:
        anew.close()


def test_keys_that_have_signed_are_not_overwritten(small: World, tmp_path: Path) -> None:
    target = tmp_path / "keys.backup"
    keybackup.make(folder(small), target, PASSPHRASE)
    before = {path.name: path.read_bytes() for path in folder(small).iterdir()}
    said = run(small, "restore", str(target))
    assert said.exit_code == 1 and f"have signed the log of {FACILITY}" in said.output
    assert {path.name: path.read_bytes() for path in folder(small).iterdir()} == before
    again = run(small, "backup", "--to", str(target))
    assert again.exit_code == 1 and "is there already" in again.output
    short = run(small, "backup", "--to", str(tmp_path / "other"), passphrase="short")
    assert short.exit_code == 1 and "at least 12" in short.output and not (tmp_path / "other").exists()


def test_what_is_no_backup_changes_nothing(tmp_path: Path) -> None:
    world = opened(tmp_path / "world")
    try:
        source = tmp_path / "keys.backup"
        packed = keybackup.pack({"head.pem": b"a", "token.key": b"b"}, PASSPHRASE)
        plain = orjson.loads(packed)
        heavy = plain | {"kdf": plain["kdf"] | {"n": 1 << 30}}
        foreign = keybackup.pack({"head.pem": b"a", "../../etc/x.key": b"b"}, PASSPHRASE)
        before = {path.name: path.read_bytes() for path in folder(world).iterdir()}
        for data, said in (
            (b"", "no backup of keys"), (b"[]", "no backup of keys"), (b'{"data":"AA"}', "no backup of keys"),
            (packed.replace(b"A256GCM", b"A128GCM"), "of this version"), (orjson.dumps(heavy), "of this version"),
            (orjson.dumps(plain | {"nonce": "AAAAAAAAAAAAAAAA"}), "another passphrase"),
            (orjson.dumps(plain | {"more": 1}), "another passphrase"), (foreign, "no backup of keys"),
            (keybackup.pack({"token.key": b"b"}, PASSPHRASE), "no backup of keys"),
        ):  # fmt: skip
            source.write_bytes(data)
            done = run(world, "restore", str(source))
            assert (done.exit_code, said in done.output) == (1, True), (data[:80], done.output)
        source.write_bytes(packed)
        assert "another passphrase" in run(world, "restore", str(source), passphrase="some other passphrase").output
        assert {path.name: path.read_bytes() for path in folder(world).iterdir()} == before
    finally:
        world.close()
