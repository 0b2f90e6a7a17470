"""A snapshot that one process packs is left alone by another that clears up."""

from __future__ import annotations

import fcntl
import os

from sync.reading.snapshots import KEEP_MS
from tests.support.reader import Copy
from tests.support.world import World


def test_what_is_being_written_is_not_taken_for_left_behind(both: World) -> None:
    """Its time is the machine's as long as it is written, whatever the clock says."""
    copy = Copy.of(both, "LEAD")
    first, second = (f"place/{both.ids[code]}/base" for code in ("C1", "C2"))
    copy.ask("snapshots", {"partition": first})
    folder = both.settings.data / "snapshots"
    written, left = folder / "written.part", folder / "left.part"
    for path in (written, left):
        path.write_bytes(b"half")
        os.utime(path, ((both.clock.now() - 2 * KEEP_MS) / 1000,) * 2)
    with written.open("rb") as hand:
        fcntl.flock(hand, fcntl.LOCK_EX)
        copy.ask("snapshots", {"partition": second})
        assert (written.exists(), left.exists()) == (True, False)
