"""Rules: the first talk within 12 hours instead of 24, and the lawyer's confirmation of a pack."""

from __future__ import annotations

from typing import Any

from tests.samples import Doc, Effect, Sample, Stage, Wrong, but

DIGEST = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


def change(**other: Any) -> dict[str, Any]:
    """The fields of a change of the first talk's time."""
    return {
        "rule": "A09",
        "value": "within",
        "amount": "PT20H",
        "since": "2026-11-23",
        "reason": "所务会纪要（2026）12号",
    } | other


def _change(_stage: Stage) -> dict[str, Any]:
    return change()


def _confirmation(_stage: Stage) -> dict[str, Any]:
    return {"digest": DIGEST, "signer": "法制审核员", "paper": "法核（2026）7号", "signed_on": "2026-11-20"}


def _reason(_stage: Stage) -> dict[str, Any]:
    return {"reason": "情况变化"}


def _stands(_stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return {**fields, "state": "stands"}


def _withdrawn(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return {**doc, "state": "withdrawn", "withdrawn": {"at": stage.now(), "officer": stage.officer(), **fields}}


def _wrong(what: str, code: str, field: str, **changes: Any) -> Wrong:
    return Wrong(what, "lay", but(_change, **changes), code, field)


_TAKEN_BACK = Wrong("taken back for no reason", "withdraw", but(_reason, "reason"), "field.missing", "fields.reason")
_WITHDRAW: dict[str, Effect] = {"withdraw": _withdrawn}

OVERRIDE = Sample(
    kind="rule.override",
    writer="LEAD",
    reader="PAT",
    outsider=None,
    verbs={"lay": _change, "withdraw": _reason},
    makes={"lay": _stands, **_WITHDRAW},
    rivals=(("withdraw", "withdraw"),),
    wrong=(
        _wrong("a rule that there is not", "rule.unknown", "fields.rule", rule="Z99"),
        _wrong("a rule of prisons", "rule.unknown", "fields.rule", rule="A14"),
        _wrong("again each second", "field.invalid", "fields.amount", rule="T11.grade1", value="every", amount="PT1S"),
        _wrong("a value of no rule", "field.invalid", "fields.value", value="colour"),
        _wrong("a value that this rule has not", "field.invalid", "fields.value", value="most"),
        _wrong("hours in words", "field.invalid", "fields.amount", amount="20 hours"),
        _wrong("a month", "field.invalid", "fields.amount", amount="P1M"),
        _wrong("no time at all", "field.invalid", "fields.amount", amount="PT0S"),
        _wrong("less than nothing", "field.invalid", "fields.amount", amount="-PT1H"),
        _wrong("reminded when it is over", "field.invalid", "fields.amount", value="warn", amount="PT25H"),
        _wrong("a legal row relaxed", "rule.not_tighter", "fields.amount", rule="A17", amount="PT25H"),
        _wrong("fewer minutes outdoors", "rule.not_tighter", "fields.amount", rule="P15", value="least", amount="59"),
        _wrong("minutes as a duration", "field.invalid", "fields.amount", rule="P15", value="least", amount="PT90M"),
        _wrong("from a day that there is not", "field.invalid", "fields.since", since="2026-02-30"),
        _wrong("for no reason", "field.invalid", "fields.reason", reason=""),
        _TAKEN_BACK,
    ),
)

SIGNATURE = Sample(
    kind="rule.signature",
    writer="DIR",
    reader="DISC",
    outsider=None,
    verbs={"sign": _confirmation, "withdraw": _reason},
    makes={"sign": _stands, **_WITHDRAW},
    rivals=(("withdraw", "withdraw"),),
    wrong=(
        Wrong("a digest in hex", "sign", but(_confirmation, digest="e3b0c442" * 8), "field.invalid", "fields.digest"),
        Wrong("no digest of 32 bytes", "sign", but(_confirmation, digest=DIGEST[:-1] + "V"), "field.invalid",
              "fields.digest"),
        Wrong("signed by nobody", "sign", but(_confirmation, signer=""), "field.invalid", "fields.signer"),
        Wrong("on no paper", "sign", but(_confirmation, "paper"), "field.missing", "fields.paper"),
        Wrong("on a day that there is not", "sign", but(_confirmation, signed_on="2026-02-30"), "field.invalid",
              "fields.signed_on"),
        _TAKEN_BACK,
    ),
)  # fmt: skip

SAMPLES = (OVERRIDE, SIGNATURE)
