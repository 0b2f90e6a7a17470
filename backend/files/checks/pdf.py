"""PDF (ISO 32000-1): from its first byte to its %%EOF, with nothing that acts, carries files, or is locked.

Names are looked for where they stand in clear, also spelt with #. What stands in a compressed object stream is not seen;
the server never opens a PDF, and gives it out as a download alone.
"""

from __future__ import annotations

import re

from backend.files.checks.base import ACTIVE, STRUCTURE, TRAILING, Data, Unsafe

_HEADER = re.compile(rb"%PDF-[12]\.\d\s")
_TAIL = re.compile(rb"startxref\s+(\d{1,12})\s+%%EOF[\r\n \t]{0,4}\Z")
_ENDS = re.compile(rb"%%EOF")
_TABLE = re.compile(rb"\s{0,4}(xref|\d{1,10}\s{1,4}\d{1,5}\s{1,4}obj)\b")
_ACTIVE = frozenset(
    {b"JavaScript", b"Launch", b"EmbeddedFile", b"EmbeddedFiles", b"RichMedia", b"ImportData", b"Encrypt"}
)
_NAMED = re.compile(rb"/(" + b"|".join(sorted(_ACTIVE)) + rb")(?![A-Za-z0-9])")
_SPELT = re.compile(rb"/([A-Za-z#0-9]{1,60}#[0-9A-Fa-f]{2}[A-Za-z#0-9]{0,60})")
_SIGN = re.compile(rb"#([0-9A-Fa-f]{2})")
_LAST = 1024


def check(data: Data) -> str:
    """The media type. Raises Unsafe."""
    if _HEADER.match(data) is None:
        raise Unsafe(STRUCTURE)
    end = data[-_LAST:]
    said = _TAIL.search(end)
    if said is None:
        raise Unsafe(TRAILING if _ENDS.search(data) else STRUCTURE)
    table = int(said.group(1))
    if table >= len(data) or _TABLE.match(data, table) is None:
        raise Unsafe(STRUCTURE)
    if _NAMED.search(data) or any(_plain(each) in _ACTIVE for each in _SPELT.findall(data)):
        raise Unsafe(ACTIVE)
    return "application/pdf"


def _plain(name: bytes) -> bytes:
    return _SIGN.sub(lambda sign: bytes((int(sign.group(1), 16),)), name)
