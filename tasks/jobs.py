"""The jobs. Each calls one function elsewhere, may run twice, and never harms when it does not run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from backend.audit import witness
from backend.identity import facilities
from backend.kernel.lines import cut_silent
from backend.kernel.problems import Problem
from backend.storage.engine import Store

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """Something that is done for each facility again and again. ``work`` takes a facility and may raise Problem."""

    name: str
    seconds: int
    work: Callable[[str], object]


def do_chore(store: Store, chore: Chore) -> None:
    """Does a chore for every facility; one that is busy, or must not be written to, waits for the next time."""
    try:
        found = facilities.everyone(store)
    except Problem as problem:
        _log.warning("chore not done", chore=chore.name, code=problem.code)
        return
    for facility in found:
        try:
            chore.work(facility.facility)
        except Problem as problem:
            _log.warning("chore not done", chore=chore.name, facility=facility.facility, code=problem.code)


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
