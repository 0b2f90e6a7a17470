"""The forms that terminals show: every field of every verb with its type and bounds, named in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import marshmallow as ma
import orjson
import pytest
from marshmallow import fields

from backend.kernel.acceptor import Acceptor
from backend.kernel.kind import COMMON_MARKS, Policy, Text
from backend.records.registry import kinds
from backend.storage import tables
from mobile_api.kinds import describe
from tests.samples import Record, judged_by_sync, samples, set_up
from tests.support import store
from tests.support.world import World

KINDS = sorted(kinds())
SAMPLED = [name for name in KINDS if not judged_by_sync(name)]
TYPES = {"text": str, "whole": int, "yes_no": bool, "group": dict, "list": list, "map": dict}
ONLY_IN_DOCUMENTS = {
    "approval": {
        "bound",
        "chain",
        "code",
        "digest",
        "granted_at",
        "paper_due",
        "passed",
        "requested_by",
        "state",
        "steps",
        "with",
    },
    "approval.countersign": {"by"},
    "approval.delegation": {"by", "ended", "state"},
    "approval.slip": {"by"},
    "movement": {"plan", "state", "steps"},
    "movement.check": {"person", "sort"},
    "conflict": {"state"},
    "complaint": {"state", "steps"},
    "cosign": {"signed", "version"},
    "counselling": {"state", "referred", "answered"},
    "equipment_fault": {"state", "repair"},
    "duty": {"raised", "snoozed_until", "state", "steps"},
    "dynamic_info": {"state", "reported", "deployed", "handled", "answered", "returned", "closed", "steps"},
    "escrow": {"state"},
    "hazard": {"state", "found", "rectified", "verified"},
    "incident": {"state", "opened", "closed", "plan", "roles", "timeline"},
    "handover": {"outgoing", "state", "steps"},
    "cell_watch": {"least", "state"},
    "headcount": {"about", "whole", "cells", "counted", "expected", "state"},
    "papers": {"state"},
    "patrol.plan": {"windows"},
    "pattern": {"reviewed", "state"},
    "yard": {"state"},
    "patrol.round": {"opened_at", "state"},
    "person": {"release"},
    "place": {"state"},
    "rule.override": {"state", "withdrawn"},
    "rule.signature": {"state", "withdrawn"},
    "shift.acting": {"state", "steps"},
    "shift.leave": {"state", "steps"},
    "shift.pattern": {"state"},
    "shift.roster": {"state"},
    "shift.swap": {"officer", "state", "steps"},
}
"""What rows have beside the fields of verbs."""
HAN = re.compile(r"[\u4e00-\u9fff]")


def walk(schema: ma.Schema, at: str = "") -> Iterator[tuple[str, fields.Field[Any]]]:
    """Every field of a schema by its path, those of groups and of lists of groups too."""
    for name, field in schema.load_fields.items():
        path = f"{at}{name}"
        yield path, field
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            yield from walk(inner.schema, f"{path}.")


def described(form: list[dict[str, Any]], at: str = "") -> dict[str, dict[str, Any]]:
    """The same of a form."""
    found = {}
    for field in form:
        found[f"{at}{field['name']}"] = field
        inner = field.get("of", field)
        found |= described(inner.get("fields", []), f"{at}{field['name']}.")
    return found


def of_verbs(kind: str) -> dict[str, fields.Field[Any]]:
    """All fields of a kind, whatever the verb."""
    return {path: field for verb in kinds()[kind].verbs.values() for path, field in walk(verb.schema())}


def choices(field: fields.Field[Any]) -> list[str]:
    return [value for rule in field.validators for value in getattr(rule, "choices", ())]


def bilingual(text: Text | dict[str, str]) -> bool:
    zh, en = (text.zh, text.en) if isinstance(text, Text) else (text["zh"], text["en"])
    return bool(HAN.search(zh)) and bool(en.strip()) and not HAN.search(en)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_every_verb_is_described_with_its_type(small: World, kind: str) -> None:
    with httpx.Client(transport=small.transport()) as client:
        answer = client.get("http://localhost/v1/kinds").raise_for_status().json()
    told = {each["name"]: each for each in answer["kinds"]}
    of = kinds()[kind]
    assert sorted(told) == KINDS
    assert told[kind] == told[kind] | {
        "schema": of.version,
        "schemas": [of.version],
        "policy": of.policy,
        "compartment": of.compartment,
        "strict": sorted(of.strict),
        "settlers": sorted(of.may_settle()) if of.policy in (Policy.SHARED, Policy.DECISION) else [],
    }
    assert set(told[kind]["verbs"]) == set(kinds()[kind].verbs)
    for name, verb in kinds()[kind].verbs.items():
        form = told[kind]["verbs"][name]
        said = (form["creates"], form["signoff"], form["confirm"])
        assert said == (verb.creates, verb.signoff, verb.confirm)
        assert (form["edits"], form["watches"], form["removes"]) == (verb.edits, list(verb.watches), verb.removes)
        assert form["served"] == verb.served
        found = described(form["fields"])
        expected = dict(walk(verb.schema()))
        assert list(found) == list(expected)
        for path, field in expected.items():
            assert found[path]["type"] in TYPES, path
            assert (found[path]["required"], found[path]["nullable"]) == (field.required, bool(field.allow_none)), path
            assert found[path].get("choices", []) == choices(field), path
            assert found[path]["type"] != "list" or "of" in found[path], path


@pytest.mark.parametrize("kind", SAMPLED)
def test_a_form_is_enough_to_write_what_is_accepted(small: World, kind: str) -> None:
    """Every value of the samples is of the type and within the bounds that the form gives for it."""
    stage = set_up(small, samples()[kind])
    for verb, valid in samples()[kind].verbs.items():
        form = {field["name"]: field for field in describe(kinds()[kind])["verbs"][verb]["fields"]}
        said = valid(stage)
        assert {name for name, field in form.items() if field["required"]} <= said.keys() <= form.keys()
        for name, value in said.items():
            assert fits(form[name], value), (verb, name)


def fits(field: dict[str, Any], value: Any) -> bool:
    """Whether a terminal that knows the form alone would send this value."""
    if value is None:
        return bool(field["nullable"])
    if type(value) is not TYPES[field["type"]] or value not in field.get("choices", [value]):
        return False
    size = value if isinstance(value, int) else len(value)
    if not field.get("min", size) <= size <= field.get("max", size):
        return False
    if field["type"] == "list":
        return all(fits(field["of"], each) for each in value)
    inner = {each["name"]: each for each in field.get("fields", [])}
    return field["type"] != "group" or all(fits(inner[name], each) for name, each in value.items())


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_and_every_value_has_a_name_in_both_languages(kind: str) -> None:
    named = set()
    for path, field in of_verbs(kind).items():
        named |= {path, *(f"{path}.{value}" for value in choices(field))}
        if isinstance(field, fields.List):
            named |= {f"{path}.{value}" for value in choices(field.inner)}
    labels = set(kinds()[kind].labels)
    assert labels >= named, "names that are missing"
    beside = {label.partition(".")[0] for label in labels - named}
    assert beside == ONLY_IN_DOCUMENTS.get(kind, set()), "names that are missing, or that nothing has"
    texts = [kinds()[kind].text, *kinds()[kind].labels.values(), *(verb.text for verb in kinds()[kind].verbs.values())]
    assert [text for text in texts if not bilingual(text)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_mark_says_something_in_both_languages(kind: str) -> None:
    marks = describe(kinds()[kind])["marks"]
    assert set(marks) == set(kinds()[kind].marks)
    assert not set(marks) & set(COMMON_MARKS)
    assert all(bilingual(text) for text in [*marks.values(), *COMMON_MARKS.values()])


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_has_a_default(kind: str) -> None:
    for path, field in of_verbs(kind).items():
        assert field.load_default is ma.missing, path
        assert field.dump_default is ma.missing, path
    for verb in kinds()[kind].verbs.values():
        assert verb.schema().load({}, partial=True) == {}


@pytest.mark.parametrize("kind", SAMPLED)
def test_whoever_creates_says_everything_that_was_seen(kind: str) -> None:
    """A field that may be left out would be a default by another name. Only the master data of persons and places grow
    over the years; what nobody has said of them is absent."""
    optional = [
        path
        for verb in kinds()[kind].verbs.values()
        if not verb.edits
        for path, field in walk(verb.schema())
        if not field.required
    ]
    assert optional == [] or kind in {"person", "place"}, optional


@pytest.mark.parametrize("kind", ["person", "place"])
def test_what_nobody_said_is_absent_from_the_document(small: World, kind: str) -> None:
    sample = samples()[kind]
    stage = set_up(small, sample)
    record = Record(stage, sample).play([sample.creating])
    (outcome,) = stage.terminal.push()
    assert outcome["status"] == "applied"
    doc = orjson.loads(store.one(small, tables.records, id=record.id).body)["doc"]
    assert doc == sample.verbs[sample.creating](stage)
    assert doc.keys() < kinds()[kind].verbs[sample.creating].schema().load_fields.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_every_verb_has_a_fast_acceptor(kind: str) -> None:
    """Else it costs twenty times as much, and nobody would see it."""
    assert [name for name, verb in kinds()[kind].verbs.items() if not Acceptor(verb.schema).compiled] == []
