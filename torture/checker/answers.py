"""Answers that may not be given at all, and terminals that never came to an end."""

from __future__ import annotations

from typing import Any

from torture.checker.findings import Verdict
from torture.checker.history import History

EXPECTED = frozenset({
    "server.busy", "terminal.busy", "server.behind", "session.expired", "session.missing", "session.refused",
    "sign_in.locked", "terminal.revoked", "terminal.unknown", "chain.fork", "incarnation.frozen", "incarnation.taken",
    "proof.nonce_required", "evacuation.not_ordered", "partition.forbidden", "snapshot.gone", "batch.too_large",
})  # fmt: skip
"""Refusals that an honest terminal may meet. ``proof.invalid`` only when a restored server knows another key."""


def check(history: History, told: dict[str, Any], verdict: Verdict) -> None:
    """Looks at every refusal, and at how the run ended."""
    restored = any(event["what"] == "restore.end" for event in history.director)
    for event in history.events:
        if event["what"] == "refused":
            verdict.remarks[f"answer {event['status']} {event['code']}"] += 1
            wrong = event["status"] >= 500 and event["status"] != 503
            excused = event["code"] in EXPECTED or (restored and event["code"] == "proof.invalid")
            if wrong or not excused:
                what = (
                    f"{event['who']} asked {event['route']} and got {event['status']} {event['code']}: {event['body']}"
                )
                verdict.add(2, "answer.forbidden", what, event["who"])
        elif event["what"] == "endless":
            verdict.add(3, "pull.endless", f"{event['who']} pulls for ever", event["who"])
        elif event["what"] == "backup.refused":
            verdict.add(5, "backup.refused", f"a copy of the store does not verify: {event['said']}")
        elif event["what"] in ("broken", "headless"):
            verdict.remarks[f"steady: {event['why'][:60]}"] += 1
        elif event["what"] == "admin.fault":
            verdict.add(2, "admin.fault", f"{event['words']}: {event['fault'][-600:]}")
    for line in told["faults"]:
        verdict.add(2, "server.fault", line)
    if not told["empty"]:
        end = next(event for event in history.director if event["what"] == "end")
        what = f"queues that do not empty: {end['waiting']}; pulls that do not end: {end['unread']}"
        verdict.add(2, "quiet.restless", what, *end["waiting"])
