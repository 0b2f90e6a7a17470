"""Which face engine this installation has.

A sign-off with the method ``face`` is kept with its evidence and stands as claimed. Nothing decides on it until
templates are enrolled and thresholds calibrated, and the health page says so.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Engine:
    """``name``: ``dlib`` or ``null``. ``decides``: whether sign-offs are verified by it."""

    name: str
    decides: bool


def find_engine() -> Engine:
    """dlib where its libraries are installed, else ``null``. Looks without loading 100 MB of models."""
    present = all(importlib.util.find_spec(name) for name in ("dlib", "face_recognition", "face_recognition_models"))
    return Engine("dlib" if present else "null", decides=False)
