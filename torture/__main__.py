"""``python -m torture --seed … --ops … --minutes … --engine sqlite|postgresql``: exit 1 when an invariant is broken."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from torture.checker import report
from torture.checker.judge import judge
from torture.plan import ALL, Plan
from torture.run import Run


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("--seed", default=str(time.time_ns() // 1_000_000 % 1_000_000))
    parser.add_argument("--ops", type=int, default=12_000)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--light", type=int, default=12, help="terminals in memory")
    parser.add_argument("--steady", type=int, default=3, help="terminals on a file (headless.Terminal)")
    parser.add_argument("--only", help="torments, with commas; all if left out")
    parser.add_argument("--without", default="", help="torments to leave out, with commas")
    parser.add_argument("--broken", help="modules of torture/broken, with commas")
    parser.add_argument("--keep", type=Path, help="where the journal goes when something is broken")
    return parser.parse_args()


def plan_of(said: argparse.Namespace) -> Plan:
    """The plan of a command line. Raises SystemExit for an unknown torment."""
    only = frozenset(said.only.split(",")) if said.only else ALL
    without = frozenset(said.without.split(",")) - {""}
    if unknown := (only | without) - ALL:
        raise SystemExit(f"no such torment: {', '.join(sorted(unknown))}; there are {', '.join(sorted(ALL))}")
    return Plan(
        said.seed, said.engine, said.ops, said.minutes, said.light, said.steady, only - without, said.broken
    )  # fmt: skip


def main() -> int:
    """Plays, judges, tells."""
    said = _arguments()
    plan = plan_of(said)
    run, keep = Run(plan), said.keep or Path(f"torture-{plan.engine}-{plan.seed}")
    try:
        told = run.play()
        begun = time.monotonic()
        verdict = judge(told.folder)
        summary = report.summary(plan.seed, plan.engine, told.seconds, told.torments, verdict, time.monotonic() - begun)
        if not verdict.broken:
            print(summary)
            return 0
        # The seed and the rules stand at both ends: logs are cut at either.
        broken = f"BROKEN: {report.rules(verdict)}; seed {plan.seed} on {plan.engine}"
        print(broken, summary, report.failure(verdict), sep="\n")
        (run.folder / "history.txt").write_text("\n".join(report.history(verdict)))
        _keep(run.folder, keep)
        print(broken)
        return 1
    except Exception:
        _keep(run.folder, keep)
        raise
    finally:
        run.clean()


def _keep(folder: Path, keep: Path) -> None:
    shutil.copytree(folder, keep, dirs_exist_ok=True, ignore=shutil.ignore_patterns("pg", "keys"))
    print(f"the full journal: {keep}")


if __name__ == "__main__":
    sys.exit(main())
