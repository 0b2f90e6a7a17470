"""docs/protocol.md §14 tells a stranger every kind, verb, field and word of a dictionary that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import marshmallow as ma
import pytest
from marshmallow import fields

from backend.domain.dynamic_info import OF_POST
from backend.domain.posts import Post
from backend.kernel.kind import Kind, by_sync
from backend.records.registry import kinds

PROTOCOL = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
SECTION = PROTOCOL[PROTOCOL.index("\n## 14.") : PROTOCOL.index("\n## 15.")]
TOLD = [kind for kind in kinds().values() if not all(verb.judge is by_sync for verb in kind.verbs.values())]


def words(schema: ma.Schema) -> Iterator[str]:
    """Names of fields, and words of dictionaries, groups and lists too."""
    for name, field in schema.load_fields.items():
        yield name
        yield from inside(field)


def inside(field: fields.Field[Any]) -> Iterator[str]:
    if isinstance(field, fields.List):
        yield from inside(field.inner)
    elif isinstance(field, fields.Nested):
        assert isinstance(field.schema, ma.Schema)
        yield from words(field.schema)
    for rule in field.validators:
        yield from getattr(rule, "choices", ())


@pytest.mark.parametrize("kind", TOLD, ids=lambda kind: kind.name)
def test_all_of_it_is_told(kind: Kind) -> None:
    said = set(re.findall(r"[A-Za-z0-9_.]+", part_of(kind.name)))
    wanted = {kind.name, *kind.writers} if "the same posts" not in part_of(kind.name) else {kind.name}
    for name, verb in kind.verbs.items():
        wanted |= {name, *words(verb.schema()), *verb.watches}
    assert wanted - said - (set(Post) if kind.name == "duty" else set()) == set()


def part_of(kind: str) -> str:
    """What the section says of a kind; the table of categories belongs to dynamic information."""
    begin = SECTION.index(f"\n* `{kind}` (")
    end = SECTION.index("\n* `", begin + 1)
    table = SECTION[SECTION.index("\nWhich kinds of dynamic information") :] if kind == "dynamic_info" else ""
    return SECTION[begin:end] + table


def test_each_kind_stands_under_its_policy() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", SECTION, re.M))
    for kind in kinds().values():
        told = re.search(rf"`{kind.name}`(?: \(strict: ([^)]+)\))?", rows[kind.policy])
        assert told is not None, kind.name
        assert set(re.findall(r"\w+", told[1] or "")) == kind.strict, kind.name


def test_the_table_of_categories_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| ([A-Z, ]+) \| ((?:`\w+` ?)+) \|$", SECTION, re.M)
    told = {post: frozenset(re.findall(r"\w+", row)) for posts, row in rows for post in posts.split(", ")}
    assert told == {post: kept for post, kept in OF_POST.items() if post not in {Post.LEAD, Post.DIR}}
