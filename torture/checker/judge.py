"""Puts the checks together."""

from __future__ import annotations

import json
from pathlib import Path

from torture.checker import answers, chains, fates, history, log, model, outcomes, scope, store, streams
from torture.checker.findings import Verdict


def judge(folder: Path) -> Verdict:
    """Judges a run from its folder: ``journal/`` and ``run.json``, which says where the stores are."""
    told = json.loads((folder / "run.json").read_text())
    seen = history.read(folder / "journal")
    stores = [store.read(place, "TORT") for place in told["ledgers"]]
    verdict = Verdict(events=seen.events, stores=stores)
    log.check(seen, stores, verdict)
    outcomes.check(seen, stores, verdict)
    chains.check(seen, stores, verdict)
    for each in stores:
        fates.check(seen, each, verdict, now=seen.season if each is stores[-1] else 0)
        model.check(each, verdict)
    streams.check(seen, stores, scope.check(seen, stores, verdict), verdict)
    answers.check(seen, told, verdict)
    return verdict
