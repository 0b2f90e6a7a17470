"""Signs of rounds that were not walked and talks that were not held (rule Y05): exact intervals, impossible speed, the same
words again and again. Pure; times are milliseconds. All numbers are local defaults, not law. A sign is a question to a
leader, never a finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backend.kernel.ids import b64, sha256
from backend.kernel.kind import Text

SIGNS: Mapping[str, Text] = {
    "exact_interval": Text("间隔过于一致", "intervals that are too exact"),
    "impossible_speed": Text("移动速度不可能", "faster than anybody walks"),
    "same_text": Text("文字雷同", "the same words again and again"),
}
GAPS = 6
"""So many intervals one after the other are compared."""
EXACT_MS = 15_000
"""People who walk by windows that are staggered do not begin within so little of the same interval each time."""
SHORTEST_GAP_MS = 2 * 60_000
"""Intervals below this are one round that was begun anew, and no rhythm."""
LOOK_MS = 4000
"""Nobody reads a tag, looks into a cell and answers for it in less."""
STEP_MS = 2000
"""Nobody gets from one cell to the next in less; two that lie further apart take so much more."""
TEXTS, SAME = 6, 4
"""Of so many texts one after the other so many are the same."""
SHORTEST_TEXT = 6
"""Shorter texts say the same by nature."""


def exact_interval(moments: Sequence[int]) -> bool:
    """Whether the last rounds of one officer through one ward began at intervals that are all alike."""
    last = moments[-(GAPS + 1) :]
    gaps = [later - each for each, later in zip(last, last[1:], strict=False)]
    return len(gaps) == GAPS and min(gaps) >= SHORTEST_GAP_MS and max(gaps) - min(gaps) <= EXACT_MS


def impossible_speed(before: int, after: int, steps: int) -> bool:
    """Whether nobody can have looked into a cell at ``before`` and into another one, ``steps`` cells on, at ``after``."""
    return steps > 0 and 0 <= after - before < LOOK_MS + (steps - 1) * STEP_MS


def same_text(words: Sequence[str]) -> bool:
    """Whether the last of some texts, told by their digests, is one that comes again and again."""
    last = words[-TEXTS:]
    return bool(last) and last.count(last[-1]) >= SAME


def words_of(text: str | None) -> str | None:
    """A digest by which texts are compared without being read; None where there is too little to compare. Spaces and signs
    do not count."""
    said = "".join(each for each in text or "" if each.isalnum())
    return b64(sha256(said.encode())[:12]) if len(said) >= SHORTEST_TEXT else None
