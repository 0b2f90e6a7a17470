"""Operations that cannot be read, or not as this terminal's: kept byte for byte, told apart, in nobody's way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import orjson

from backend.kernel.framing import MAX_OPERATION
from backend.storage import tables
from headless.chain import uuid7
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import World


def raw(h: Hand, **other: Any) -> bytes:
    """A right operation of the hand's next number, with other keys."""
    area = {"area": h.world.ids["W"], "companions": []}
    return orjson.dumps(h.say("patrol.round", "open", uuid7(), area) | other)


def without(h: Hand, key: str) -> bytes:
    """A right operation that lacks a key."""
    return orjson.dumps({name: value for name, value in orjson.loads(raw(h)).items() if name != key})


def edited(old: bytes, new: bytes) -> Any:
    """A right operation in whose bytes something is replaced."""

    def make(h: Hand) -> bytes:
        right = raw(h)
        assert right.count(old) == 1, old
        return right.replace(old, new)

    return make


COMPANIONS = b'"companions":[]'
UNREADABLE: dict[str, tuple[Any, str]] = {
    "nothing": (lambda h: b"", "syntax"),
    "words": (lambda h: b"not JSON", "syntax"),
    "bytes that are no UTF-8": (lambda h: b'{"op":"\xff\xfe"}', "syntax"),
    "half an operation": (lambda h: raw(h)[:-1], "syntax"),
    "two operations": (lambda h: raw(h) + raw(h), "syntax"),
    "a byte order mark": (lambda h: b"\xef\xbb\xbf" + raw(h), "syntax"),
    "a comma too many": (edited(COMPANIONS, b'"companions":[],'), "syntax"),
    "a raw line break in a text": (edited(COMPANIONS, b'"companions":["\n"]'), "syntax"),
    "a list": (lambda h: b"[" + raw(h) + b"]", "not_object"),
    "a text": (lambda h: b'"operation"', "not_object"),
    "null": (lambda h: b"null", "not_object"),
    "a number": (lambda h: b"17", "not_object"),
    "a key twice": (lambda h: raw(h)[:-1] + b',"n":1}', "duplicate_key"),
    "a key twice, inside": (edited(COMPANIONS, b'"companions":[],"companions":[]'), "duplicate_key"),
    "a key twice, once in escapes": (edited(COMPANIONS, b'"companions":[],"\\u0061rea":"x"'), "duplicate_key"),
    "a lone surrogate": (edited(COMPANIONS, b'"companions":["\\ud83d"]'), "surrogate"),
    "a lone surrogate in a key": (edited(COMPANIONS, b'"companions":[],"\\udc00":1'), "surrogate"),
    "surrogates the wrong way round": (edited(COMPANIONS, b'"companions":["\\ude00\\ud83d"]'), "surrogate"),
    "NUL": (edited(COMPANIONS, b'"companions":["a\\u0000"]'), "nul"),
    "NUL in a key": (edited(COMPANIONS, b'"companions":[],"\\u0000":1'), "nul"),
    "a float": (edited(b'"base":0', b'"base":0.0'), "number"),
    "an exponent": (edited(b'"base":0', b'"base":0e0'), "number"),
    "not a number": (edited(b'"base":0', b'"base":NaN'), "number"),
    "infinity": (edited(b'"base":0', b'"base":-Infinity'), "number"),
    "2^53": (edited(b'"base":0', b'"base":9007199254740992'), "number"),
    "-2^53": (edited(b'"base":0', b'"base":-9007199254740992'), "number"),
    "a number of 5,000 digits": (edited(b'"base":0', b'"base":' + b"9" * 5000), "number"),
    "34 levels": (edited(COMPANIONS, b'"companions":' + b"[" * 32 + b"]" * 32), "depth"),
    "30,000 levels": (edited(COMPANIONS, b'"companions":' + b"[" * 30_000 + b"]" * 30_000), "depth"),
    "more than 64 KiB": (lambda h: raw(h) + b" " * MAX_OPERATION, "length"),
}

MISREAD: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "another number inside": ({"n": 99}, "operation.misaddressed", None),
    "another terminal inside": ({"terminal": uuid7()}, "operation.misaddressed", None),
    "another incarnation inside": ({"incarnation": 2}, "operation.misaddressed", None),
    "an unknown key": ({"priority": 1}, "field.unknown", "priority"),
    "a number that is text": ({"n": "1"}, "field.invalid", "n"),
    "a number that is true": ({"incarnation": True}, "field.invalid", "incarnation"),
    "a base below zero": ({"base": -1}, "field.invalid", "base"),
    "a record that is no id": ({"record": "1"}, "field.invalid", "record"),
    "a version 4 id": ({"record": "0b2fbb34-7a4d-4a53-9a7c-5d2f0d3c1e11"}, "field.invalid", "record"),
    "an id in capitals": ({"session": uuid7().upper()}, "field.invalid", "session"),
    "needs that are no list": ({"after": uuid7()}, "field.invalid", "after"),
    "65 needs": ({"after": [uuid7() for _ in range(65)]}, "field.invalid", "after"),
    "a need that is no id": ({"after": [uuid7(), "x"]}, "field.invalid", "after.1"),
    "a time without decimals": ({"observed_at": "2026-11-22T03:14:15Z"}, "field.invalid", "observed_at"),
    "a time with an offset": ({"observed_at": "2026-11-22T03:14:15+0000"}, "field.invalid", "observed_at"),
    "the thirtieth of February": ({"observed_at": "2026-02-30T03:14:15.123Z"}, "field.invalid", "observed_at"),
    "a sixtieth minute": ({"recorded_at": "2026-11-22T03:60:15.123Z"}, "field.invalid", "recorded_at"),
    "digits of another script": ({"recorded_at": "２０２６-11-22T03:14:15.123Z"}, "field.invalid", "recorded_at"),
    "the year zero": ({"recorded_at": "0000-11-22T03:14:15.123Z"}, "field.invalid", "recorded_at"),
    "a clock that is null": ({"clock": None}, "field.invalid", "clock"),
    "a clock without its boot": ({"clock": {"monotonic": 1}}, "field.missing", "clock.boot"),
    "an anchor of no leaves": ({"anchor": {"epoch": 1, "size": 0, "root": "A" * 43}}, "field.invalid", "anchor.size"),
    "a root that is no hash": ({"anchor": {"epoch": 1, "size": 1, "root": "A"}}, "field.invalid", "anchor.root"),
    "a sign-off by nod": ({"signoff": {"method": "nod", "evidence": [], "challenge": None}}, "field.invalid",
                          "signoff.method"),
    "a sign-off that is true": ({"signoff": True}, "field.invalid", "signoff"),
    "attachments by name": ({"attachments": ["a.jpg"]}, "field.invalid", "attachments.0"),
    "fields that are a list": ({"fields": []}, "field.invalid", "fields"),
    "fields that are null": ({"fields": None}, "field.invalid", "fields"),
    "a kind that is no text": ({"kind": 7}, "field.invalid", "kind"),
}  # fmt: skip

UNFIT: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "a kind that there is not": ({"kind": "patrol.dance"}, "kind.unknown", "kind"),
    "a verb that there is not": ({"verb": "begin"}, "verb.unknown", "verb"),
    "a base where it creates": ({"base": 1}, "field.invalid", "base"),
    "no base where it changes": ({"verb": "close"}, "field.invalid", "base"),
    "no sign-off where there must be one": ({"verb": "close", "base": 1, "fields": {"result": "completed",
        "reason": None, "visits": 0}}, "signoff.missing", "signoff"),
}  # fmt: skip


def between_good_ones(h: Hand, bad: Iterable[Callable[[], bytes]]) -> list[dict[str, Any]]:
    """Writes a round, a bad operation before each of its stops, and closes it; returns all outcomes."""
    round_, opened = h.open()
    for make in bad:
        h.put(make())
        h.visit(round_, "K")
    h.close_round(round_, after=[opened])
    return h.told()


def check(h: Hand, told: list[dict[str, Any]], status: str, expected: dict[str, tuple[str, str | None]]) -> None:
    """Every second outcome from the second on is that of a bad operation; all others were applied; bytes are kept."""
    assert [outcome["status"] for outcome in told[::2]] == ["applied"] * (len(expected) + 1)
    found = {
        name: (outcome["problem"]["code"], outcome["problem"].get("field"))
        for name, outcome in zip(expected, told[1::2], strict=False)
    }
    assert found == expected
    assert {outcome["status"] for outcome in told[1 : 2 * len(expected) : 2]} == {status}
    kept = store.rows(h.world, tables.operations, terminal=h.terminal)
    assert [row.raw for row in kept] == [frame[2] for frame in h.frames]
    assert [row.outcome for row in kept] == [orjson.dumps(outcome) for outcome in told]
    assert len(store.rows(h.world, tables.records, terminal=h.terminal)) == len(expected) + 1
    store.verified(h.world)


def test_what_nobody_can_read_is_kept_and_stops_nothing(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    told = between_good_ones(h, [partial(make, h) for make, _ in UNREADABLE.values()])
    check(h, told, "quarantined", dict.fromkeys(UNREADABLE, ("operation.unreadable", None)))
    reasons = [outcome["problem"]["detail"]["reason"] for outcome in told[1:-1:2]]
    assert dict(zip(UNREADABLE, reasons, strict=True)) == {name: reason for name, (_, reason) in UNREADABLE.items()}
    assert {outcome["op"] for outcome in told[1:-1:2]} == {None}


def test_what_is_no_operation_of_this_terminal_is_kept_and_stops_nothing(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    told = between_good_ones(h, [partial(raw, h, **other) for other, _, _ in MISREAD.values()])
    check(h, told, "quarantined", {name: (code, field) for name, (_, code, field) in MISREAD.items()})


def test_a_missing_key_is_named(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    keys = list(h.say("", "", "", {}))
    told = between_good_ones(h, [partial(without, h, key) for key in keys])
    check(h, told, "quarantined", {key: ("field.missing", key) for key in keys})


def test_what_is_read_but_fits_nothing_is_rejected_and_stops_nothing(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    told = between_good_ones(h, [partial(raw, h, **other) for other, _, _ in UNFIT.values()])
    check(h, told, "rejected", {name: (code, field) for name, (_, code, field) in UNFIT.items()})


def test_other_spellings_of_a_right_operation_are_applied_as_sent(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    spaced = orjson.dumps(orjson.loads(raw(h)), option=orjson.OPT_INDENT_2)
    h.put(spaced)
    h.put(raw(h).replace(b'"kind"', b'"\\u006bind"'))
    h.put(raw(h) + b"\n")
    h.put(raw(h).replace(b"{", b"{ ", 1) + b" " * (MAX_OPERATION - len(raw(h)) - 1))
    assert len(h.frames[3][2]) == MAX_OPERATION
    assert [outcome["status"] for outcome in h.told()] == ["applied"] * 4
    assert store.one(shared, tables.operations, terminal=h.terminal, n=1).raw == spaced


def test_several_wrong_fields_are_all_named(standing: World) -> None:
    h = Hand(standing).signed_in("PAT")
    h.put(raw(h, kind=7, base=-1, floor=1))
    (outcome,) = h.told()
    assert outcome["problem"]["code"] == "field.invalid"
    named = {(error["field"], error["code"]) for error in outcome["problem"]["errors"]}
    assert named == {("kind", "field.invalid"), ("base", "field.invalid"), ("floor", "field.unknown")}


def test_an_outcome_stays_small_however_many_fields_are_wrong(standing: World) -> None:
    """A full frame of unknown fields must not come back, and be kept, at twenty times its size."""
    h = Hand(standing).signed_in("PAT")
    junk = {f"f{at}": 0 for at in range(6000)}
    h.write("patrol.round", "open", uuid7(), junk)
    h.put(raw(h, **{"f" * 60_000: 1}))
    told = h.told()
    assert [outcome["status"] for outcome in told] == ["rejected", "quarantined"]
    assert max(len(row.outcome) for row in store.rows(standing, tables.operations, terminal=h.terminal)) < 8_000
