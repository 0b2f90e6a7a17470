"""The kinds of protocol section 14, as the fake server reads them: enough to apply, refuse, wait and dispute."""

from __future__ import annotations

import json
from typing import Any

from tests.headless import fake_disputes as disputes
from tests.headless.fake_crypto import uuid7
from tests.headless.fake_refusals import Missing, Refusal

KEYS = {
    "op", "terminal", "incarnation", "n", "kind", "schema", "verb", "record", "base", "after", "officer", "session",
    "observed_at", "recorded_at", "clock", "anchor", "signoff", "attachments", "fields",
}  # fmt: skip
EDITS = {("person", "change")}
CHANGES = {("patrol.round", "close"), ("person", "change"), ("conflict", "settle")}
RESPONSES = {"spoke", "moving", "breathing", "none"}
OBSERVATIONS = {"asleep", "calm", "talking", "low_mood", "agitated", "dispute", "unwell", "damage", "other"}


class State:
    """Rows by id, outcomes by operation, and how often each operation took effect."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.effects: dict[str, int] = {}
        self.hands: dict[str, tuple[tuple[str, str], int]] = {}
        """Record → whose hand made its present version, and since which one."""
        self.seq = 0

    def new_id(self) -> str:
        """Of a record that the server makes."""
        return uuid7()

    def put(
        self, id_: str, kind: str, partition: str, state: str, doc: dict[str, Any], now: str, op: dict[str, Any]
    ) -> dict[str, Any]:
        """A new version of a record; returns what the outcome says of it."""
        self.seq += 1
        version = self.rows[id_]["version"] + 1 if id_ in self.rows else 1
        hand = (op.get("terminal", ""), op.get("officer", ""))
        before = self.hands.get(id_)
        self.hands[id_] = (hand, before[1] if before and before[0] == hand else version)
        self.rows[id_] = {
            "id": id_,
            "kind": kind,
            "version": version,
            "seq": self.seq,
            "partition": partition,
            "state": state,
            "author": {"officer": op.get("officer"), "name": "…"},
            "terminal": op.get("terminal"),
            "op": op.get("op"),
            "observed_at": op.get("observed_at"),
            "recorded_at": op.get("recorded_at"),
            "received_at": now,
            "proven_from": None,
            "marks": [],
            "signoff": op.get("signoff"),
            "doc": doc,
        }
        return {"status": "applied", "record": id_, "version": version, "seq": self.seq, "marks": []}

    def moved(self, op: dict[str, Any]) -> bool:
        """Whether others have changed an operation's record since its base (section 10)."""
        hand, since = self.hands[op["record"]]
        mine = hand == (op["terminal"], op["officer"]) and since <= op["base"] + 1
        return bool(op["base"] < self.rows[op["record"]]["version"]) and not mine


def read_operation(raw: bytes) -> dict[str, Any]:
    """Strict reading (sections 1 and 5). Raises ValueError for what must be quarantined."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in items}) != len(items):
            raise ValueError("a key stands twice")
        return dict(items)

    def never(text: str) -> Any:
        raise ValueError(f"not a whole number: {text}")

    operation = json.loads(raw.decode(), object_pairs_hook=pairs, parse_float=never, parse_constant=never)
    _values(operation)
    if not isinstance(operation, dict) or set(operation) - {"seen"} != KEYS:
        raise ValueError("not the keys of an operation")
    if (operation["kind"], operation["verb"]) in EDITS and not set(operation["fields"]) <= set(operation["seen"]):
        raise ValueError("not all that was changed was seen")
    return operation


def _values(value: Any) -> None:
    if isinstance(value, str):
        value.encode()
        if "\0" in value:
            raise ValueError("NUL")
    elif isinstance(value, int) and abs(value) >= 2**53:
        raise ValueError("a number beyond 2^53")
    elif isinstance(value, dict):
        for key, item in value.items():
            _values(key)
            _values(item)
    elif isinstance(value, list):
        for item in value:
            _values(item)


def applied(state: State, operation: dict[str, Any], now: str, *, forced: bool = False) -> dict[str, Any]:
    """Apply one operation; the part of its outcome after `op`. Raises Refusal; Missing unless it is `forced`."""
    missing = []
    for needed in operation["after"]:
        status = state.outcomes.get(needed, {}).get("status", "held")
        if status == "held":
            missing.append({"op": needed})
        elif status not in ("applied", "merged", "conflict"):
            raise Refusal("dependency.rejected", "after")
    if (operation["kind"], operation["verb"]) in CHANGES and operation["record"] not in state.rows:
        missing.append({"record": operation["record"]})
    if missing and not forced:
        raise Missing(*missing)
    apply = {
        ("patrol.round", "open"): _open,
        ("patrol.round", "close"): _close,
        ("patrol.visit", "record"): _visit,
        ("person", "change"): disputes.change,
        ("conflict", "settle"): disputes.settle,
    }.get((operation["kind"], operation["verb"]))
    if apply is None:
        raise Refusal("kind.unknown", "kind")
    told = apply(state, operation, now)
    if missing:
        told["marks"] = [{"code": "dependency.missing", "rule": None}]
    state.effects[operation["op"]] = state.effects.get(operation["op"], 0) + 1
    return told


def _open(state: State, op: dict[str, Any], now: str) -> dict[str, Any]:
    area = state.rows.get(op["fields"].get("area"))
    if set(op["fields"]) != {"area", "companions"} or area is None or area["doc"].get("type") != "ward":
        raise Refusal("field.invalid", "fields.area")
    if op["base"] != 0 or op["record"] in state.rows:
        raise Refusal("record.exists", "record")
    return state.put(op["record"], op["kind"], area["partition"], "open", op["fields"], now, op)


def _close(state: State, op: dict[str, Any], now: str) -> dict[str, Any]:
    row, fields = state.rows.get(op["record"]), op["fields"]
    if row is None:  # its opening never came
        raise Refusal("record.unknown", "record")
    if op["signoff"] is None:
        raise Refusal("signoff.needed", "signoff")
    if fields["result"] not in ("completed", "interrupted") or (fields["result"] == "interrupted") == (
        fields["reason"] is None
    ):
        raise Refusal("field.invalid", "fields.reason")
    if op["base"] != row["version"]:
        return {
            "status": "conflict",
            "record": op["record"],
            "conflict": op["op"],
            "problem": {"code": "record.conflict"},
        }
    return state.put(op["record"], op["kind"], row["partition"], "closed", row["doc"] | fields, now, op)


def _visit(state: State, op: dict[str, Any], now: str) -> dict[str, Any]:
    fields = op["fields"]
    place = state.rows.get(fields["place"])
    if fields["round"] not in state.rows or place is None or op["record"] in state.rows:
        raise Refusal("field.invalid", "fields.round")
    cell = fields["cell"]
    if (place["doc"]["type"] == "cell") != (cell is not None):
        raise Refusal("field.invalid", "fields.cell")
    if cell is not None:
        if not 0 <= cell["headcount"] <= 200:
            raise Refusal("field.invalid", "fields.cell.headcount")
        if cell["response"] not in RESPONSES or cell["observation"] not in OBSERVATIONS:
            raise Refusal("field.invalid", "fields.cell.observation")
    if fields["tag"] is None and not fields["note"]:
        raise Refusal("field.required", "fields.note")
    return state.put(op["record"], op["kind"], place["partition"], "recorded", fields, now, op)
