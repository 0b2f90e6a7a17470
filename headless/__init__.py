"""A terminal of Roundsman without a screen: it speaks the wire protocol (docs/protocol.md) and nothing else.

For tests, demonstrations, load and integrators. It imports nothing of the server: what it knows, it knows
from the protocol page, so that it also proves that page complete.
"""

from headless.clock import Clock, SystemClock
from headless.errors import (
    Alarmed,
    Broken,
    Busy,
    Frozen,
    HeadlessError,
    NotEnrolled,
    NotSignedIn,
    Offline,
    Problem,
    Refused,
    Wiped,
)
from headless.living import Evacuated
from headless.pulling import Pulled, Repaired
from headless.store import Queued, Store
from headless.stream import Event
from headless.terminal import Terminal

__all__ = [
    "Alarmed",
    "Broken",
    "Busy",
    "Clock",
    "Evacuated",
    "Event",
    "Frozen",
    "HeadlessError",
    "NotEnrolled",
    "NotSignedIn",
    "Offline",
    "Problem",
    "Pulled",
    "Queued",
    "Refused",
    "Repaired",
    "Store",
    "SystemClock",
    "Terminal",
    "Wiped",
]
