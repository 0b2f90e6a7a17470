"""Edits field by field, conflicts and settlements of the fake server (protocol section 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.headless.fake_refusals import Refusal

if TYPE_CHECKING:
    from tests.headless.fake_kinds import State


def change(state: State, op: dict[str, Any], now: str) -> dict[str, Any]:
    """An edit: each field takes effect where the server's value is the seen one, or the new one already."""
    row, fields = state.rows[op["record"]], op["fields"]
    doc = row["doc"]
    if set(fields) - {"name", "cell", "state"}:
        raise Refusal("field.unknown", "fields")
    disputed = [name for name, value in fields.items() if doc[name] not in (op["seen"][name], value)]
    if disputed or _open_one(state, row["id"], fields):
        return _dispute(state, op, row, disputed or list(fields), now)
    moved = state.moved(op)
    told = state.put(row["id"], "person", row["partition"], row["state"], doc | fields, now, op)
    return told | ({"status": "merged"} if moved else {})


def _open_one(state: State, record: str, fields: Any) -> dict[str, Any] | None:
    """The record's open conflict over one of these fields."""
    for row in state.rows.values():
        if row["kind"] == "conflict" and row["doc"]["state"] == "open" and row["doc"]["record"] == record:
            return row if set(row["doc"]["server"]) & set(fields) else None
    return None


def _dispute(state: State, op: dict[str, Any], row: dict[str, Any], names: list[str], now: str) -> dict[str, Any]:
    candidate = {
        "op": op["op"],
        "officer": {"id": op["officer"], "name": "…"},
        "terminal": op["terminal"],
        "verb": op["verb"],
        "base": op["base"],
        "observed_at": op["observed_at"],
        "seen": op["seen"],
        "fields": op["fields"],
    }
    known = _open_one(state, row["id"], op["fields"])
    doc = known["doc"] if known else {"record": row["id"], "kind": row["kind"], "state": "open", "server": {}}
    doc = {
        **doc,
        "server": doc["server"] | {name: row["doc"][name] for name in names},
        "candidates": [*doc.get("candidates", []), candidate],
        "settlements": doc.get("settlements", []),
    }
    conflict = known["id"] if known else state.new_id()
    state.put(conflict, "conflict", row["partition"], "open", doc, now, op)
    code = "record.disputed" if known else "record.conflict"
    return {"status": "conflict", "record": row["id"], "conflict": conflict, "problem": {"code": code}}


def settle(state: State, op: dict[str, Any], now: str) -> dict[str, Any]:
    """A settlement that saw every value makes the chosen ones a version of the record."""
    conflict, fields = state.rows[op["record"]], op["fields"]
    doc = conflict["doc"]
    row = state.rows[doc["record"]]
    by_op = {each["op"]: each["fields"] for each in doc["candidates"]}
    saw_all = set(fields["saw"]) == set(by_op) and all(row["doc"][k] == v for k, v in fields["server"].items())
    kept = {"op": op["op"], "officer": {"id": op["officer"]}, "choice": fields["choice"], "reason": fields["reason"]}
    kept |= {"accepted": saw_all, "problem": None if saw_all else "settlement.outdated"}
    left = {name: value for name, value in doc["server"].items() if not saw_all or name not in fields["choice"]}
    state_ = "open" if left else "settled"
    made = doc | {"state": state_, "server": left or doc["server"], "settlements": [*doc["settlements"], kept]}
    told = state.put(conflict["id"], "conflict", conflict["partition"], state_, made, now, op)
    if not saw_all:
        return {
            "status": "conflict",
            "record": op["record"],
            "conflict": op["record"],
            "problem": {"code": kept["problem"]},
        }
    chosen = {name: by_op[which][name] for name, which in fields["choice"].items() if which != "server"}
    if chosen:
        also = state.put(row["id"], row["kind"], row["partition"], row["state"], row["doc"] | chosen, now, op)
        told["also"] = [{name: also[name] for name in ("record", "version", "seq")}]
    return told
