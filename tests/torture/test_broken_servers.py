"""Servers broken on purpose: the torture must find everything that is broken, with small runs of a fixed seed.

A run is a process of its own; two are under way at a time, so that both cores have something to do.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEED = "7"


RULES = {
    "leaf_skipped": ("log.skipped", "log.differs"),
    "clock_trusted": ("merge.strict", "merge.name"),
    "acknowledged_early": ("outcome.lost", "capture.lost"),
    "dependents_forgotten": ("dependents.refused", "dependents.unmet"),
    "scope_kept": ("scope.kept", "scope.sent"),
    "scope_wide": ("scope.kept", "scope.sent"),
    "resend_applied": ("outcome.changed", "effect.twice"),
    "outcome_changed": ("outcome.changed", "outcome.differs"),
    "loser_dropped": ("conflict.value",),
    "last_writer": ("merge.overwrote", "merge.strict"),
    "held_dropped": ("custody.forgotten",),
    "escrow_applied": ("escrow.passed",),
    "gap_closed": ("standing.false",),
    "tombstone_forgotten": ("rows.differ", "digest.differs"),
    "tombstone_edited": ("tombstone.edited",),
    "epoch_unwitnessed": ("epoch.unheard",),
    "bad_stops_others": ("fate.good",),
    "late_by_transport": ("marks.late",),
    "digest_stale": ("partition.digest",),
    "stream_wide": ("stream.scope",),
    "snapshot_short": ("digest.differs",),
    "wiped_early": ("wipe.early",),
    "schema_refused": ("schema.applied",),
}
"""What is broken → by at least one of these rules it must be found."""
RUNS = (
    (("acknowledged_early",), "resend,twice,cuts"),
    (("epoch_unwitnessed",), "restore,cuts"),
    (("resend_applied", "stream_wide"), "edits,resend,twice,streams,cuts"),
    (("leaf_skipped", "gap_closed", "escrow_applied"), "gaps,loss,edits,revoke_terminal,cuts"),
    (("outcome_changed", "late_by_transport", "digest_stale"), "edits,resend,twice,clocks,cuts"),
    (("bad_stops_others", "snapshot_short"), "bad,poison,edits,snapshots,swap,cuts"),
    (("tombstone_edited",), "edits,cuts"),
    (("dependents_forgotten", "scope_wide"), "dependents,bad,edits,cuts"),
    (("scope_kept", "last_writer"), "edits,swap,cuts"),
    (("loser_dropped", "wiped_early"), "edits,settle,revoke_terminal,cuts"),
    (("clock_trusted", "schema_refused"), "edits,clocks,upgrade,cuts"),
    (("held_dropped", "tombstone_forgotten"), "dependents,edits,gaps,cuts"),
)
"""What runs together, each found by rules of its own; and the torments under which it shows."""
RARE = {"tombstone_edited"}
"""What shows seldom: twice as long."""
RUN_OF = {name: number for number, (names, _) in enumerate(RUNS) for name in names}


def _torture(number: int, folder: Path) -> subprocess.CompletedProcess[str]:
    names, only = RUNS[number]
    longer = 2 if set(names) & RARE else 1
    words = [
        "--seed",
        SEED,
        "--ops",
        f"{900 * longer}",
        "--minutes",
        f"{0.08 * longer}",
        "--light",
        "8",
        "--steady",
        "0",
    ]
    words += ["--broken", ",".join(names), "--only", only, "--keep", str(folder / names[0])]
    line = [sys.executable, "-m", "torture", *words]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=110)


Runs = dict[int, "Future[subprocess.CompletedProcess[str]]"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Runs]:
    """The runs that this session wants, under way."""
    folder = tmp_path_factory.mktemp("broken")
    wanted = {RUN_OF[str(item.callspec.params["name"])] for item in request.session.items if hasattr(item, "callspec")
              and item.path == request.path}  # fmt: skip
    with ThreadPoolExecutor(2) as pool:
        yield {number: pool.submit(_torture, number, folder) for number in sorted(wanted)}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", sorted(RULES))
def test_the_torture_finds(name: str, runs: Runs) -> None:
    told = runs[RUN_OF[name]].result()
    assert told.returncode == 1 and not told.stderr, told.stdout[-3000:] + told.stderr[-3000:]
    first, *_, last = told.stdout.splitlines()
    said, _, seed = last.removeprefix("BROKEN: ").partition("; ")
    assert (first, seed) == (last, f"seed {SEED} on sqlite"), told.stdout
    assert set(said.split(", ")) & set(RULES[name]), told.stdout
    assert "history of the first" in told.stdout
    assert len(told.stdout) < 5_500


def test_each_broken_server_has_its_case() -> None:
    modules = {path.stem for path in (ROOT / "torture" / "broken").glob("*.py")} - {"__init__"}
    assert modules == set(RULES) == set(RUN_OF)
    assert len(modules) >= 10


def test_what_runs_together_is_found_by_rules_of_its_own() -> None:
    for names, _ in RUNS:
        rules = [rule for name in names for rule in RULES[name]]
        assert len(rules) == len(set(rules)), names
