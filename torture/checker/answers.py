"""Answers that may not be given at all, and terminals that never came to an end."""

from __future__ import annotations

from typing import Any

from torture.checker.findings import Verdict
from torture.checker.history import History

EXPECTED = frozenset({
    "server.busy", "terminal.busy", "server.behind", "session.expired", "session.missing", "session.refused",
    "sign_in.locked", "terminal.revoked", "terminal.unknown", "chain.fork", "incarnation.frozen", "incarnation.taken",
    "proof.nonce_required", "evacuation.not_ordered", "partition.forbidden", "snapshot.gone", "batch.too_large",
    "stream.full", "factor.none", "factor.refused", "factor.locked",
})  # fmt: skip
"""Refusals that an honest terminal may meet. ``proof.invalid`` only when a restored server knows another key.

Of second factors: an officer has none before he adds one, nor after a restore to before that; a challenge is over when
the server's clock has jumped or a restore has lost it; two terminals of one officer add his one key at once.
"""

RESTLESS = "cannot be made like the server's"
"""What a terminal on a file says of a repair whose partition had moved on each time."""
GRACE = 2_000_000
"""Microseconds in which an answer of a server that is gone may still arrive."""


def check(history: History, told: dict[str, Any], verdict: Verdict) -> None:
    """Looks at every refusal, and at how the run ended."""
    restored = any(event["what"] == "restore.end" for event in history.director)
    for event in history.events:
        if event["what"] == "refused":
            verdict.remarks[f"answer {event['status']} {event['code']}"] += 1
            early = event["code"] == "schema.unsupported" and event["us"] < history.upgraded + GRACE
            wrong = event["status"] >= 500 and event["status"] != 503
            excused = early or event["code"] in EXPECTED or (restored and event["code"] == "proof.invalid")
            if wrong or not excused:
                what = (
                    f"{event['who']} asked {event['route']} and got {event['status']} {event['code']}: {event['body']}"
                )
                verdict.add(2, "answer.forbidden", what, event["who"])
        elif event["what"] == "garbled":
            what = f"{event['who']}: the snapshot of {event['partition']} is not the bytes that were told"
            verdict.add(3, "snapshot.bytes", what, event["who"])
        elif event["what"] == "endless":
            verdict.add(3, "pull.endless", f"{event['who']} pulls for ever", event["who"])
        elif event["what"] == "backup.refused":
            verdict.add(5, "backup.refused", f"a copy of the store does not verify: {event['said']}")
        elif event["what"] == "broken" and RESTLESS not in event["why"]:
            what = f"{event['who']} says that the server broke the protocol: {event['why']}"
            verdict.add(2, "protocol.broken", what, event["who"])
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
