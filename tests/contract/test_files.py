"""Files that operations name: when they are there, for whom, for how long; on both engines."""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any

import orjson
import pytest
from sqlalchemy import delete

from backend.audit.verify import Broken
from backend.files import uploads as limits
from backend.files.shelf import Shelf
from backend.identity import terminals
from backend.kernel.ids import derived
from backend.storage import tables
from headless.chain import b64u, uuid7
from sync.writing.local import Act
from tests.contract.test_talks import marks, talk
from tests.support import recordings, store, tus
from tests.support.caller import Caller, is_problem
from tests.support.hand import Hand
from tests.support.world import FACILITY, World

DAY = 24 * 3_600_000
UNATTACHED = {"code": "attachment.missing", "rule": None}


def as_caller(h: Hand) -> Caller:
    """The same terminal, asking by itself."""
    return Caller(h.world, h.key, getattr(h, "token", None), terminal=h.terminal)


def shelf(world: World) -> Shelf:
    return Shelf(world.settings.data / "files")


def lies(world: World, content: bytes) -> bool:
    """Whether the bytes are where they should be."""
    path = shelf(world).path(FACILITY, hashlib.sha256(content).digest())
    return path.exists() and path.read_bytes() == content


def get(world: World, name: str, content: bytes) -> int:
    """What an officer is answered who asks for a file, on a terminal of his own."""
    return Caller.of(world, name).ask("GET", f"/v1/files/{tus.digest(content)}").status_code


def visit(h: Hand, content: bytes, code: str = "K", area: str = "W") -> dict[str, Any]:
    """A stop on a round with a picture; its outcome."""
    round_, _ = h.open(area)
    h.changes = {"attachments": [tus.digest(content)]}
    h.visit(round_, code)
    h.changes = {}
    return h.told(h.n - 1, h.n)[1]


def named(world: World, content: bytes) -> list[tuple[int, str]]:
    rows = store.rows(world, tables.attachments, digest=hashlib.sha256(content).digest())
    return [(row.n, row.record) for row in rows]


def picture(seed: int = 0) -> bytes:
    """A picture unlike all others."""
    return recordings.picture("JPEG", (16 + seed, 16))


def test_a_file_that_was_there_leaves_no_mark_and_one_that_comes_later_does_not_undo_it(both: World) -> None:
    h, before, after = Hand(both).signed_in("PAT"), picture(), picture(1)
    tus.sent(as_caller(h), before)
    assert visit(h, before)["marks"] == []
    late = visit(h, after)
    assert late["marks"] == [UNATTACHED]
    tus.sent(as_caller(h), after)
    kept = orjson.loads(store.one(both, tables.records, id=late["record"]).body)
    assert kept["marks"] == [UNATTACHED], "true of the moment of its receipt"
    assert [get(both, "PAT", each) for each in (before, after)] == [200, 200]
    assert [leaf["digest"] for leaf in store.leaves(both) if leaf["act"] == "file.stored"] == [
        tus.digest(before), tus.digest(after)
    ]  # fmt: skip
    store.verified(both)


def test_a_file_lies_under_its_digest_for_the_server_alone(both: World) -> None:
    h, content = Hand(both).signed_in("PAT"), picture()
    tus.sent(as_caller(h), content)
    path = shelf(both).path(FACILITY, hashlib.sha256(content).digest())
    assert path.relative_to(both.settings.data).as_posix() == f"files/{FACILITY}/{path.name[:2]}/{path.name}"
    assert path.name == hashlib.sha256(content).hexdigest()
    assert path.stat().st_mode & 0o777 == 0o600
    assert {each.stat().st_mode & 0o777 for each in (path.parent, path.parent.parent, shelf(both).parts)} == {0o700}
    assert list(shelf(both).parts.iterdir()) == []
    row = store.one(both, tables.files)
    assert (row.size, row.type, row.terminal) == (len(content), "image/jpeg", h.terminal)


def test_a_file_is_given_where_a_record_that_names_it_is(both: World) -> None:
    """Ward W and ward V; a leader sees both, an administrator none."""
    h, content = Hand(both).signed_in("PAT"), picture()
    tus.sent(as_caller(h), content)
    assert get(both, "LEAD", content) == 404, "nothing names it yet"
    visit(h, content)
    assert [get(both, name, content) for name in ("PAT", "AUX", "PAT2", "LEAD", "PROC")] == [200, 200, 404, 200, 200]
    assert get(both, "ADM", content) == 403
    other = Hand(both).signed_in("PAT2")
    visit(other, content, "D1", "V")
    assert get(both, "PAT2", content) == 200, "a record of his own names it too"


def test_a_file_of_a_talk_is_for_those_who_are_given_talks(both: World) -> None:
    h, content = Hand(both).signed_in("DISC"), recordings.ogg()
    tus.sent(as_caller(h), content, "audio/ogg")
    h.changes = {"attachments": [tus.digest(content)]}
    assert marks(talk(h)) == []
    assert [get(both, name, content) for name in ("DISC", "LEAD", "PROC")] == [200, 200, 200]
    assert [get(both, name, content) for name in ("PAT", "AUX", "MED")] == [404, 404, 404], "they see the person alone"


def test_a_file_of_a_medical_record_is_given_to_few_and_noted(both: World) -> None:
    h, content = Hand(both).signed_in("PAT"), picture()
    tus.sent(as_caller(h), content)
    record = visit(h, content)["record"]
    store.alter(both, tables.records, {"id": record}, partition=f"person/{both.ids['p1']}/medical")
    medic = Caller.of(both, "MED")
    for method in ("GET", "HEAD"):
        assert medic.ask(method, f"/v1/files/{tus.digest(content)}").status_code == 200
    noted = [leaf for leaf in store.leaves(both) if leaf["act"] == "medical.read"]
    assert [(leaf["officer"], leaf["terminal"]) for leaf in noted] == [(both.ids["MED"], medic.terminal)] * 2
    assert [get(both, name, content) for name in ("PAT", "LEAD")] == [404, 404]


def test_what_does_not_take_effect_shows_no_file_until_it_does(both: World) -> None:
    """Held, rejected and escrowed operations name files, which are kept for them and given to nobody."""
    h, content, other = Hand(both).signed_in("PAT"), picture(), picture(1)
    h.changes = {"attachments": [tus.digest(content)] * 2}
    h.open(after=[uuid7()])
    h.changes = {"attachments": [tus.digest(other)]}
    h.write("patrol.round", "open", uuid7(), {"area": both.ids["W"], "companions": 17})
    assert [each["status"] for each in h.told()] == ["held", "rejected"]
    for each in (content, other):
        tus.sent(as_caller(h), each)
        assert get(both, "LEAD", each) == 404
    assert (named(both, content), named(both, other)) == ([(1, "")], [(2, "")])
    both.clock.advance(8 * DAY)
    assert both.services.tending.tend(FACILITY) >= 0
    assert lies(both, content) and lies(both, other), "an operation names them"
    store.verified(both)


def test_what_comes_out_of_custody_brings_its_file_along(both: World) -> None:
    h, content = Hand(both).signed_in("PAT"), picture()
    tus.sent(as_caller(h), content)
    round_, opening = h.open()
    h.changes = {"attachments": [tus.digest(content)]}
    h.visit(round_, "K", observed_at=h.device.now())
    raw = orjson.loads(h.frames[1][2])
    h.frames.pop()
    h.put(orjson.dumps(raw | {"after": [opening]}))
    h.changes = {}
    assert h.told(2, 2)[0]["status"] == "held"
    assert get(both, "PAT", content) == 404
    assert h.told(1, 1)[0]["status"] == "applied"
    assert get(both, "PAT", content) == 200
    assert named(both, content) == [(2, ""), (2, raw["record"])]
    store.verified(both)


def test_what_is_released_from_escrow_shows_its_file(both: World) -> None:
    h, content = Hand(both).signed_in("PAT"), picture()
    tus.sent(as_caller(h), content)
    terminals.revoke(both.services.door, FACILITY, h.terminal, "test")
    h.changes = {"attachments": [tus.digest(content)]}
    record, op = h.open()
    (outcome,) = h.evacuate().json()["outcomes"]
    assert outcome["status"] == "escrowed"
    assert get(both, "LEAD", content) == 404
    fields = {"op": op, "reason": "为真"}
    (done,) = both.desk("LEAD", Act("escrow", "release", derived(op, "escrow"), fields))
    assert done["status"] == "applied", done
    assert get(both, "LEAD", content) == 200
    assert named(both, content) == [(1, ""), (1, record)]
    store.verified(both)


def test_a_revoked_terminal_hands_in_what_its_operations_name_and_nothing_else(both: World) -> None:
    h, content = Hand(both).signed_in("PAT"), picture()
    terminals.revoke(both.services.door, FACILITY, h.terminal, "test")
    h.changes = {"attachments": [tus.digest(content)]}
    h.open()
    refused = tus.begin(as_caller(h), content)
    assert (refused.status_code, is_problem(refused)) == (403, "terminal.revoked")
    h.evacuate()
    tus.sent(as_caller(h), content)
    assert lies(both, content)
    refused = tus.begin(as_caller(h), picture(1))
    assert (refused.status_code, is_problem(refused)) == (403, "terminal.revoked")


def test_an_operation_that_is_wrapped_again_names_nothing_twice(both: World) -> None:
    h, content = Hand(both).signed_in("PAT"), picture()
    outcome = visit(h, content)
    assert outcome["marks"] == [UNATTACHED]
    for n, _, raw in h.begin_again("restored"):
        h.put(orjson.dumps(orjson.loads(raw) | {"incarnation": 2, "n": n}))
    assert [each["repeats"] for each in h.told()] == [{"incarnation": 1, "n": 1}, {"incarnation": 1, "n": 2}]
    assert named(both, content) == [(2, outcome["record"])]
    store.verified(both)


@pytest.mark.parametrize("what", ["size", "type", "row", "new row", "record", "names", "no names"])
def test_the_verifier_names_what_was_edited_behind_the_servers_back(both: World, what: str) -> None:
    h, content = Hand(both).signed_in("PAT"), picture()
    tus.sent(as_caller(h), content)
    visit(h, content)
    raw = hashlib.sha256(content).digest()
    where = {"facility": FACILITY, "digest": raw}
    store.verified(both)
    with both.services.store.writing() as connection:
        if what == "row":
            connection.execute(delete(tables.files).where(tables.files.c.digest == raw))
        elif what == "no names":
            connection.execute(delete(tables.attachments).where(tables.attachments.c.digest == raw))
        elif what == "new row":
            row = {"size": 1, "type": "image/png", "terminal": "", "stored_at": 1}
            connection.execute(tables.files.insert(), where | row | {"digest": bytes(32)})
    if what in ("size", "type"):
        store.alter(both, tables.files, where, **{"size": {"size": 1}, "type": {"type": "image/png"}}[what])
    elif what == "record":
        store.alter(both, tables.attachments, where, record=both.ids["K"])
    elif what == "names":
        store.alter(both, tables.attachments, where, digest=bytes(32))
    with pytest.raises(Broken, match="file|names"):
        store.verified(both)


# For how long


def test_a_file_that_nothing_names_is_forgotten_after_a_week(both: World) -> None:
    h, content, kept = Hand(both).signed_in("PAT"), picture(), picture(1)
    for each in (content, kept):
        tus.sent(as_caller(h), each)
    visit(h, kept)
    both.clock.advance(7 * DAY - 1)
    assert both.services.tending.tend(FACILITY) == 2, "the two uploads, which had ended"
    assert lies(both, content)
    both.clock.advance(1)
    assert both.services.tending.tend(FACILITY) == 1
    assert (lies(both, content), lies(both, kept)) == (False, True)
    assert [leaf["digest"] for leaf in store.leaves(both) if leaf["act"] == "file.forgotten"] == [tus.digest(content)]
    assert both.services.tending.tend(FACILITY) == 0
    store.verified(both)
    h.signed_in("PAT")
    tus.sent(as_caller(h), content)
    assert lies(both, content), "it may come again"
    store.verified(both)


def test_an_upload_runs_out_after_a_day(both: World) -> None:
    h, content = Hand(both).signed_in("PAT"), picture()
    caller = as_caller(h)
    where = tus.begun(caller, content)
    assert tus.add(caller, where, 0, content[:100]).status_code == 204
    (part,) = shelf(both).parts.iterdir()
    both.clock.advance(DAY - 1)
    assert tus.offset(caller, where) == 100
    both.clock.advance(1)
    for method in ("HEAD", "DELETE"):
        assert tus.ask(caller, method, where).status_code == 404
    assert is_problem(tus.add(caller, where, 100, content[100:])) == "route.unknown"
    assert both.services.tending.tend(FACILITY) == 1
    assert not part.exists() and store.rows(both, tables.uploads) == []
    assert tus.begun(caller, content) != where


def test_bytes_that_no_row_speaks_of_are_entered_when_named_and_go_when_old(both: World) -> None:
    """As a store leaves them that was restored to before they came."""
    h, lost, stray, spoilt = Hand(both).signed_in("PAT"), picture(), picture(1), picture(2)
    visit(h, lost)
    visit(h, spoilt)
    folder = shelf(both)
    for content in (lost, stray, spoilt):
        path = folder.path(FACILITY, hashlib.sha256(content).digest())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"other bytes" if content is spoilt else content)
    assert both.services.tending.tend(FACILITY) == 1
    assert get(both, "PAT", lost) == 200
    assert get(both, "PAT", spoilt) == 404
    assert lies(both, stray)
    old = time.time() - 31 * 24 * 3600
    os.utime(folder.path(FACILITY, hashlib.sha256(stray).digest()), (old, old))
    orphan = folder.parts / f"{uuid7()}.part"
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"x")
    os.utime(orphan, (old, old))
    assert both.services.tending.tend(FACILITY) == 1
    assert not lies(both, stray) and not orphan.exists()
    store.verified(both)


# How much


def test_what_no_operation_names_is_limited(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNNAMED_FILES", 3)
    h = Hand(both).signed_in("PAT")
    caller = as_caller(h)
    contents = [picture(seed) for seed in range(5)]
    tus.sent(caller, contents[0])
    for content in contents[1:3]:
        tus.begun(caller, content)
    refused = tus.begin(caller, contents[3])
    assert (refused.status_code, is_problem(refused)) == (409, "upload.unpromised")
    assert tus.begin(caller, contents[2]).status_code == 201, "that one was begun"
    assert tus.begin(Caller.of(both, "PAT"), contents[3]).status_code == 201, "each terminal has its own measure"
    visit(h, contents[3])
    assert tus.begin(caller, contents[3]).status_code == 201, "now an operation names it"
    monkeypatch.setattr(limits, "UNNAMED_FILES", 99)
    monkeypatch.setattr(limits, "UNNAMED_BYTES", sum(map(len, contents[:3])) + len(contents[4]) - 1)
    assert is_problem(tus.begin(caller, contents[4])) == "upload.unpromised"
    monkeypatch.setattr(limits, "IN_PROGRESS", 3)
    visit(h, contents[4])
    assert is_problem(tus.begin(caller, contents[4])) == "upload.unpromised"


def test_a_full_disk_is_said_before_it_is(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROOM", 2**62)
    response = tus.begin(Caller.of(small, "PAT"), picture())
    assert (response.status_code, orjson.loads(response.data)["code"]) == (503, "server.busy")
    assert response.headers["Retry-After"] == "60"


def test_bytes_that_were_lost_beside_their_row_may_come_again(both: World) -> None:
    h, content = Hand(both).signed_in("PAT"), picture()
    caller = as_caller(h)
    tus.sent(caller, content)
    visit(h, content)
    shelf(both).path(FACILITY, hashlib.sha256(content).digest()).unlink()
    assert get(both, "PAT", content) == 404
    tus.sent(caller, content)
    assert get(both, "PAT", content) == 200
    assert [leaf["act"] for leaf in store.leaves(both)].count("file.stored") == 1
    store.verified(both)


def test_many_files_are_looked_up_at_once(both: World) -> None:
    """More than one statement asks for, in one push."""
    h, content = Hand(both).signed_in("PAT"), picture()
    come = tus.sent(as_caller(h), content)
    for number in range(12):
        named = [b64u(bytes([number, each]) * 16) for each in range(15)]
        h.changes = {"attachments": [*named, come] if number % 2 else [come]}
        h.open()
    assert [each["marks"] for each in h.told()] == [[], [UNATTACHED]] * 6
    assert len(store.rows(both, tables.attachments)) == 12 + 6 * 15
    store.verified(both)


def test_a_digest_that_no_file_can_have_is_missing_for_ever(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    h.open()
    h.changes = {"attachments": ["A" * 42 + "B"]}
    h.open()
    assert [each["marks"] for each in h.told()] == [[], [UNATTACHED]]
    assert store.rows(both, tables.attachments) == []
    store.verified(both)
