"""A short torture of the real server on each engine, with every torment: no invariant breaks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.engines import ENGINES

ROOT = Path(__file__).resolve().parents[2]
SEED = "20261122"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", ENGINES)
def test_no_invariant_breaks(engine: str, tmp_path: Path) -> None:
    words = ["--seed", SEED, "--engine", engine, "--ops", "4000", "--minutes", "0.33", "--keep", str(tmp_path / "kept")]
    told = subprocess.run(
        [sys.executable, "-m", "torture", *words], cwd=ROOT, capture_output=True, text=True, timeout=280
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-2000:] + told.stdout
    assert "all invariants hold" in told.stdout
