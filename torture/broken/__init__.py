"""Servers broken on purpose. Each module breaks one thing when it is imported into a server process (torture.entry).

The torture must find every one of them; tests/torture/test_broken_servers.py says by which rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def instead(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Puts ``make(what was there)`` in the place of an attribute. Raises AttributeError when there is no such thing."""
    setattr(owner, name, make(getattr(owner, name)))
