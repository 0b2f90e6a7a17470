"""Making sure that what was written lies on the disk."""

from __future__ import annotations

import os
from pathlib import Path


def settle(path: Path) -> None:
    """Waits until a file's bytes, or the names in a folder, would outlive the machine's fall. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
