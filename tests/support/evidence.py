"""Bundles made for tests, opened and damaged with plain SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from backend.audit.checks.base import Broken
from backend.audit.evidence.export import Keys, export
from backend.audit.evidence.order import Who, order
from backend.audit.evidence.scope import Scope
from backend.audit.evidence.verify import verify
from tests.support.world import FACILITY, World


def bundle(world: World, scope: Scope, name: str = "bundle") -> Path:
    """A bundle of a scope, exported at the console by the auditor."""
    services = world.services
    ordered = order(services.door, Who(FACILITY, world.ids["AUD"]), scope, "检察机关调取")
    heads = services.keyring.heads
    chain = [(link.jwk, link.statement) for link in heads.chain(FACILITY)]
    target = world.folder / f"{name}.evidence"
    export(services.store, Keys(heads.of(FACILITY), chain), ordered, target)
    return target


def rows(path: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """What plain SQLite reads from a bundle."""
    with closing(sqlite3.connect(path)) as file:
        return file.execute(statement, values).fetchall()


def change(path: Path, statement: str, *values: Any) -> None:
    """Changes a bundle behind everybody's back; something must have changed."""
    with closing(sqlite3.connect(path)) as file:
        changed = file.execute(statement, values)
        assert changed.rowcount != 0, statement
        file.commit()


def said(path: Path, pin: str | None = None) -> str:
    """What the verifier names, or that it holds."""
    try:
        return f"holds: {verify(path, pin)}"
    except Broken as broken:
        return str(broken)
