"""What a run says: a summary, and of a failure what is broken and a shortened history."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from torture.checker.findings import INVARIANTS, Broken, Verdict
from torture.checker.store import Store

WIDTH = 160
"""Characters of a line: a log that is cut at either end still shows what matters."""
LINES = 12
FEW = 3
"""Rules of which two examples are given each; of more, one each, and of no more than twice as many."""
FULL = 700
"""Characters of a line in the file that a failed run leaves, and as many lines."""


def summary(
    seed: str, engine: str, seconds: float, torments: dict[str, int], verdict: Verdict, judging: float
) -> str:  # fmt: skip
    """A few lines on what was done and looked at."""
    captured = verdict.counts["captured"]
    pace = captured / seconds * 60 if seconds else 0
    done = _listed(torments)
    return (
        f"seed {seed} on {engine}: {captured} operations in {seconds:.0f} s ({pace:.0f} a minute); judged in {judging:.1f} s\n"
        f"  torments: {done or 'none but those of the line and the terminals'}\n"
        f"  fates: {_listed(verdict.statuses)}\n  looked at: {_listed(verdict.counts)}\n"
        f"  remarks: {_listed(verdict.remarks)[:600] or 'none'}\n"
        f"  {'BROKEN' if verdict.broken else 'all invariants hold'}"
    )


def _listed(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {times}" for name, times in sorted(counted.items()))


def rules(verdict: Verdict) -> str:
    """The names of the broken rules."""
    return ", ".join(dict.fromkeys(broken.rule for broken in verdict.broken))


def failure(verdict: Verdict) -> str:
    """What is broken by each rule, and a shortened history of what the first of them is about."""
    lines: list[str] = []
    by_rule: dict[str, list[Broken]] = {}
    for broken in verdict.broken:
        by_rule.setdefault(broken.rule, []).append(broken)
    few = len(by_rule) <= FEW
    for rule, each in list(by_rule.items())[: 2 * FEW]:
        meaning = f" ({INVARIANTS[each[0].invariant]})" if few else ""
        lines.append(f"  invariant {each[0].invariant}{meaning}, {verdict.remarks[f'broken: {rule}']} times")
        examples, width = (each[:2], 3 * WIDTH // 2) if few else (each[:1], WIDTH)
        lines += [f"    {rule}: {broken.what}"[:width] for broken in examples]
    return "\n".join([*lines, *history(verdict, LINES, WIDTH)])


def history(verdict: Verdict, lines: int = FULL, width: int = FULL) -> list[str]:
    """What the store and the terminals say of what the first broken rule is about: so many lines, so wide."""
    first = verdict.broken[0]
    told = story(verdict.stores[-1], set(first.about)) if verdict.stores else []
    near = [event for event in verdict.events if _concerns(event, set(first.about))]
    start: Any = verdict.events[0]["us"] if verdict.events else 0
    heard = [_line(event, start, set(first.about)) for event in near]
    both = [*_shortened(told, lines // 2), "", *_shortened(heard, lines // 2)]
    return [f"history of the first, {first.rule}: {first.what}"[:width], *(line[:width] for line in both)]


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
