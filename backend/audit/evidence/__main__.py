"""``python -m backend.audit.evidence BUNDLE [--key KEY]``: checks a bundle on any machine, without an installation."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from backend.audit.checks.base import Broken
from backend.audit.evidence.told import sentence
from backend.audit.evidence.verify import pin_of, verify


def main(words: list[str] | None = None) -> int:
    """0: it holds; 1: it is broken; 2: the words are wrong."""
    parser = argparse.ArgumentParser(prog="python -m backend.audit.evidence", description="Check an evidence bundle.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--key", type=pin_of, help="the server's key as you know it: its thumbprint, or its JWK")
    given = parser.parse_args(words)
    try:
        print(sentence(verify(given.bundle, given.key), pinned=given.key is not None))
    except Broken as broken:
        print(f"BROKEN: {broken}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
