"""Files as devices make them, and ones that nobody would: small, whole, made here byte by byte."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from PIL import Image


def picture(format_: str, size: tuple[int, int] = (24, 16), **options: Any) -> bytes:
    """A picture as Pillow writes it: ``JPEG``, ``PNG``, ``WEBP``. Of each size it is another one, and always the same."""
    made = Image.frombytes("RGB", size, random.Random(repr(size)).randbytes(3 * size[0] * size[1]))
    out = io.BytesIO()
    made.save(out, format_, **options)
    return out.getvalue()


def moving(format_: str) -> bytes:
    """The same, of three frames."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    out = io.BytesIO()
    frames[0].save(out, format_, save_all=True, append_images=frames[1:], duration=100)
    return out.getvalue()


def jpeg() -> bytes:
    return picture("JPEG", exif=_exif())


def _exif() -> Any:
    made = Image.Exif()
    made[0x010F] = "maker"
    return made


def png() -> bytes:
    return picture("PNG")


def webp() -> bytes:
    return picture("WEBP")


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of these chunks, each with its right sum."""
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def header_of(width: int, height: int, depth: int = 8, colour: int = 2, interlaced: int = 0) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)


def pdf(extra: bytes = b"", tail: bytes = b"\n", version: bytes = b"1.4") -> bytes:
    """A document of one empty page; ``extra`` stands in its catalogue, ``tail`` behind its end."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R " + extra + b" >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
    ]
    out, places = b"%PDF-" + version + b"\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"xref\n0 4\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + table + b"trailer << /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % len(out) + tail


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def film(*handlers: bytes) -> bytes:
    """The ``moov`` of an MP4 with these tracks."""
    tracks = b"".join(
        box(b"trak", box(b"mdia", box(b"hdlr", bytes(8) + handler + bytes(12) + b"\0"))) for handler in handlers
    )
    return box(b"moov", box(b"mvhd", bytes(100)) + tracks)


FTYP = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41")


def mp4(*handlers: bytes) -> bytes:
    return FTYP + film(*(handlers or (b"vide", b"soun"))) + box(b"free") + box(b"mdat", b"\x11" * 400)


def m4a() -> bytes:
    return box(b"ftyp", b"M4A \0\0\2\0M4A isom") + film(b"soun") + box(b"mdat", b"\x11" * 400)


def element(kind: int, body: bytes = b"", *, known: bool = True) -> bytes:
    """An EBML element, its size in one byte where it has room or else in eight, or not known."""
    name = kind.to_bytes((kind.bit_length() + 7) // 8, "big")
    size = bytes([0x80 | len(body)]) if len(body) < 127 else b"\x01" + len(body).to_bytes(7, "big")
    return name + (size if known else b"\x01" + b"\xff" * 7) + body


EBML = element(0x1A45DFA3, element(0x4286, b"\1") + element(0x4282, b"webm"))


def tracks(*sorts: int) -> bytes:
    return element(0x1654AE6B, b"".join(element(0xAE, element(0xD7, b"\1") + element(0x83, bytes([s]))) for s in sorts))


def cluster(*, known: bool = True) -> bytes:
    inside = element(0xE7, b"\0") + element(0xA3, b"\x81\0\0\x80" + b"\x22" * 100)
    return element(0x1F43B675, inside, known=known)


def webm(*sorts: int) -> bytes:
    """As a browser's recorder writes it: segment and clusters of unknown size."""
    inside = element(0x1549A966) + tracks(*(sorts or (1, 2))) + cluster(known=False) + cluster(known=False)
    return EBML + element(0x18538067, inside, known=False)


def webm_of_known_size() -> bytes:
    return EBML + element(0x18538067, tracks(2) + element(0xEC, bytes(30)) + cluster() + cluster())


def page(body: bytes, flags: int = 0, serial: int = 7) -> bytes:
    """A page of Ogg; its sum is not looked at."""
    sizes = [255] * (len(body) // 255) + [len(body) % 255]
    head = struct.pack("<4sBBqIII", b"OggS", 0, flags, 0, serial, 0, 0)
    return head + bytes([len(sizes), *sizes]) + body


def ogg() -> bytes:
    return page(b"OpusHead\1\1\0\0\x80\xbb\0\0\0\0\0", 2) + page(b"OpusTags" + bytes(600)) + page(b"\x33" * 300, 4)


def archive() -> bytes:
    """A ZIP of one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("run.sh", "#!/bin/sh\n")
    return out.getvalue()


RIGHT: dict[str, tuple[Callable[[], bytes], str]] = {
    "jpeg": (jpeg, "image/jpeg"),
    "progressive jpeg": (lambda: picture("JPEG", (300, 200), progressive=True, subsampling=0), "image/jpeg"),
    "jpeg with restarts": (lambda: picture("JPEG", (300, 200), restart_marker_blocks=2), "image/jpeg"),
    "png": (png, "image/png"),
    "png of one colour": (lambda: _plain("1"), "image/png"),
    "png with a palette": (lambda: _plain("P"), "image/png"),
    "png with alpha": (lambda: _plain("RGBA"), "image/png"),
    "interlaced png": (lambda: interlaced(5, 3), "image/png"),
    "webp": (webp, "image/webp"),
    "webp without loss": (lambda: picture("WEBP", lossless=True), "image/webp"),
    "webp with exif": (lambda: picture("WEBP", exif=_exif()), "image/webp"),
    "pdf": (pdf, "application/pdf"),
    "pdf with other ends of lines": (lambda: pdf(tail=b"\r\n"), "application/pdf"),
    "mp4": (mp4, "video/mp4"),
    "mp4 with sound alone": (lambda: mp4(b"soun"), "audio/mp4"),
    "m4a": (m4a, "audio/mp4"),
    "webm": (webm, "video/webm"),
    "webm with sound alone": (lambda: webm(2), "audio/webm"),
    "webm of known size": (webm_of_known_size, "audio/webm"),
    "ogg": (ogg, "audio/ogg"),
}
"""Name → what makes it, and its media type."""


def _plain(mode: str) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (13, 7)).save(out, "PNG")
    return out.getvalue()


def interlaced(width: int, height: int) -> bytes:
    """A grey PNG in the seven passes of Adam7."""
    rows = b""
    for left, top, across, down in (
        (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
    ):  # fmt: skip
        columns = len(range(left, width, across))
        rows += b"".join(bytes(1 + columns) for _ in range(top, height, down)) if columns else b""
    return png_of(header_of(width, height, 8, 0, 1), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
