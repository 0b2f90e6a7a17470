"""`make demo`: a day shift with seven handhelds, told as it happens; exit code 0 when all of it holds."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import httpx

from backend.audit.verify import Verified
from backend.settings import Settings
from demo.board import Board, Words
from demo.checks import audited, checks
from demo.closing import Closing
from demo.facility import build
from demo.rounds import LOCAL
from demo.seed import SEED, seed
from demo.shift import Shift
from demo.stage import StoryClock, server
from demo.telling import WIDTH, counted, folded
from mobile_api.services import EXTENSION, Services
from wsgi import create_app

BEGIN = datetime(2026, 11, 22, 8, tzinfo=LOCAL)
"""A day shift, 白班."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="Plays one shift with seven headless terminals."
    )
    parser.add_argument("--hours", type=float, default=8, help="how long the shift is, from 2 to 8 (default: 8)")
    asked = parser.parse_args()
    if not 2 <= asked.hours <= 8:
        parser.error("a shift has 2 to 8 hours")
    with tempfile.TemporaryDirectory(prefix="roundsman-demo-", ignore_cleanup_errors=True) as folder:
        sys.exit(0 if play(Path(folder), asked.hours) else 1)


def play(folder: Path, hours: float) -> bool:
    """Plays a shift in an empty folder and tells it; whether everything held."""
    begun = time.monotonic()
    facility = build(SEED)
    settings = Settings.read({"ROUNDSMAN_DATA": str(folder / "data"), "ROUNDSMAN_LOG_LEVEL": "ERROR"})
    print(f"{facility.name} · {facility.name_en}\nNobody in it exists; all names are invented.\n")
    seeded = seed(settings, BEGIN, days=1)
    print(f"{seeded.places} places, {seeded.persons} persons held, {seeded.officers} officers; "
          f"yesterday: {seeded.rounds} rounds, {seeded.visits} stops.")  # fmt: skip
    clock = StoryClock(folder / "clock")
    clock.move_to(BEGIN)
    services: Services = create_app(replace(settings, terminal_app=None), clock).extensions[EXTENSION]
    with server(settings.data, clock) as url:
        print(f"A server process runs at {url}. Time is the story's, {BEGIN:%Y-%m-%d}; all else is real.\n")
        shift = Shift(facility, services, clock, folder, url, hours)
        try:
            shift.play()
            words = Words.read(httpx.get(f"{url}/v1/kinds").json())
            held = _end(shift, services, words)
        finally:
            shift.close()
            services.store.close()
    print(f"{time.monotonic() - begun:.0f} seconds.")
    return held


def _end(shift: Shift, services: Services, words: Words) -> bool:
    """Board, auditor and summary."""
    leader = shift.leader
    shift.say(leader.label, "the shift is over; the leader's board:")
    print()
    board = Board(leader.terminal, shift.facility, shift.begin)
    for line in board.lines(words, shift.clock.local):
        print(f"  {line}")
    print("\none report, and what the rules asked of the shift")
    for line in Closing(leader, shift.facility, shift.linkage.facts).lines(shift.end):
        print(*(f"  {part}" for part in folded(line, WIDTH - 2)), sep="\n")
    slow = next(each for each in shift.handhelds if each.clock.wrong_by)
    early, stops = board.early(slow.terminal.identity.terminal)
    print(f"\n  {slow.label}'s clock was slow: {early} of its {stops} stops claim a time before the head they name\n"
          "  was signed. The rows carry both; what a device claims is never taken for what is proven.")  # fmt: skip
    verdict = audited(shift, services)
    print("\naudit verify")
    if isinstance(verdict, Verified):
        print(f"  epoch {verdict.epoch} holds: {verdict.leaves} leaves, {verdict.operations} operations, "
              f"{verdict.versions} versions, {verdict.heads} heads\n  root {verdict.root}")  # fmt: skip
    else:
        print(f"  BROKEN: {verdict}")
    outcomes = [outcome for handheld in shift.handhelds for outcome in handheld.learnt.values()]
    captured = sum(len(handheld.terminal.queue()) for handheld in shift.handhelds)
    print(f"\nsummary: {len(shift.handhelds)} handhelds captured {captured} operations: {counted(outcomes)}")
    found = list(checks(shift, services, verdict))
    for check in found:
        print(f"  {'holds ' if check.holds else 'FAILS '} {check.claim}")
    held = sum(check.holds for check in found)
    print(f"{held} of {len(found)} checks hold.")
    return held == len(found)


if __name__ == "__main__":
    main()
