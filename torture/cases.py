"""Work on other kinds than rounds: reports that are amended, handled and withdrawn, talks, duties, releases."""

from __future__ import annotations

from typing import Any

from torture.chain import Item
from torture.factor import confirmed
from torture.held import Row
from torture.keys import to_text, uuid7
from torture.town import WARD_POSTS, places, post
from torture.wire import HOST
from torture.work import BY_SESSION, MINUTE, WALKERS, Work

REPORTERS = WALKERS | {"INT"}
CATEGORIES = ("conduct", "dispute", "illness", "mood", "damage")
SEVERITIES = ("ordinary", "important", "urgent")
TALKERS = frozenset({"DISC", "LEAD", "DIR"})
LEADERS = frozenset({"LEAD", "DIR"})


def _post(work: Work) -> str | None:
    return post(work.light.seat.number) if work.light.seat is not None else None


def _row(work: Work, kind: str, *states: str) -> Row | None:
    """One of the rows of a kind that are held, in one of these states."""
    found = [row for row in work.light.held.rows.values() if row.said["kind"] == kind and row.said["state"] in states]
    return work.chance.choice(sorted(found, key=lambda row: str(row.said["id"]))[-12:]) if found else None


def _cell(work: Work) -> str:
    seat = work.light.seat
    assert seat is not None
    wards = work.wards.get(seat.number, ()) if post(seat.number) in WARD_POSTS else ("A", "B", "C")
    codes = [code for code, (kind, ward) in places().items() if kind == "cell" and ward in (wards or ("A",))]
    return work.town.ids[work.chance.choice(codes)]


def report(work: Work) -> Item | None:
    """What was seen, about a place, or about a person who is held here."""
    if _post(work) not in REPORTERS or not work.town.can("dynamic_info", "report"):
        return None
    person = _row(work, "person", "held") if work.chance.random() < 0.4 else None
    fields: dict[str, Any] = {
        "category": work.chance.choice(CATEGORIES), "severity": work.chance.choice(SEVERITIES),
        "person": person.said["id"] if person else None, "place": None if person else _cell(work), "involved": [],
        "text": f"所见 {work.light.name} {work.light.chain.last}",
    }  # fmt: skip
    return work.do("dynamic_info", "report", uuid7(work.chance, work.light.device.now()), fields)


def amend(work: Work) -> Item | None:
    """What is thought of a report changes, in one field or two."""
    row = _row(work, "dynamic_info", "open", "handled")
    if row is None or _post(work) not in REPORTERS:
        return None
    note = f"批注 {work.light.name} {work.light.chain.last}"
    fields: dict[str, Any] = work.chance.choice((
        {"note": note}, {"severity": work.chance.choice(SEVERITIES)},
        {"category": work.chance.choice(CATEGORIES)}, {"category": work.chance.choice(CATEGORIES), "note": note},
    ))  # fmt: skip
    return work.edit("dynamic_info", "amend", row.said["id"], fields)


def handle(work: Work) -> Item | None:
    """A report is handled, or withdrawn: two things that race each other and every amendment."""
    row = _row(work, "dynamic_info", "open")
    seat = work.light.seat
    if row is None or seat is None or _post(work) not in REPORTERS:
        return None
    known = work.mine(row.said["id"])
    if known is None or known[2] != "open":
        return None
    withdraws = work.chance.random() < 0.7 and _post(work) in row.said["doc"]["reported"]["posts"]
    verb, fields = ("withdraw", {"reason": "误报"}) if withdraws else ("handle", {"disposal": "已处置"})
    return work.step("dynamic_info", verb, row.said["id"], fields, known)


def talk(work: Work) -> Item | None:
    """A talk with a person held, signed."""
    row = _row(work, "person", "held")
    if row is None or _post(work) not in TALKERS or not work.town.can("talk", "record"):
        return None
    ended = work.light.device.now()
    fields = {
        "person": row.said["id"], "place": row.said["doc"]["cell"], "sort": "education", "occasion": "monthly",
        "started_at": to_text(ended - work.chance.randint(1, 25) * MINUTE), "ended_at": to_text(ended), "participants": [],
        "interpreter": None, "mood": "calm", "topics": ["rules"], "summary": f"谈话 {work.light.chain.last}",
        "follow_up": None, "follow_up_on": None,
    }  # fmt: skip
    record = uuid7(work.chance, ended)
    return work.do("talk", "record", record, fields, signoff=BY_SESSION)


def duty(work: Work) -> Item | None:
    """A leader issues one; anybody acknowledges, completes, hands on or calls off what he holds: a decision each."""
    if not work.town.can("duty", "issue"):
        return None
    row = _row(work, "duty", "issued", "acknowledged")
    if row is None or (_post(work) in LEADERS and work.chance.random() < 0.4):
        return _issue(work)
    known = work.mine(row.said["id"])
    if known is None or _post(work) not in REPORTERS:
        return None
    verb, fields = work.chance.choice((
        ("acknowledge", {}), ("complete", {"result": "已完成", "record": None}), ("cancel", {"reason": "不再需要"}),
        ("complete", {"result": "完成", "record": None}),
    ))  # fmt: skip
    if known[2] not in (("issued",) if verb == "acknowledge" else ("issued", "acknowledged")):
        return None
    return work.step("duty", verb, row.said["id"], fields, known)


def _issue(work: Work) -> Item | None:
    if _post(work) not in LEADERS:
        return None
    now = work.light.device.now()
    fields = {
        "rule": None, "directive": "加强巡视", "source": None, "cause": None, "posts": ["PAT", "DISC"], "officer": None,
        "person": None, "place": _cell(work), "opens_at": to_text(now), "due_at": to_text(now + 60 * MINUTE),
        "asks": None, "loud": False, "warn_at": None, "chain": [],
    }  # fmt: skip
    return work.do("duty", "issue", uuid7(work.chance, now), fields)


def release(work: Work) -> Item | None:
    """A person leaves, confirmed on line: his partition leaves every scope."""
    if _post(work) != "INT" or not work.town.can("person", "release") or work.chance.random() < 0.7:
        return None
    row = _row(work, "person", "held")
    known = work.mine(row.said["id"]) if row is not None else None
    if row is None or known is None or known[1].get("state") != "held":
        return None
    fields = {
        "ground": work.town.ground, "document": f"R-{work.light.chain.last}", "note": None,
        "released_at": to_text(work.light.device.now()),
    }  # fmt: skip
    record = str(row.said["id"])
    decision = {"kind": "person", "verb": "release", "record": record, "base": known[0], "fields": fields}
    named = confirmed(work.light, f"http://{HOST}", decision)
    if named is None:
        return None
    return work.step("person", "release", record, fields, known, signoff=BY_SESSION | {"confirmation": named})
