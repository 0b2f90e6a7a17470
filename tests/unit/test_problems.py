"""The closed set of what can be wrong: nothing in the code lies outside it, and nothing in it lies idle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.kernel.problems import CATALOGUE, LONGEST_PATH, MOST_FIELDS, Entry, Problem, field_problems, of_fields
from mobile_api.problems import _CODES

ROOT = Path(__file__).parents[2]
HAN = re.compile(r"[\u4e00-\u9fff]")
FULL_WIDTH = re.compile(r"[\u3000-\u303f\uff00-\uffef]")
ENTRIES = sorted(CATALOGUE.values(), key=lambda entry: entry.code)
GIVEN_BY_STATUS = set(_CODES.values())
GIVEN_BY_FIELD = {"field.invalid", "field.missing", "field.unknown"}


def calls(name: str = "Problem") -> Iterator[tuple[str, ast.Call]]:
    """Every ``Problem(…)``, or another call, in the server's code, with the place where it stands."""
    for folder in ("backend", "sync", "mobile_api", "tasks", "biometrics"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def literals(node: ast.expr) -> list[str]:
    """The codes that an argument may be: a text, or one of two."""
    if isinstance(node, ast.IfExp):
        return literals(node.body) + literals(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def test_every_code_in_the_code_is_of_the_set_and_carries_what_it_may() -> None:
    used = 0
    for where, call in calls():
        for code in literals(call.args[0]):
            used += 1
            assert code in CATALOGUE, where
            detail = {keyword.arg for keyword in call.keywords} - {"errors", None}
            assert detail == set(CATALOGUE[code].detail), where
    assert used > 60


def test_every_code_of_the_set_is_given_somewhere() -> None:
    given = {code for _, call in calls() for code in literals(call.args[0])}
    given |= {code for _, call in calls("Limit") for each in call.args[2:] for code in literals(each)}
    assert set(CATALOGUE) - given - GIVEN_BY_STATUS - GIVEN_BY_FIELD == set()
    assert set(CATALOGUE) >= GIVEN_BY_STATUS | GIVEN_BY_FIELD


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.code)
def test_every_entry_speaks_both_languages(entry: Entry) -> None:
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", entry.code) and CATALOGUE[entry.code] is entry
    assert 400 <= entry.status <= 599
    assert HAN.search(entry.zh) and not entry.zh.endswith("。")
    assert not HAN.search(entry.en) and not FULL_WIDTH.search(entry.en)
    assert entry.en[0].isupper() and entry.en.endswith(".")
    assert len(set(entry.detail)) == len(entry.detail)


def test_an_entry_that_says_when_to_come_again_is_one_after_which_to_come_again() -> None:
    assert {entry.status for entry in ENTRIES if "retry_after" in entry.detail} == {423, 429, 503}
    assert all("retry_after" in entry.detail for entry in ENTRIES if entry.status in (423, 429, 503))


def test_codes_and_sentences_are_each_said_once() -> None:
    assert len({entry.zh for entry in ENTRIES}) == len({entry.en for entry in ENTRIES}) == len(ENTRIES)


def test_a_problem_outside_the_set_cannot_be_made() -> None:
    with pytest.raises(KeyError):
        Problem("no.such")
    with pytest.raises(ValueError):
        Problem("chain.fork", last=1)


def test_the_body_of_an_answer_is_that_of_rfc_9457() -> None:
    inner = (Problem("field.missing", "a"), Problem("field.unknown", "b"))
    body = Problem("request.invalid", "a", errors=inner).document()
    entry = CATALOGUE["request.invalid"]
    assert body == {
        "type": "about:blank",
        "status": 422,
        "title": entry.en,
        "code": "request.invalid",
        "field": "a",
        "zh": entry.zh,
        "en": entry.en,
        "errors": [each.sentence() for each in inner],
    }
    assert Problem("chain.fork", n=7).sentence()["detail"] == {"n": 7}
    assert set(Problem("route.unknown").sentence()) == {"code", "zh", "en"}


@pytest.mark.parametrize("messages, expected", [
    ({"a": ["Unknown field."]}, [("field.unknown", "a")]),
    ({"a": ["Missing data for required field."]}, [("field.missing", "a")]),
    ({"a": ["Not a valid string."]}, [("field.invalid", "a")]),
    ({"a": {"b": {0: ["Not a valid string."]}}}, [("field.invalid", "a.b.0")]),
    ({"_schema": ["Invalid input type."]}, [("field.invalid", None)]),
    ({"a": {"_schema": ["Invalid input type."]}}, [("field.invalid", "a")]),
    ({"a": ["Unknown field."], "b": {"c": ["x"]}}, [("field.unknown", "a"), ("field.invalid", "b.c")]),
])  # fmt: skip
def test_messages_become_codes_and_paths(messages: Any, expected: list[tuple[str, str | None]]) -> None:
    assert [(each.code, each.field) for each in field_problems(messages)] == expected
    under = [f"fields.{field}" if field else "fields" for _, field in expected]
    assert [each.field for each in field_problems(messages, "fields")] == under
    first = of_fields(messages)
    assert (first.code, first.field) == expected[0]
    assert len(first.errors) == (len(expected) if len(expected) > 1 else 0)


def test_neither_number_nor_length_of_wrong_fields_is_unbounded() -> None:
    many = of_fields({f"f{at}": ["Unknown field."] for at in range(1000)})
    assert [each.field for each in many.errors] == [f"f{at}" for at in range(MOST_FIELDS)]
    long = of_fields({"x" * 60_000: ["Unknown field."]})
    assert long.field == "x" * LONGEST_PATH
