"""Servers broken on purpose, each in one thing: the torture must find every one, with a small run of a fixed seed.

A run is a process of its own; two are under way at a time, so that both cores have something to do.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEED = "7"


class Case(NamedTuple):
    """``only``: the torments under which it shows; ``rules``: by at least one of these it must be found."""

    only: str
    rules: tuple[str, ...]


CASES = {
    "leaf_skipped": Case("resend,twice,cuts", ("log.skipped", "log.differs")),
    "clock_trusted": Case("edits,cuts,clocks", ("merge.strict", "merge.name")),
    "acknowledged_early": Case("resend,twice,cuts", ("outcome.lost", "capture.lost")),
    "dependents_forgotten": Case("dependents,bad,edits,cuts", ("dependents.refused", "dependents.unmet")),
    "scope_kept": Case("edits,swap,cuts", ("scope.kept", "scope.sent")),
    "scope_wide": Case("edits,cuts", ("scope.kept", "scope.sent")),
    "resend_applied": Case("edits,resend,twice,cuts", ("outcome.changed", "effect.twice")),
    "outcome_changed": Case("resend,twice,cuts", ("outcome.changed", "outcome.differs")),
    "loser_dropped": Case("edits,settle,cuts", ("conflict.value",)),
    "last_writer": Case("edits,cuts", ("merge.overwrote", "merge.strict")),
    "held_dropped": Case("dependents,edits,gaps,cuts", ("custody.forgotten",)),
    "escrow_applied": Case("edits,cuts,revoke_terminal", ("escrow.passed",)),
    "gap_closed": Case("gaps,loss,cuts", ("standing.false",)),
    "tombstone_forgotten": Case("edits,cuts", ("rows.differ", "digest.differs")),
    "tombstone_edited": Case("edits,cuts", ("tombstone.edited",)),
    "epoch_unwitnessed": Case("restore,cuts", ("epoch.unheard",)),
    "bad_stops_others": Case("bad,poison,cuts", ("fate.good",)),
    "late_by_transport": Case("clocks,cuts", ("marks.late",)),
    "digest_stale": Case("edits,cuts", ("partition.digest",)),
}


def _torture(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = ["--seed", SEED, "--ops", "900", "--minutes", "0.08", "--light", "8", "--steady", "0", "--broken", name]
    line = [sys.executable, "-m", "torture", *words, "--only", CASES[name].only, "--keep", str(folder / name)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=110)


Runs = dict[str, "Future[subprocess.CompletedProcess[str]]"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Runs]:
    """The runs that this session wants, under way."""
    folder = tmp_path_factory.mktemp("broken")
    wanted = [str(item.callspec.params["name"]) for item in request.session.items if hasattr(item, "callspec")
              and item.path == request.path]  # fmt: skip
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(_torture, name, folder) for name in wanted}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", sorted(CASES))
def test_the_torture_finds(name: str, runs: Runs) -> None:
    told = runs[name].result()
    assert told.returncode == 1, told.stdout[-3000:] + told.stderr[-3000:]
    found = set(re.findall(r"^    ([a-z_]+\.[a-z_]+): ", told.stdout, re.MULTILINE))
    assert found & set(CASES[name].rules), f"found {sorted(found)}:\n{told.stdout[:3000]}"
    assert f"BROKEN with seed {SEED}" in told.stdout
    history = told.stdout.partition("history of the first")[2].splitlines()
    assert 1 < len(history) < 70


def test_each_broken_server_has_its_case() -> None:
    modules = {path.stem for path in (ROOT / "torture" / "broken").glob("*.py")} - {"__init__"}
    assert modules == set(CASES)
    assert len(modules) >= 10
