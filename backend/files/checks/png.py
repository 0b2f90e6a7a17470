"""PNG (W3C Recommendation, third edition): every chunk with its sum, pixels that unfold to just the picture, IEND last."""

from __future__ import annotations

import zlib

from backend.files.checks.base import ANIMATED, COMPRESSED, STRUCTURE, TRAILING, Data, Unsafe, check_pixels, number

_SIGN = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = frozenset({1, 2, 4, 8, 16})
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_MOVING = frozenset({b"acTL", b"fcTL", b"fdAT"})
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""The seven passes of an interlaced picture: first column and row, and the steps between them."""
_MOST_CHUNKS = 20_000
_MOST_RAW = 256 * 2**20
_MOST_PROFILE = 4 * 2**20
_AT_ONCE = 2**20


class _Pixels:
    """The picture's own data, unfolded a little at a time and thrown away: how much it comes to is all that counts."""

    def __init__(self, header: bytes) -> None:
        width, height = (int.from_bytes(header[at : at + 4], "big") for at in (0, 4))
        depth, colour, packing, filtering, interlaced = header[8:13]
        if colour not in _CHANNELS or depth not in _DEPTHS or packing or filtering or interlaced > 1:
            raise Unsafe(STRUCTURE)
        check_pixels(width, height)
        bits = _CHANNELS[colour] * depth
        self._left = _raw(width, height, bits, interlaced=bool(interlaced))
        if self._left > _MOST_RAW:
            raise Unsafe(COMPRESSED)
        self._inflate = zlib.decompressobj()

    def take(self, packed: bytes) -> None:
        while packed:
            if self._inflate.eof:
                raise Unsafe(TRAILING)
            self._left -= len(self._inflate.decompress(packed, _AT_ONCE))
            if self._left < 0:
                raise Unsafe(COMPRESSED)
            packed = self._inflate.unconsumed_tail or self._inflate.unused_data

    def finish(self) -> None:
        if self._left or not self._inflate.eof:
            raise Unsafe(STRUCTURE)


def _raw(width: int, height: int, bits: int, *, interlaced: bool) -> int:
    """Bytes of all rows with the byte before each that names its filter."""
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


def check(data: Data) -> str:
    """The media type. Raises Unsafe."""
    if data[:8] != _SIGN or data[12:16] != b"IHDR" or number(data, 8, 4) != 13:
        raise Unsafe(STRUCTURE)
    pixels, at, kind = _Pixels(data[16:29]), 8, b""
    for _ in range(_MOST_CHUNKS):
        kind, body, at = _chunk(data, at)
        if kind == b"IEND":
            break
        if kind == b"IDAT":
            pixels.take(body)
        else:
            _beside(kind, body)
    if kind != b"IEND":
        raise Unsafe(STRUCTURE)
    pixels.finish()
    if at != len(data):
        raise Unsafe(TRAILING)
    return "image/png"


def _chunk(data: Data, at: int) -> tuple[bytes, bytes, int]:
    length = number(data, at, 4)
    kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
    if (
        len(body) != length
        or not kind.isalpha()
        or zlib.crc32(body, zlib.crc32(kind)) != number(data, at + 8 + length, 4)
    ):
        raise Unsafe(STRUCTURE)
    return kind, body, at + 12 + length


def _beside(kind: bytes, body: bytes) -> None:
    """A chunk beside the picture: none that moves it, none with text that unfolds, no large profile."""
    if kind in _MOVING:
        raise Unsafe(ANIMATED)
    if kind[:1].isupper() and kind not in _CRITICAL:
        raise Unsafe(STRUCTURE)
    packed_text = kind == b"iTXt" and body.partition(b"\0")[2][:1] != b"\0"
    if kind == b"zTXt" or packed_text:
        raise Unsafe(COMPRESSED)
    if (
        kind == b"iCCP"
        and len(zlib.decompressobj().decompress(body.partition(b"\0")[2][1:], _MOST_PROFILE)) == _MOST_PROFILE
    ):
        raise Unsafe(COMPRESSED)
