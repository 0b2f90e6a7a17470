"""What a run says: a summary, and of a failure its seed, what is broken and a shortened history."""

from __future__ import annotations

import base64
import json
from typing import Any

from torture.checker.findings import INVARIANTS, Broken, Verdict
from torture.checker.store import Store

LINES = 60
EXAMPLES = 4


def summary(
    seed: str, engine: str, seconds: float, torments: dict[str, int], verdict: Verdict, judging: float
) -> str:  # fmt: skip
    """A few lines on what was done and looked at."""
    captured = verdict.counts["captured"]
    pace = captured / seconds * 60 if seconds else 0
    done = ", ".join(f"{name} {times}" for name, times in sorted(torments.items()))
    fates = ", ".join(f"{name} {times}" for name, times in sorted(verdict.statuses.items()))
    looked = ", ".join(f"{name} {times}" for name, times in sorted(verdict.counts.items()))
    said = ", ".join(f"{name} {times}" for name, times in sorted(verdict.remarks.items()))
    return (
        f"seed {seed} on {engine}: {captured} operations in {seconds:.0f} s ({pace:.0f} a minute); judged in {judging:.1f} s\n"
        f"  torments: {done or 'none but those of the line and the terminals'}\n  fates: {fates}\n  looked at: {looked}\n"
        f"  remarks: {said or 'none'}\n  {'BROKEN' if verdict.broken else 'all invariants hold'}"
    )


def failure(seed: str, verdict: Verdict) -> str:
    """The seed, each broken rule, and a shortened history of what the first of them is about."""
    lines = [f"\nBROKEN with seed {seed}:"]
    by_rule: dict[str, list[Broken]] = {}
    for broken in verdict.broken:
        by_rule.setdefault(broken.rule, []).append(broken)
    for rule, each in by_rule.items():
        times = verdict.remarks[f"broken: {rule}"]
        lines.append(f"  invariant {each[0].invariant} ({INVARIANTS[each[0].invariant]}), {times} times")
        lines += [f"    {rule}: {broken.what}" for broken in each[:EXAMPLES]]
    first = verdict.broken[0]
    lines.append(f"\nhistory of the first, {first.rule}:")
    told = story(verdict.stores[-1], set(first.about)) if verdict.stores else []
    return "\n".join([*lines, *_shortened(told, LINES // 2), "", *history(first, verdict.events)])


def story(store: Store, about: set[str]) -> list[str]:
    """What the store says of some operations and records, in the order of its log: operations that name them, versions."""
    found: list[tuple[tuple[int, int], str]] = []
    for row in store["operations"]:
        raw = row.raw.decode(errors="replace")
        outcome = row.outcome.decode()
        if row.op in about or any(f'"record":"{each}"' in raw or each in outcome for each in about):
            found.append(((row.epoch, row.leaf), _told(row, raw, outcome)))
    for (record, version), body in store.bodies.items():
        said = body.said
        if record in about or (said["doc"] or {}).get("record") in about:
            place = store.by_op.get(said["op"])
            where = (place.epoch, place.leaf) if place is not None else (0, 0)
            doc = json.dumps(said["doc"], ensure_ascii=False)
            text = f"   version {version} of {said['kind']} {record} {said['state']} by {said['op']}: {doc[:500]}"
            found.append((where, text))
    return [text for _, text in sorted(found, key=lambda each: each[0])]


def _told(row: Any, raw: str, outcome: str) -> str:
    begin = f"log {row.epoch}/{row.leaf}: {row.terminal[-6:]} {row.incarnation}/{row.n} {row.op} {row.status}"
    try:
        said = json.loads(raw)
        what = {name: said.get(name) for name in ("kind", "verb", "record", "base", "seen", "fields", "after")}
    except (ValueError, AttributeError):
        return f"{begin}: {raw[:200]}"
    code = (json.loads(outcome).get("problem") or {}).get("code")
    return f"{begin} {code or ''}: {json.dumps(what, ensure_ascii=False)[:500]}"


def _shortened(lines: list[str], most: int) -> list[str]:
    if len(lines) <= most:
        return lines
    return [*lines[: most // 2], f"   … {len(lines) - most} more …", *lines[-(most // 2) :]]


def history(broken: Broken, events: list[dict[str, Any]]) -> list[str]:
    """The terminals' events of the operations and records concerned: at most thirty lines."""
    about = set(broken.about)
    near = [event for event in events if _concerns(event, about)]
    start = events[0]["us"] if events else 0
    return _shortened([_line(event, start, about) for event in near], LINES // 2)


def _concerns(event: dict[str, Any], about: set[str]) -> bool:
    """Whether an event is about one of these; of a pull, whether one of its rows is."""
    if event["what"] == "pulled":
        return any(row[0] in about for part in event["parts"] for row in part[5])
    return event["what"] not in ("founded", "final") and any(each in _speaks(event) for each in about)


def _speaks(event: dict[str, Any]) -> str:
    """An event as text, with the operation's bytes readable."""
    text = json.dumps(event, ensure_ascii=False)
    if event["what"] == "captured":
        text += base64.b64decode(event["raw"]).decode(errors="replace")
    return text


def _line(event: dict[str, Any], start: int, about: set[str]) -> str:
    rest = {key: value for key, value in event.items() if key not in ("us", "ms", "who", "what", "hash")}
    if event["what"] == "captured":
        rest["raw"] = base64.b64decode(event["raw"]).decode(errors="replace")[300:900]
    if event["what"] == "told":
        answer = json.loads(event["answer"])
        rest["answer"] = [each for each in answer["outcomes"] if about & {each["op"], each.get("record")}] or "…"
        rest |= {name: answer.get(name) for name in ("next", "missing", "epoch")}
    if event["what"] == "pulled":
        rest["parts"] = [[part[0], [row for row in part[5] if row[0] in about]] for part in event["parts"]]
        rest["parts"] = [part for part in rest["parts"] if part[1]]
        rest.pop("head")
    text = json.dumps(rest, ensure_ascii=False)[:700]
    return f"{(event['us'] - start) / 1e6:9.3f} {event['who']:>9} {event['what']:<10} {text}"
