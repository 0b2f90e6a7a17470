"""tus 1.0.0 as it is written (https://tus.io/protocols/resumable-upload), and everything that is wrong with an upload."""

from __future__ import annotations

import base64
import hashlib

import orjson
import pytest
from werkzeug.test import TestResponse

from backend.files.types import LARGEST, TYPES
from backend.identity import facilities, terminals
from backend.kernel.framing import MAX_BODY
from backend.storage import tables
from tests.support import recordings, store, tus
from tests.support.caller import NOBODY, Caller, is_problem
from tests.support.hand import Hand
from tests.support.world import FACILITY, World

JPEG = recordings.jpeg()
UPLOADS = "/v1/files/uploads/"
METHODS = ("HEAD", "PATCH", "DELETE")


def told(response: TestResponse) -> tuple[int, str]:
    return response.status_code, is_problem(response)


def made(world: World, seed: int, type_: str = "JPEG") -> bytes:
    return recordings.picture(type_, (16 + seed, 17))


@pytest.fixture
def caller(standing: World) -> Caller:
    """A terminal on which nobody is signed in: it uploads whatever its officers have queued."""
    return Caller.of(standing, NOBODY)


@pytest.fixture
def reader(standing: World) -> Caller:
    """The leader's terminal."""
    return Caller.of(standing, "LEAD")


def attached(world: World, content: bytes, type_: str = "image/jpeg") -> Caller:
    """A patrol officer's terminal with a file, which a round of his names."""
    h = Hand(world).signed_in("PAT")
    there = Caller(world, h.key, h.token, terminal=h.terminal)
    tus.sent(there, content, type_)
    h.changes = {"attachments": [tus.digest(content)]}
    h.open()
    assert [each["marks"] for each in h.told()] == [[]]
    return there


# The protocol


def test_the_server_says_what_it_speaks(caller: Caller) -> None:
    response = caller.ask("OPTIONS", tus.FILES, headers={})
    assert response.status_code == 204
    assert response.headers["Tus-Resumable"] == response.headers["Tus-Version"] == "1.0.0"
    assert response.headers["Tus-Extension"].split(",") == ["creation", "checksum", "expiration", "termination"]
    assert response.headers["Tus-Max-Size"] == str(LARGEST)
    assert response.headers["Tus-Checksum-Algorithm"] == "sha256,sha1"


def test_an_upload_grows_piece_by_piece(caller: Caller) -> None:
    content = made(caller.world, 1)
    response = tus.begin(caller, content)
    assert response.status_code == 201
    where = response.headers["Location"]
    assert (response.headers["Upload-Offset"], response.headers["Tus-Resumable"]) == ("0", "1.0.0")
    assert response.headers["Upload-Expires"] == "Mon, 23 Nov 2026 03:14:15 GMT"
    at = 0
    while at < len(content):
        asked = tus.ask(caller, "HEAD", where)
        assert (asked.status_code, asked.data) == (204, b"")
        assert (asked.headers["Upload-Offset"], asked.headers["Upload-Length"]) == (str(at), str(len(content)))
        assert asked.headers["Cache-Control"] == "no-store"
        piece = content[at : at + 300]
        response = tus.add(caller, where, at, piece, Upload_Checksum=tus.checksum(piece, "sha1"))
        at += len(piece)
        assert (response.status_code, response.headers["Upload-Offset"]) == (204, str(at))
        assert "Upload-Expires" in response.headers
    assert tus.offset(caller, where) == len(content)
    assert store.one(caller.world, tables.files, digest=hashlib.sha256(content).digest()).size == len(content)


def test_a_piece_may_be_larger_than_any_other_body(caller: Caller) -> None:
    content = recordings.FTYP + recordings.film(b"vide") + recordings.box(b"mdat", b"\x11" * (MAX_BODY + 1))
    tus.sent(caller, content, "video/mp4")


@pytest.mark.parametrize("spoken", ["", "0.2.2", "1.0", "1.0.1", "1.0.0 "])
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_another_version_is_not_served(caller: Caller, spoken: str, method: str) -> None:
    content = made(caller.world, 2)
    where = tus.begun(caller, content)
    path, body = (tus.FILES, None) if method == "POST" else (where, content if method == "PATCH" else None)
    response = tus.ask(caller, method, path, body, Tus_Resumable=spoken, Upload_Offset="0")
    if spoken.strip() == "1.0.0":  # HTTP itself takes the space away
        return
    assert told(response) == (412, "upload.version")
    assert response.headers["Tus-Version"] == response.headers["Tus-Resumable"] == "1.0.0"
    assert tus.offset(caller, where) == 0


def test_an_upload_that_was_begun_is_found_again(caller: Caller) -> None:
    content = made(caller.world, 3)
    where = tus.begun(caller, content)
    assert tus.add(caller, where, 0, content[:50]).status_code == 204
    again = tus.begin(caller, content)
    assert (again.headers["Location"], again.headers["Upload-Offset"]) == (where, "50")
    assert orjson.loads(again.data)["offset"] == 50


def test_an_upload_is_thrown_away_on_request(caller: Caller) -> None:
    content = made(caller.world, 4)
    where = tus.begun(caller, content)
    tus.add(caller, where, 0, content[:50])
    assert tus.ask(caller, "DELETE", where).status_code == 204
    assert tus.ask(caller, "HEAD", where).status_code == 404
    assert told(tus.add(caller, where, 50, content[50:])) == (404, "route.unknown")
    assert told(tus.ask(caller, "DELETE", where)) == (404, "route.unknown")


def test_the_digest_may_be_written_in_hexadecimal(caller: Caller) -> None:
    content = made(caller.world, 5)
    said = tus.metadata(digest=hashlib.sha256(content).hexdigest(), filetype="image/jpeg", filename="../../etc/passwd")
    response = tus.begin(caller, content, Upload_Metadata=said)
    assert response.status_code == 201
    assert tus.begun(caller, content) == response.headers["Location"]


# Offsets, lengths, sums


def test_a_piece_for_another_place_is_refused_and_told_where_it_stands(caller: Caller) -> None:
    content = made(caller.world, 6)
    where = tus.begun(caller, content)
    tus.add(caller, where, 0, content[:50])
    for offset in (0, 49, 51, len(content), 10**11):
        response = tus.add(caller, where, offset, content[50:])
        assert told(response) == (409, "upload.offset")
        assert orjson.loads(response.data)["detail"] == {"offset": 50}
    assert tus.offset(caller, where) == 50


@pytest.mark.parametrize("offset", ["", "-1", "+1", "1.0", "0x1", "١", "9" * 13, "1 1", "nan"])
def test_an_offset_is_a_number(caller: Caller, offset: str) -> None:
    content = made(caller.world, 7)
    response = tus.ask(caller, "PATCH", tus.begun(caller, content), content, Upload_Offset=offset)
    assert told(response) == (422, "field.invalid")


def test_more_bytes_than_promised_are_refused(caller: Caller) -> None:
    content = made(caller.world, 8)
    where = tus.begun(caller, content)
    assert told(tus.add(caller, where, 0, content + b"x")) == (413, "body.too_large")
    tus.add(caller, where, 0, content)
    assert told(tus.add(caller, where, len(content), b"x")) == (413, "body.too_large")


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_a_piece_with_a_wrong_sum_is_not_kept(caller: Caller, algorithm: str) -> None:
    content = made(caller.world, 9)
    where = tus.begun(caller, content)
    sum_ = tus.checksum(b"other bytes", algorithm)
    for piece in (content[:100], content):
        assert told(tus.add(caller, where, 0, piece, Upload_Checksum=sum_)) == (460, "upload.checksum")
        assert tus.offset(caller, where) == 0
    right = tus.checksum(content, algorithm)
    assert tus.add(caller, where, 0, content, Upload_Checksum=right).status_code == 204
    tus.ask(caller, "DELETE", where)


@pytest.mark.parametrize(
    "sum_",
    ["md5 1B2M2Y8AsgTpgAmY7PhCfg==", "sha256", "sha256 x", "sha256 AAAA", "sha1 " + "A" * 44, "SHA256 x", " ", "é x"],
)
def test_a_sum_that_cannot_be_meant_is_refused(caller: Caller, sum_: str) -> None:
    content = made(caller.world, 10)
    response = tus.add(caller, tus.begun(caller, content), 0, content, Upload_Checksum=sum_)
    assert told(response) == (400, "request.malformed")


def test_a_piece_has_its_own_content_type(caller: Caller) -> None:
    content = made(caller.world, 11)
    where = tus.begun(caller, content)
    headers = caller.headers("PATCH", where) | {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
    for other in ("application/json", "application/octet-stream", "multipart/form-data; boundary=x"):
        response = caller.ask("PATCH", where, content, headers, content_type=other)
        assert told(response) == (415, "type.unsupported")


# What is promised


@pytest.mark.parametrize("size", ["", "0", "-1", "1e3", "٣", "9" * 13])
def test_a_length_is_a_number_of_bytes(caller: Caller, size: str) -> None:
    assert told(tus.begin(caller, JPEG, Upload_Length=size)) == (422, "field.invalid")


@pytest.mark.parametrize("type_", TYPES)
def test_each_type_has_its_measure(caller: Caller, type_: str) -> None:
    most = TYPES[type_].most
    response = tus.begin(caller, type_.encode(), type_, Upload_Length=str(most + 1))
    assert told(response) == (413, "file.too_large")
    assert orjson.loads(response.data)["detail"] == {"limit": most}
    response = tus.begin(caller, type_.encode(), type_, Upload_Length=str(most))
    assert response.status_code in (201, 409), "409: several of the largest are too much at once"


@pytest.mark.parametrize(
    "type_", ["", "image/gif", "text/html", "application/zip", "IMAGE/JPEG", "image/jpeg; x=1", "图"]
)
def test_other_types_are_refused_at_once(caller: Caller, type_: str) -> None:
    assert told(tus.begin(caller, JPEG, type_)) == (415, "file.type")


_DIGEST = base64.b64encode(tus.digest(JPEG).encode()).decode()


@pytest.mark.parametrize("metadata, answer", [
    ("", (422, "field.invalid")),
    ("digest", (422, "field.invalid")),
    (tus.metadata(digest="A" * 43 + "=", filetype="image/jpeg"), (422, "field.invalid")),
    (tus.metadata(digest="A" * 42 + "B", filetype="image/jpeg"), (422, "field.invalid")),
    (tus.metadata(digest="z" * 64, filetype="image/jpeg"), (422, "field.invalid")),
    (tus.metadata(digest="../../../etc/passwd" + "x" * 24, filetype="image/jpeg"), (422, "field.invalid")),
    (tus.metadata(digest=" " * 43, filetype="image/jpeg"), (422, "field.invalid")),
    (tus.metadata(digest=" " * 64, filetype="image/jpeg"), (422, "field.invalid")),
    (tus.metadata(digest="a" * 63 + " ", filetype="image/jpeg"), (422, "field.invalid")),
    (tus.metadata(filetype="image/jpeg"), (422, "field.invalid")),
    (tus.metadata(digest=tus.digest(JPEG)), (415, "file.type")),
    (f"digest {_DIGEST},digest {_DIGEST}", (400, "request.malformed")),
    ("digest ***", (400, "request.malformed")),
    ("digest /w==", (400, "request.malformed")),
    (f"digest {_DIGEST},x " + "A" * 2000, (400, "request.malformed")),
    (f" {_DIGEST}, ,", (400, "request.malformed")),
], ids=lambda value: str(value)[:40])  # fmt: skip
def test_what_is_said_of_a_file_is_read_strictly(caller: Caller, metadata: str, answer: tuple[int, str]) -> None:
    assert told(tus.begin(caller, JPEG, Upload_Metadata=metadata)) == answer


def test_no_name_ever_becomes_a_path(caller: Caller) -> None:
    """Wherever a name could be given it is passed over, refused, or not there."""
    content = made(caller.world, 12)
    said = tus.metadata(
        digest=tus.digest(content), filetype="image/jpeg", filename="../../x", name="/etc/passwd", path="a\0b"
    )
    where = tus.begin(caller, content, Upload_Metadata=said).headers["Location"]
    tus.add(caller, where, 0, content)
    folder = caller.world.settings.data
    names = [path.name for path in folder.rglob("*")]
    assert not any("passwd" in name or name == "x" for name in names)
    for path in ("..%2f..%2fkeys%2fhead.pem", "....//", "%00", "x" * 43, tus.digest(content) + "%2e", "../audit/head"):
        reader = Caller.of(caller.world, "LEAD")
        response = reader.ask("GET", f"/v1/files/{path}")
        assert response.status_code in (401, 404), path  # 401: the proof named the path as it was written
        assert b"PRIVATE" not in response.data
    for path in ("..%2f..%2fx", "0" * 36, "x"):
        assert tus.ask(caller, "PATCH", f"{UPLOADS}{path}", b"x", Upload_Offset="0").status_code in (401, 404, 405)


# What comes


def test_other_bytes_than_promised_are_thrown_away(caller: Caller) -> None:
    content = made(caller.world, 13)
    where = tus.begun(caller, content)
    assert told(tus.add(caller, where, 0, bytes(len(content)))) == (422, "file.digest")
    assert tus.ask(caller, "HEAD", where).status_code == 404
    assert store.rows(caller.world, tables.files, digest=hashlib.sha256(content).digest()) == []
    tus.sent(caller, content)


@pytest.mark.parametrize("name", recordings.RIGHT)
def test_every_type_comes_through(caller: Caller, name: str) -> None:
    make, type_ = recordings.RIGHT[name]
    content = make()
    tus.sent(caller, content, type_)
    assert store.one(caller.world, tables.files, digest=hashlib.sha256(content).digest()).type == type_


@pytest.mark.parametrize("content, type_, answer", [
    (b"<html><script>alert(1)</script>", "image/jpeg", (415, "file.type")),
    (recordings.png(), "image/jpeg", (415, "file.type")),
    (recordings.webm(2), "video/webm", (415, "file.type")),
    (recordings.archive(), "application/pdf", (415, "file.type")),
    (recordings.jpeg() + recordings.archive(), "image/jpeg", (422, "file.unsafe")),
    (recordings.pdf() + b"<script>", "application/pdf", (422, "file.unsafe")),
    (recordings.png() + b"tail", "image/png", (422, "file.unsafe")),
], ids=range(7))  # fmt: skip
def test_what_a_file_is_not_it_is_not_taken_for(
    caller: Caller, content: bytes, type_: str, answer: tuple[int, str]
) -> None:
    where = tus.begun(caller, content, type_)
    response = tus.add(caller, where, 0, content)
    assert told(response) == answer
    assert tus.ask(caller, "HEAD", where).status_code == 404
    assert store.rows(caller.world, tables.files, terminal=caller.terminal) == []


# Who


def test_without_a_proof_nothing_is_served(standing: World) -> None:
    nobody = Caller(standing)
    for method in METHODS:
        response = nobody.ask(method, f"{UPLOADS}{standing.ids['W']}", headers={"Tus-Resumable": "1.0.0"})
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == 'DPoP algs="ES256"'
    assert told(tus.begin(nobody, JPEG)) == (401, "terminal.unknown")


def test_an_upload_is_its_terminal_s_alone(standing: World, caller: Caller) -> None:
    content = made(standing, 14)
    where = tus.begun(caller, content)
    other = Caller.of(standing, "LEAD")
    assert tus.ask(other, "HEAD", where).status_code == 404
    assert told(tus.add(other, where, 0, content)) == (404, "route.unknown")
    assert told(tus.ask(other, "DELETE", where)) == (404, "route.unknown")
    assert tus.offset(caller, where) == 0
    assert tus.begun(other, content) != where


def test_a_head_is_proven_as_a_head(caller: Caller) -> None:
    content = made(caller.world, 15)
    where = tus.begun(caller, content)
    headers = {"DPoP": caller.dpop("GET", where), "Tus-Resumable": "1.0.0"}
    assert caller.ask("HEAD", where, headers=headers).status_code == 401


def test_another_facility_sees_nothing(small: World) -> None:
    content = made(small, 16)
    attached(small, content)
    facilities.found(small.services.door, "OTHER", "另一看守所", "KSS", small.services.keyring.head)
    code = terminals.make_code(small.services.door, "OTHER", "test")[0]
    stranger = Hand(small, code=code)
    other = Caller(small, stranger.key, terminal=stranger.terminal)
    assert tus.begin(other, content).headers["Upload-Offset"] == "0"
    tus.sent(other, content)
    rows = store.rows(small, tables.files)
    assert [row.facility for row in rows] == ["OTHER", FACILITY]


def test_a_session_of_the_past_is_given_no_file(small: World) -> None:
    content = made(small, 17)
    there = attached(small, content)
    path = f"/v1/files/{tus.digest(content)}"
    assert there.ask("GET", path).status_code == 200
    there.ask("DELETE", "/v1/sessions/current")
    assert there.ask("GET", path).status_code == 401
    response = Caller(small, there.key).ask("GET", path)
    assert told(response) == (401, "session.missing")


# Out


def test_a_file_is_given_as_a_download_that_does_nothing(standing: World, reader: Caller) -> None:
    content = made(standing, 18)
    attached(standing, content)
    path = f"/v1/files/{tus.digest(content)}"
    response = reader.ask("GET", path)
    assert (response.status_code, response.data) == (200, content)
    name = hashlib.sha256(content).hexdigest()[:16]
    expected = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f'attachment; filename="{name}.jpg"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Roundsman-File-Type": "image/jpeg",
        "ETag": f'"{tus.digest(content)}"',
    }
    assert {key: response.headers[key] for key in expected} == expected
    head = reader.ask("HEAD", path)
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", str(len(content)))


@pytest.mark.parametrize("span, first, last", [("0-9", 0, 10), ("100-", 100, None), ("-7", -7, None), ("5-5", 5, 6)])
def test_a_part_of_a_file(standing: World, reader: Caller, span: str, first: int, last: int | None) -> None:
    content = made(standing, 19)
    attached(standing, content)
    path = f"/v1/files/{tus.digest(content)}"
    response = reader.ask("GET", path, headers=reader.headers("GET", path) | {"Range": f"bytes={span}"})
    assert (response.status_code, response.data) == (206, content[first:last])
    wrong = reader.ask("GET", path, headers=reader.headers("GET", path) | {"Range": "bytes=99999999-"})
    assert told(wrong) == (416, "range.invalid")
    assert wrong.headers["Content-Range"] == f"bytes */{len(content)}"


def test_what_is_not_there_and_what_is_not_for_him_look_alike(standing: World) -> None:
    content = made(standing, 20)
    attached(standing, content)
    other = Caller.of(standing, "PAT2")
    paths = [f"/v1/files/{name}" for name in (tus.digest(content), tus.digest(b"nothing"), "short", "A" * 42 + "B")]
    answers = [other.ask("GET", path) for path in paths]
    assert {(each.status_code, each.data) for each in answers} == {(404, answers[0].data)}
    assert told(answers[0]) == (404, "route.unknown")


def test_bytes_that_are_gone_are_not_there(small: World) -> None:
    content = made(small, 21)
    there = attached(small, content)
    digest = hashlib.sha256(content).hexdigest()
    (small.settings.data / "files" / FACILITY / digest[:2] / digest).unlink()
    assert told(there.ask("GET", f"/v1/files/{tus.digest(content)}")) == (404, "route.unknown")
