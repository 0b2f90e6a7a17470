"""Evidence bundles: what is in them, and that whatever is changed in one is named without the installation."""

from __future__ import annotations

import io
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from backend.audit.evidence import layout
from backend.audit.evidence.scope import Scope
from backend.audit.evidence.verify import pin_of, verify
from backend.identity.rotation import rotate
from backend.kernel.ids import derived
from backend.kernel.keys import SigningKey
from backend.storage import tables
from headless.chain import uuid7
from tests.contract.test_audit_everything import HISTORY
from tests.support import histories, store, tus
from tests.support.caller import Caller
from tests.support.chance import tries
from tests.support.evidence import bundle, change, rows, said
from tests.support.hand import Hand
from tests.support.histories import History
from tests.support.world import FACILITY, World

ALL = Scope("all")
AFTERWARDS = "was changed since the bundle was made"
"""What is named where only the server's signature shows a change."""


def brings_a_file(here: History) -> None:
    """A photograph of a visit that has come, and one that has not."""
    content = io.BytesIO()
    Image.new("RGB", (2, 2)).save(content, "PNG")
    hand = here.hands[0]
    hand.open(attachments=[tus.digest(content.getvalue()), tus.digest(b"never sent")])
    here.push(hand, hand.n)
    tus.sent(Caller(here.world, hand.key, hand.token), content.getvalue(), "image/png")


def rotates_the_key(here: History) -> None:
    rotate(here.world.services.door, here.world.services.keyring.heads)


def is_released(here: History) -> None:
    """A leader's word on what is in escrow."""
    op = store.rows(here.world, tables.operations, status="escrowed")[0].op
    leader = Hand(here.world).signed_in("LEAD")
    leader.write("escrow", "release", derived(op, "escrow"), {"op": op, "reason": "已核实"})
    assert leader.told()[0]["status"] == "applied"


LIFE = (
    *HISTORY, brings_a_file, rotates_the_key, histories.walks, is_released, histories.forks, histories.walks,
)  # fmt: skip


def lives(world: World) -> World:
    History(world, "lived").do(*LIFE)
    store.verified(world)
    return world


@pytest.fixture(scope="module")
def lived(templates: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A facility in which everything has happened; tests read it alone."""
    with templates.world("sqlite", tmp_path_factory.mktemp("lived")) as made:
        yield lives(made)


@pytest.fixture(scope="module")
def whole(lived: World) -> Path:
    return bundle(lived, ALL, "whole")


def forked_terminal(world: World) -> str:
    return str(store.rows(world, tables.forks)[0].terminal)


@pytest.fixture(scope="module")
def parts(lived: World) -> dict[str, Path]:
    """Bundles of less than everything."""
    moment = lived.clock.now() - 60_000
    scopes = {
        "terminal": Scope("terminal", forked_terminal(lived)),
        "person": Scope("person", lived.ids["p1"]),
        "since": Scope("period", since=moment),
        "until": Scope("period", since=0, until=moment),
    }
    return {name: bundle(lived, scope, name) for name, scope in scopes.items()}


def test_on_either_engine_a_bundle_holds_what_the_store_does(both: World) -> None:
    lives(both)
    for scope in (ALL, Scope("terminal", forked_terminal(both)), Scope("person", both.ids["p1"]),
                  Scope("period", since=both.clock.now() - 60_000)):  # fmt: skip
        path = bundle(both, scope, scope.kind)
        held = verify(path, both.services.keyring.head.thumbprint)
        state = store.one(both, tables.facilities)
        assert (held.facility, held.epoch, held.size) == (FACILITY, state.epoch, state.size)
        leaf = store.leaves(both)[-1]
        assert (leaf["act"], leaf["officer"], leaf["reason"]) == ("evidence.exported", both.ids["AUD"], "检察机关调取")
        assert (leaf["scope"], leaf["export"]) == (scope.facts(), held.export)
        told = rows(path, "SELECT body FROM leaves WHERE act = 'evidence.exported'")
        assert [body for (body,) in told if held.export in body] == [orjson.dumps(leaf).decode()]
        if scope == ALL:
            kept = {"leaves": tables.leaves, "operations": tables.operations, "receipts": tables.holds,
                    "forks": tables.forks, "witnesses": tables.witnesses, "officers": tables.officers}  # fmt: skip
            for name, table in kept.items():
                assert rows(path, f"SELECT count(*) FROM {name}") == [(len(store.rows(both, table)),)], name
            versions = len(store.rows(both, tables.records)) + len(store.rows(both, tables.versions))
            assert (held.leaves, held.versions) == (len(store.rows(both, tables.leaves)), versions)


def test_the_history_is_one_that_fills_every_table(whole: Path) -> None:
    for name in layout.SHEETS:
        assert rows(whole, f"SELECT count(*) FROM {name}")[0][0], name
    assert {row[0] for row in rows(whole, "SELECT DISTINCT status FROM operations")} >= {
        "applied", "held", "quarantined", "conflict", "escrowed",
    }  # fmt: skip
    assert len(rows(whole, "SELECT * FROM keys")) == 3, "two rotations"
    assert {(None,), ("image/png",)} <= set(rows(whole, "SELECT type FROM files"))


def test_every_table_and_column_is_described_in_the_file_itself(whole: Path) -> None:
    described = {(table, column) for table, column in rows(whole, 'SELECT name, "column" FROM tables')}
    found = set()
    for (name,) in rows(whole, "SELECT name FROM sqlite_master WHERE type = 'table'"):
        found |= {(name, ""), *((name, row[1]) for row in rows(whole, f"PRAGMA table_info({name})"))}
    assert described == found
    assert rows(whole, "SELECT count(*) FROM tables WHERE length(meaning) < 3") == [(0,)]


def changed(value: Any) -> Any:
    if value is None:
        return "x"
    return value + {int: 1_000_003, str: "x", bytes: b"x"}[type(value)]


def damages(path: Path) -> Iterator[tuple[str, str, str, tuple[Any, ...]]]:
    """(table, column, statement, values): each column of a row of each table, and of one where it is null."""
    for name, sheet in layout.SHEETS.items():
        for column in sheet.columns:
            for is_ in ("IS NOT NULL", "IS NULL"):
                # Not the first row: it is the most ordinary one.
                found = rows(
                    path, f'SELECT rowid, "{column}" FROM {name} WHERE "{column}" {is_} ORDER BY rowid DESC LIMIT 1'
                )
                for at, value in found:
                    statement = f'UPDATE {name} SET "{column}" = ? WHERE rowid = ?'
                    yield name, column, statement, (changed(value), at)


def named(path: Path, statement: str, *values: Any) -> str:
    """What the verifier says of a bundle in which something was changed."""
    copy = path.with_name("copy")
    shutil.copyfile(path, copy)
    change(copy, statement, *values)
    return said(copy)


def test_whatever_is_changed_in_a_whole_bundle_is_named_and_what_is_proven_needs_no_seal(whole: Path) -> None:
    told = {(name, column): named(whole, statement, *values) for name, column, statement, values in damages(whole)}
    assert {key: text for key, text in told.items() if text.startswith("holds")} == {}
    by_seal = {key for key, text in told.items() if AFTERWARDS in text}
    stated = {
        (name, column) for name, sheet in layout.SHEETS.items() for column, each in sheet.columns.items()
        if each.standing == layout.STATED
    }  # fmt: skip
    assert by_seal <= stated
    assert stated - by_seal == {("chains", "last_n"), ("chains", "top_n")}, "which a whole chain proves"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["terminal", "person", "since", "until"])
def test_whatever_is_changed_in_a_part_is_named(parts: dict[str, Path], name: str) -> None:
    told = {each[:2]: named(parts[name], each[2], *each[3]) for each in damages(parts[name])}
    assert {key: text for key, text in told.items() if text.startswith("holds")} == {}


def test_a_row_that_is_taken_out_of_a_whole_bundle_is_missed(whole: Path) -> None:
    unmissed = set()
    for name in layout.SHEETS:
        (at,) = rows(whole, f"SELECT rowid FROM {name} ORDER BY rowid DESC LIMIT 1")[0]
        text = named(whole, f"DELETE FROM {name} WHERE rowid = ?", at)
        assert not text.startswith("holds"), name
        if AFTERWARDS in text:
            unmissed.add(name)
    assert unmissed == {"officers"}


def test_a_row_that_is_put_in_is_seen(whole: Path) -> None:
    for name, sheet in layout.SHEETS.items():
        key = sheet.key[-1]
        columns = ", ".join(f'"{each}"' for each in sheet.columns)
        new = ", ".join(f'"{each}" || 9' if each == key else f'"{each}"' for each in sheet.columns)
        statement = f"INSERT INTO {name} ({columns}) SELECT {new} FROM {name} ORDER BY rowid DESC LIMIT 1"
        assert not named(whole, statement).startswith("holds"), name


LAST, LOST = "(SELECT max(rowid) FROM chains)", "has a leaf, but the bundle has it not"
FORGERIES = {
    "numbers are turned": ("UPDATE operations SET n = -n", LOST),
    "an outcome is made good": (
        "UPDATE operations SET status = 'applied' WHERE status = 'quarantined'", "differs from its leaf"),
    "a log is cut": (
        "DELETE FROM leaves WHERE epoch = 2 AND position > 20", "leaves in the bundle, its head"),
    "a leaf in the middle goes": (
        "DELETE FROM leaves WHERE epoch = 1 AND position = 7", "leaf 7 of epoch 1 is missing"),
    "the last leaf is written anew": (
        "UPDATE leaves SET body = body || ' ' WHERE rowid = (SELECT max(rowid) FROM leaves)", "do not come to the root"),
    "an epoch is forgotten": ("DELETE FROM heads WHERE epoch = 1", "lies beyond the log"),
    "an epoch ends elsewhere": (
        "UPDATE heads SET size = size + 1 WHERE epoch = 1", "leaves in the bundle, its head"),
    "a terminal's key is another": (
        f"UPDATE chains SET jwk = (SELECT jwk FROM keys LIMIT 1) WHERE rowid = {LAST}", "another key than its thumbprint"),
    "the reason is another": ("UPDATE about SET value = 'x' WHERE name = 'reason'", "another reason of its export"),
    "it is said to be of less": (
        "UPDATE about SET value = '{\"kind\":\"person\"}' WHERE name = 'scope'", "has no proof"),
    "who took it is another": ("UPDATE about SET value = 'x' WHERE name = 'officer'", "another officer of its export"),
    "a description is another": (
        "UPDATE tables SET meaning = 'x' WHERE name = 'leaves' AND \"column\" = 'at'", "the description of leaves.at"),
    "who confirmed is another": (
        "UPDATE confirmations SET officer = (SELECT value FROM about WHERE name = 'officer')", "differs from its leaf"),
    "what was confirmed is another": ("UPDATE confirmations SET digest = session", "differs from its leaf"),
    "a confirmation goes": ("DELETE FROM confirmations", LOST),
    "an officer held other posts": ("UPDATE postings SET posts = 'DIR' WHERE posts <> 'DIR'", "differs from its leaf"),
    "posts that were taken away go": (
        "DELETE FROM postings WHERE rowid = (SELECT max(rowid) FROM postings)", LOST),
    "a factor was never taken away": (
        "UPDATE factors SET removed_at = NULL, removed_epoch = NULL, removed_leaf = NULL", LOST),
    "an officer's name is another": ("UPDATE officers SET name = 'x'", f"table officers {AFTERWARDS}"),
}  # fmt: skip


def test_forgeries_are_named_for_what_they_are(whole: Path) -> None:
    told = {name: named(whole, statement) for name, (statement, _) in FORGERIES.items()}
    assert {name: text for name, text in told.items() if FORGERIES[name][1] not in text} == {}


def test_a_bundle_of_another_server_is_none_of_this_one_s(whole: Path, lived: World, tmp_path: Path) -> None:
    """Everything signed anew by another key: only who knows the server's key can tell, and is told so."""
    heads = lived.services.keyring.heads
    first, *_, newest = (link.jwk for link in heads.chain(FACILITY))
    for jwk in (first, newest):
        assert verify(whole, pin_of(orjson.dumps(jwk).decode())).key == lived.services.keyring.head.thumbprint
    other = SigningKey.generate()
    assert "has not led to" in said(whole, other.thumbprint)
    forged = tmp_path / "forged"
    shutil.copyfile(whole, forged)
    newest_head = rows(whole, "SELECT signed FROM heads ORDER BY epoch DESC LIMIT 1")[0][0]
    payload = orjson.loads(tus.base64.urlsafe_b64decode(newest_head.split(".")[1] + "=="))
    head = other.sign({"typ": "roundsman-head+jwt", "kid": other.thumbprint}, payload)
    change(forged, "UPDATE heads SET signed = ? WHERE signed IS NOT NULL", head)
    assert said(forged) == "a head's signature is not the server's"


@pytest.mark.parametrize("statement", [
    "DROP TABLE officers", "ALTER TABLE officers ADD COLUMN more TEXT", "CREATE TABLE more (x)",
    "CREATE TRIGGER t AFTER INSERT ON leaves BEGIN SELECT 1; END", "DROP VIEW newest", "CREATE VIEW v AS SELECT 1",
    "ALTER TABLE leaves RENAME COLUMN at TO als",
])  # fmt: skip
def test_a_file_that_is_laid_out_otherwise_is_no_bundle(whole: Path, tmp_path: Path, statement: str) -> None:
    copy = tmp_path / "copy"
    shutil.copyfile(whole, copy)
    with closing(sqlite3.connect(copy)) as file:
        file.execute(statement)
    assert "not laid out as a bundle" in said(copy)


def test_what_is_no_database_is_no_bundle(whole: Path, tmp_path: Path) -> None:
    assert said(tmp_path / "none").startswith("there is no file")
    path = tmp_path / "file"
    for content in (b"", b"not a database at all", whole.read_bytes()[:1000], b"SQLite format 3\0" + b"\xff" * 5000):
        path.write_bytes(content)
        assert not said(path).startswith("holds")
    path.write_bytes(whole.read_bytes()[:-8192])
    assert not said(path).startswith("holds")
    path.write_bytes(whole.read_bytes().replace("测试看守所".encode(), b"\xff" * 15))
    assert not said(path).startswith("holds"), "text that is none"


def test_a_part_holds_what_it_is_of_and_nothing_of_others(lived: World, parts: dict[str, Path]) -> None:
    terminal, p1, p4 = forked_terminal(lived), lived.ids["p1"], lived.ids["p4"]
    of = parts["terminal"]
    sent = [(row.incarnation, row.n) for row in store.rows(lived, tables.operations, terminal=terminal)]
    assert rows(of, "SELECT incarnation, n FROM operations WHERE terminal = ? ORDER BY 1, 2", terminal) == sent
    assert rows(of, "SELECT count(*) FROM forks") == [(len(store.rows(lived, tables.forks, terminal=terminal)),)]
    of = parts["person"]
    kept = {row.id for row in store.rows(lived, tables.records) if row.partition.startswith(f"person/{p1}/")}
    assert {record for (record,) in rows(of, "SELECT record FROM versions")} >= kept
    assert rows(of, "SELECT count(*) FROM versions WHERE record = ?", p4) == [(0,)]
    assert rows(of, "SELECT count(*) FROM operations WHERE instr(raw, ?)", p4.encode()) == [(0,)]
    every = set(rows(bundle(lived, ALL, "later"), "SELECT act, body FROM leaves"))
    halves = [set(rows(parts[name], "SELECT act, body FROM leaves")) for name in ("until", "since")]
    assert {act for act, _ in every - halves[0] - halves[1]} == {"evidence.exported"}, "those that came after"


def test_a_word_on_a_terminal_s_escrow_is_in_its_bundle(lived: World) -> None:
    escrowed = store.rows(lived, tables.operations, status="escrowed")[0]
    path = bundle(lived, Scope("terminal", escrowed.terminal), "escrowed")
    words = rows(path, "SELECT state FROM newest WHERE kind = 'escrow' AND record = ?", derived(escrowed.op, "escrow"))
    assert words == [("released",)]
    assert (escrowed.op,) in rows(path, "SELECT op FROM escrowed")


def test_views_answer_what_is_often_asked(whole: Path) -> None:
    for name in layout.VIEWS:
        assert rows(whole, f"SELECT count(*) FROM {name}")[0][0] > 0, name


def command(world: World, *words: str) -> tuple[int, str]:
    done = world.app.test_cli_runner().invoke(args=["audit", *words])
    return done.exit_code, done.output


def test_the_console_exports_and_verifies(both: World, tmp_path: Path) -> None:
    target = tmp_path / "out" / "case.sqlite3"
    target.parent.mkdir()
    by = ("--facility", FACILITY, "--reason", "检察机关调取", "--by", "AUD")
    code, output = command(both, "export", str(target), "--person", both.ids["p1"], *by)
    assert (code, "Traceback" in output) == (0, False), output
    assert target.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in target.parent.iterdir()] == ["case.sqlite3"]
    leaf = store.leaves(both)[-1]
    who = (leaf["officer"], leaf["session"], leaf["terminal"])
    assert (leaf["act"], who) == ("evidence.exported", (both.ids["AUD"], None, None))
    code, output = command(both, "verify", str(target))
    assert code == 0 and "holds" in output and both.services.keyring.head.thumbprint in output
    change(target, "UPDATE versions SET body = body || ' '")
    code, output = command(both, "verify", str(target))
    assert code == 1 and "BROKEN: version 1 of record" in output
    code, output = command(both, "export", str(target), "--all", *by)
    assert code == 1 and "already" in output


@pytest.mark.parametrize("words, why", [
    ((), "name one"), (("--all", "--person", "x"), "name one"), (("--person", "nobody"), "has not"),
    (("--terminal", str(uuid7())), "has not"), (("--since", "yesterday"), "RFC 3339"),
    (("--since", "2026-11-22T00:00:00.000Z", "--until", "2026-11-21T00:00:00.000Z"), "ends before"),
])  # fmt: skip
def test_the_console_says_what_is_wrong_and_leaves_nothing(small: World, words: tuple[str, ...], why: str) -> None:
    target = small.folder / "none"
    before = len(store.leaves(small))
    by = ("--facility", FACILITY, "--reason", "r", "--by", "AUD")
    code, output = command(small, "export", str(target), *words, *by)
    assert code == 1 and why in output and "Traceback" not in output, output
    assert not target.exists() and len(store.leaves(small)) == before


@pytest.mark.parametrize("facility, by, reason, why", [
    ("NONE", "AUD", "r", "no facility"), (FACILITY, "nobody", "r", "no officer"), (FACILITY, "PAT", "r", "may not"),
    (FACILITY, "AUD", " ", "reason"), (FACILITY, "AUD", "r" * 501, "reason"),
])  # fmt: skip
def test_the_console_asks_who_and_why(small: World, facility: str, by: str, reason: str, why: str) -> None:
    target = small.folder / "none"
    code, output = command(
        small, "export", str(target), "--all", "--facility", facility, "--by", by, "--reason", reason
    )
    assert code == 1 and why in output and not target.exists(), output


def test_a_bundle_is_verified_without_an_installation(whole: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "backend.audit.evidence"]
    root = Path(__file__).parents[2]
    environ = {"PATH": "", "PYTHONPATH": str(root)}
    done = subprocess.run([*line, str(whole)], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "holds" in done.stdout and "compare it" in done.stdout, done.stderr
    wrong = ["--key", SigningKey.generate().thumbprint]
    done = subprocess.run(
        [*line, str(whole), *wrong], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "has not led to" in done.stdout) == (1, True)
    assert list(tmp_path.iterdir()) == [], "it writes nothing"


@pytest.mark.slow
@tries(4)
@given(seed=st.integers(0, 2**32))
def test_whatever_has_happened_every_part_of_it_holds(seed: int, tmp_path_factory: Any, templates: Any) -> None:
    with templates.world("sqlite", tmp_path_factory.mktemp("history")) as world:
        History(world, str(seed)).play(20)
        middle = world.clock.now() - 120_000
        terminals = sorted({row.terminal for row in store.rows(world, tables.operations)})
        scopes = [ALL, Scope("period", since=middle), Scope("period", since=0, until=middle)]
        scopes += [Scope("person", world.ids[name]) for name in ("p1", "p4")]
        scopes += [Scope("terminal", terminal) for terminal in terminals]
        for at, scope in enumerate(scopes):
            assert said(bundle(world, scope, str(at))).startswith("holds"), (seed, scope)
