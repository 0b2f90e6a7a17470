"""Named places at which a test kills the process, to prove that nothing is half done.

``ROUNDSMAN_FAILPOINT=commit.after:3`` kills the process with SIGKILL the third time it passes ``commit.after``.
Without the variable a pass costs one comparison.
"""

from __future__ import annotations

import os
import signal

NAMES = frozenset(
    {
        "group.planned",
        "commit.before",
        "commit.after",
        "cache.before",
        "cache.after",
        "answer.before_send",
        "pull.before_send",
    }
)


def _armed() -> tuple[str, int]:
    name, _, count = os.environ.get("ROUNDSMAN_FAILPOINT", "").partition(":")
    if name and name not in NAMES:
        raise SystemExit(f"ROUNDSMAN_FAILPOINT names no failpoint: {name}; there are {', '.join(sorted(NAMES))}")
    return name, int(count or 1)


_name, _left = _armed()


def hit(name: str) -> None:
    """Passes the failpoint; does not return when it is the armed one and its count is up."""
    global _left
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
