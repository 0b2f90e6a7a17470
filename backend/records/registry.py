"""Finds the kinds: every folder beside this file that has ``KINDS``. Adding a kind touches nothing here."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from backend.kernel.kind import Kind


@cache
def kinds() -> Mapping[str, Kind]:
    """All kinds by name, in the order of their names. Raises ValueError when two share a name."""
    found: dict[str, Kind] = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module.ispkg:
            for kind in importlib.import_module(f"{__package__}.{module.name}").KINDS:
                if kind.name in found:
                    raise ValueError(f"two kinds are called {kind.name}")
                found[kind.name] = kind
    return MappingProxyType(dict(sorted(found.items())))
