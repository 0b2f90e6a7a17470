"""What a file is, by its content; and every trick by which it would be two things, or more than it shows."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest

from backend.files.checks.whole import media_type
from backend.files.types import TYPES
from backend.kernel.problems import Problem
from tests.support import recordings as made
from tests.support.recordings import EBML, FTYP, RIGHT, box, cluster, element, header_of, png_of, tracks


def verdict(folder: Path, content: bytes) -> str:
    """The media type, or the reason for which it is refused."""
    path = folder / "file"
    path.write_bytes(content)
    try:
        return media_type(path)
    except Problem as problem:
        return str(problem.detail.get("reason", problem.code))


@pytest.mark.parametrize("name", RIGHT)
def test_what_devices_make_is_taken_for_what_it_is(tmp_path: Path, name: str) -> None:
    make, type_ = RIGHT[name]
    assert verdict(tmp_path, make()) == type_
    assert type_ in TYPES


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("tail", [b"\0", b"<script>alert(1)</script>", b"MZ\x90\0\3", b"%PDF-1.4"], ids=repr)
def test_bytes_behind_the_end_are_refused(tmp_path: Path, name: str, tail: bytes) -> None:
    assert verdict(tmp_path, RIGHT[name][0]() + tail) in ("trailing", "structure")


@pytest.mark.parametrize("name", RIGHT)
def test_an_archive_behind_the_end_is_refused_as_one(tmp_path: Path, name: str) -> None:
    assert verdict(tmp_path, RIGHT[name][0]() + made.archive()) == "archive"


@pytest.mark.parametrize("name", RIGHT)
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, name: str) -> None:
    content = RIGHT[name][0]().rstrip(b"\r\n") if name.startswith("pdf") else RIGHT[name][0]()
    for size in {len(content) - 1, len(content) - 5, len(content) // 2, 40, 12, 1}:
        assert verdict(tmp_path, content[:size]) in ("structure", "trailing", "file.type"), size


@pytest.mark.parametrize("name", RIGHT)
def test_whatever_is_changed_in_a_file_is_judged_and_no_fault(tmp_path: Path, name: str) -> None:
    chance, content = random.Random(name), RIGHT[name][0]()
    for _ in range(150):
        broken = bytearray(content)
        for _ in range(chance.randrange(1, 6)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        assert verdict(tmp_path, bytes(broken))
    for _ in range(50):
        at, other = chance.randrange(len(content)), chance.randrange(len(content))
        assert verdict(tmp_path, content[:at] + content[other:] or b"\0")


@pytest.mark.parametrize("content", [
    b"x", b"MZ" + bytes(300), b"\x7fELF" + bytes(300), b"GIF89a" + bytes(300), b"<html>" + bytes(300), b"<svg xmlns='a'/>",
    b"#!/bin/sh\n", b"BM" + bytes(300), b"II*\0" + bytes(300), b"RIFF\0\0\0\0WAVEfmt " + bytes(90),
    b"\xd0\xcf\x11\xe0" + bytes(600), box(b"ftyp", b"\xff\xff"), b"\0\0\0\x08ftyp",
    b"junk" + made.pdf(), b"\n%PDF-1.4\n", made.archive(), box(b"ftyp", b"heic\0\0\0\0mif1heic"),
    box(b"ftyp", b"qt  \0\0\0\0qt  "),
], ids=lambda content: repr(content[:8]))  # fmt: skip
def test_other_files_are_not_taken(tmp_path: Path, content: bytes) -> None:
    assert verdict(tmp_path, content) in ("file.type", "archive")


def _inside(kind: str, hidden: bytes) -> bytes:
    """A right file that has something in a place where its format has room."""
    if kind == "jpeg":
        content = made.jpeg()
        return content[:2] + b"\xff\xfe" + struct.pack(">H", len(hidden) + 2) + hidden + content[2:]
    if kind == "png":
        content = made.png()
        chunk = png_of((b"tEXt", b"Comment\0" + hidden))[8:]
        return content[:33] + chunk + content[33:]
    if kind == "mp4":
        return FTYP + made.film(b"vide") + box(b"free", hidden) + box(b"mdat", b"\x11" * 100_000)
    return made.pdf(b"/X (" + hidden + b")")


@pytest.mark.parametrize("kind", ["jpeg", "png", "mp4", "pdf"])
@pytest.mark.parametrize(
    "hidden", [made.archive(), b"Rar!\x1a\x07\0" + bytes(9), b"7z\xbc\xaf\x27\x1c" + bytes(9)], ids=len
)
def test_an_archive_in_the_middle_is_refused(tmp_path: Path, kind: str, hidden: bytes) -> None:
    assert verdict(tmp_path, _inside(kind, b"harmless")).startswith(("image/", "video/", "application/"))
    assert verdict(tmp_path, _inside(kind, hidden)) == "archive"


def test_the_end_of_an_archive_by_chance_within_a_film_is_nothing(tmp_path: Path) -> None:
    """Four bytes come by chance once in four thousand million; what they would have to say besides does not."""
    content = FTYP + made.film(b"vide") + box(b"mdat", b"PK\x05\x06\x81\x12\x55\x10" + b"\x11" * 100_000)
    assert verdict(tmp_path, content) == "video/mp4"


def test_two_pictures_in_one_file_are_refused(tmp_path: Path) -> None:
    assert verdict(tmp_path, made.jpeg() + made.jpeg()) == "trailing"
    assert verdict(tmp_path, made.png() + made.png()) == "trailing"
    assert verdict(tmp_path, made.webp() + made.webp()) == "trailing"


PIXELS = zlib.compress(bytes(4 * 10))


@pytest.mark.parametrize("chunks, reason", [
    ((header_of(30_000, 30_000), (b"IDAT", PIXELS), (b"IEND", b"")), "pixels"),
    ((header_of(64_000, 1), (b"IDAT", PIXELS), (b"IEND", b"")), "pixels"),
    ((header_of(2**31 - 1, 2**31 - 1), (b"IDAT", PIXELS), (b"IEND", b"")), "pixels"),
    ((header_of(0, 4), (b"IDAT", PIXELS), (b"IEND", b"")), "structure"),
    ((header_of(8_000, 7_999, 16, 6), (b"IDAT", PIXELS), (b"IEND", b"")), "compressed"),
    ((header_of(3, 4), (b"IDAT", zlib.compress(bytes(41))), (b"IEND", b"")), "compressed"),
    ((header_of(3, 4), (b"IDAT", zlib.compress(bytes(39))), (b"IEND", b"")), "structure"),
    ((header_of(3, 4), (b"IDAT", PIXELS + b"more"), (b"IEND", b"")), "trailing"),
    ((header_of(3, 4), (b"IDAT", PIXELS), (b"zTXt", b"a\0\0" + zlib.compress(b"text")), (b"IEND", b"")), "compressed"),
    ((header_of(3, 4), (b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"text")), (b"IDAT", PIXELS), (b"IEND", b"")), "compressed"),
    ((header_of(3, 4), (b"iCCP", b"a\0\0" + zlib.compress(bytes(2**23))), (b"IDAT", PIXELS), (b"IEND", b"")), "compressed"),
    ((header_of(3, 4), (b"acTL", bytes(8)), (b"IDAT", PIXELS), (b"IEND", b"")), "file.type"),
    ((header_of(3, 4), (b"IDAT", PIXELS), (b"fcTL", bytes(26)), (b"IEND", b"")), "animated"),
    ((header_of(3, 4), (b"EVIL", b""), (b"IDAT", PIXELS), (b"IEND", b"")), "structure"),
    ((header_of(3, 4), *[(b"tEXt", b"a\0b")] * 20_001, (b"IDAT", PIXELS), (b"IEND", b"")), "structure"),
    ((header_of(3, 4), (b"IDAT", b"no stream of zlib"), (b"IEND", b"")), "structure"),
    ((header_of(3, 4), (b"IDAT", PIXELS)), "structure"),
    ((header_of(3, 4), (b"IDAT", PIXELS), (b"IEND", b"")), "image/png"),
], ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_what_a_png_may_not_be(tmp_path: Path, chunks: tuple[tuple[bytes, bytes], ...], reason: str) -> None:
    assert verdict(tmp_path, png_of(*chunks)) == reason


def test_a_chunk_with_a_wrong_sum_is_refused(tmp_path: Path) -> None:
    content = bytearray(made.png())
    content[-20] ^= 1
    assert verdict(tmp_path, bytes(content)) == "structure"


def test_a_bomb_is_found_in_little_memory(tmp_path: Path) -> None:
    """A thousandfold of what was sent is never held, whatever it says of itself."""
    bomb = zlib.compress(bytes(200 * 2**20), 9)
    for content in (
        png_of(header_of(100, 100), (b"IDAT", bomb), (b"IEND", b"")),
        png_of(header_of(8_000, 8_000), (b"IDAT", bomb), (b"IEND", b"")),
        png_of(header_of(3, 4), (b"iCCP", b"a\0\0" + bomb), (b"IDAT", PIXELS), (b"IEND", b"")),
    ):
        tracemalloc.start()
        assert verdict(tmp_path, content) == "compressed"
        assert tracemalloc.get_traced_memory()[1] < 12 * 2**20
        tracemalloc.stop()


def _with_size(content: bytes, marker: int, width: int, height: int) -> bytes:
    at = content.index(bytes((0xFF, marker)))
    return content[: at + 5] + struct.pack(">HH", height, width) + content[at + 9 :]


def test_pictures_of_too_many_pixels_are_refused(tmp_path: Path) -> None:
    jpeg = made.picture("JPEG")
    assert verdict(tmp_path, _with_size(jpeg, 0xC0, 60_000, 60_000)) == "pixels"
    assert verdict(tmp_path, _with_size(jpeg, 0xC0, 0, 16)) == "structure"
    webp = bytearray(made.picture("WEBP", exif=made._exif()))
    at = webp.index(b"VP8X")
    webp[at + 12 : at + 18] = b"\xff" * 6
    assert verdict(tmp_path, bytes(webp)) == "pixels"


def test_a_jpeg_of_endless_scans_is_refused(tmp_path: Path) -> None:
    content = made.picture("JPEG")
    scan = content[content.index(b"\xff\xda") : -2]
    assert verdict(tmp_path, content[:-2] + scan * 10 + content[-2:]) == "image/jpeg"
    assert verdict(tmp_path, content[:-2] + scan * 64 + content[-2:]) == "structure"


@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
def test_pictures_that_move_are_refused(tmp_path: Path, format_: str) -> None:
    assert verdict(tmp_path, made.moving(format_)) in ("animated", "file.type")


@pytest.mark.parametrize("extra, told", [
    (b"/Names << /JavaScript 4 0 R >>", "active"),
    (b"/OpenAction << /S /JavaScript /JS (app.alert(1)) >>", "active"),
    (b"/OpenAction << /S /J#61vaScript /JS (app.alert(1)) >>", "active"),
    (b"/OpenAction << /S /Launch /F (cmd.exe) >>", "active"),
    (b"/Names << /EmbeddedFiles 4 0 R >>", "active"),
    (b"/X << /Type /EmbeddedFile >>", "active"),
    (b"/X << /Subtype /RichMedia >>", "active"),
    (b"/X /Launchpad", "application/pdf"),
], ids=lambda value: repr(value)[:40])  # fmt: skip
def test_a_document_that_acts_or_carries_files_is_refused(tmp_path: Path, extra: bytes, told: str) -> None:
    assert verdict(tmp_path, made.pdf(extra)) == told


def test_a_document_begins_and_ends_where_the_file_does(tmp_path: Path) -> None:
    right = made.pdf()
    assert verdict(tmp_path, b"\xef\xbb\xbf" + right) in ("structure", "file.type")
    assert verdict(tmp_path, right + b"<html><script>") == "trailing"
    assert verdict(tmp_path, right.replace(b"startxref\n", b"startxref\n9")) == "structure"
    assert verdict(tmp_path, right.replace(b"%%EOF", b"")) == "structure"


@pytest.mark.parametrize("content", [
    FTYP + made.film(b"vide") + box(b"mdat", b"\x11" * 90) + box(b"html", b"<script>"),
    FTYP + made.film(b"vide") + FTYP + box(b"mdat", b"\x11" * 90),
    FTYP + box(b"mdat", b"\x11" * 90),
    FTYP + made.film(b"text") + box(b"mdat", b"\x11" * 90),
    FTYP + made.film(b"vide") + made.film(b"vide"),
    FTYP + made.film(b"vide") + struct.pack(">I", 0) + b"mdat" + bytes(90),
    FTYP + made.film(b"vide") + struct.pack(">I", 1) + b"mdat" + struct.pack(">Q", 2**63) + bytes(90),
    FTYP + made.film(b"vide") + struct.pack(">I", 7) + b"mdat" + bytes(90),
    FTYP + made.film(b"vide") + box(b"free", b"\x11" * 9000),
], ids=range(9))  # fmt: skip
def test_what_an_mp4_may_not_be(tmp_path: Path, content: bytes) -> None:
    assert verdict(tmp_path, content) in ("structure", "trailing")


def test_an_mp4_may_keep_room_and_be_larger_than_four_gigabytes_by_its_form(tmp_path: Path) -> None:
    large = struct.pack(">I", 1) + b"mdat" + struct.pack(">Q", 16 + 90) + b"\x11" * 90
    content = FTYP + made.film(b"vide") + box(b"free", b"made by" + bytes(20_000)) + large
    assert verdict(tmp_path, content) == "video/mp4"


SEGMENT = 0x18538067


@pytest.mark.parametrize("content", [
    EBML + element(SEGMENT, tracks(1) + element(0x1941A469, b"attached") + cluster()),
    EBML + element(SEGMENT, cluster()),
    EBML + element(SEGMENT, tracks(17) + cluster()),
    EBML + element(SEGMENT, tracks(1) + element(0xEC, b"hidden" * 9) + cluster()),
    EBML + element(SEGMENT, tracks(1) + element(0x1F43B675, element(0x4444, b"odd"))),
    EBML + element(SEGMENT, tracks(1), known=False) + cluster(known=False) + element(0x4444, b"odd"),
    EBML + element(SEGMENT, tracks(1) + cluster()) + b"more",
    EBML + element(SEGMENT, tracks(1) + cluster())[:-3],
    EBML + element(0x1549A966, tracks(1)),
    EBML + element(SEGMENT, tracks(1) + element(0xE7, b"\0")),
], ids=range(10))  # fmt: skip
def test_what_a_webm_may_not_be(tmp_path: Path, content: bytes) -> None:
    assert verdict(tmp_path, content) in ("structure", "trailing", "file.type")


def test_another_matroska_is_no_webm(tmp_path: Path) -> None:
    other = element(0x1A45DFA3, element(0x4282, b"matroska"))
    assert verdict(tmp_path, other + element(SEGMENT, tracks(1) + cluster())) in ("structure", "file.type")


def test_an_ogg_has_sound_alone(tmp_path: Path) -> None:
    theora = made.page(b"\x80theora" + bytes(40), 2, 8)
    assert verdict(tmp_path, theora + made.ogg()) in ("structure", "file.type")
    assert verdict(tmp_path, made.ogg() + theora) == "structure"
    assert verdict(tmp_path, made.ogg() + made.page(b"of no stream", 0, 9)) == "structure"
