"""The jobs. Each calls one function elsewhere, may run twice, and never harms when it does not run."""

from __future__ import annotations

from pathlib import Path

import structlog

from backend.audit import witness
from backend.identity import facilities
from backend.kernel.lines import cut_silent
from backend.kernel.problems import Problem
from backend.storage.engine import Store

_log = structlog.get_logger(__name__)


def keep_high_water(store: Store, folder: Path) -> None:
    """Writes each facility's newest head to its witness file."""
    try:
        found = facilities.everyone(store)
    except Problem as problem:
        _log.warning("high-water mark not kept", code=problem.code)
        return
    for facility in found:
        witness.keep(folder, facility.facility, facility.head)


def cut_silent_lines(seconds: int) -> None:
    """Frees the threads that wait for handhelds that have gone."""
    if cut := cut_silent(seconds):
        _log.info("silent connections cut", count=cut)
