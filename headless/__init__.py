"""A terminal of Roundsman without a screen: it speaks the wire protocol (docs/protocol.md) and nothing else.

For tests, demonstrations, load and integrators. It imports nothing of the server: what it knows, it knows
from the protocol page, so that it also proves that page complete.
"""

from headless.clock import Clock, SystemClock
from headless.errors import (
    Broken,
    Frozen,
    HeadlessError,
    NotEnrolled,
    NotSignedIn,
    Offline,
    Problem,
    Refused,
)
from headless.store import Queued, Store
from headless.terminal import Pulled, Terminal

__all__ = [
    "Broken",
    "Clock",
    "Frozen",
    "HeadlessError",
    "NotEnrolled",
    "NotSignedIn",
    "Offline",
    "Problem",
    "Pulled",
    "Queued",
    "Refused",
    "Store",
    "SystemClock",
    "Terminal",
]
