"""Archives hidden in a file of another format: what makes it two files at once to different readers.

ZIP is read from its end (APPNOTE.TXT 4.3.16), so that it may hang behind or lie within anything; RAR and 7z are looked for
by unpackers from the front on.
"""

from __future__ import annotations

import re

from backend.files.checks.base import ARCHIVE, Data, Unsafe

_END = b"PK\x05\x06"
_LAST = 22 + 65_535
"""The end record and the longest comment behind it: where readers look for it."""
_WHOLE = re.compile(rb"PK\x05\x06(?:\0{4}|\xff{4})(..)\1", re.DOTALL)
"""The end record of a ZIP in one part, anywhere: as many entries on this disk as on all."""
_OTHERS = re.compile(rb"Rar!\x1a\x07[\0\x01]|7z\xbc\xaf\x27\x1c")


def check(data: Data) -> None:
    """Raises Unsafe when there is one."""
    if data.find(_END, max(0, len(data) - _LAST)) >= 0 or _WHOLE.search(data) or _OTHERS.search(data):
        raise Unsafe(ARCHIVE)
