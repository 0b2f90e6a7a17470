"""The stored documents are those that the code makes, and the OpenAPI document says what the routes do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from backend.kernel.problems import CATALOGUE
from mobile_api.commands.openapi import errors_document, openapi_document
from tests.support.hand import SEALED
from tests.support.world import World

DOCS = Path(__file__).parents[2] / "docs"
STORED: dict[str, Any] = orjson.loads((DOCS / "openapi.json").read_bytes())
OPERATIONS = [
    (method, path, operation)
    for path, operations in STORED["paths"].items()
    for method, operation in operations.items()
    if method != "parameters"
]
each_operation = pytest.mark.parametrize(
    "path, operation", [each[1:] for each in OPERATIONS], ids=[f"{each[0]} {each[1]}" for each in OPERATIONS]
)


def test_the_stored_documents_are_those_that_the_code_makes(small: World) -> None:
    with small.app.app_context():
        assert (DOCS / "openapi.json").read_bytes() == openapi_document(), "run: make docs"
        assert (DOCS / "errors.md").read_text("utf-8") == errors_document(), "run: make docs"


def test_the_served_document_is_the_stored_one(small: World) -> None:
    with small.app.test_client() as client:
        assert orjson.loads(client.get("/v1/openapi.json").data) == STORED


def test_every_problem_is_on_the_page() -> None:
    page = (DOCS / "errors.md").read_text("utf-8")
    for entry in CATALOGUE.values():
        line = next(line for line in page.splitlines() if line.startswith(f"| `{entry.code}` "))
        assert f" {entry.status} | {entry.zh} | {entry.en} |" in line


RESULTS = {
    "application/json",
    "application/gzip",
    "application/octet-stream",
    "application/vnd.sqlite3",
    "application/x-x509-ca-cert",
    "text/event-stream",
    "text/html",
}
READ = {"application/json", SEALED}
"""Bodies of which something inside may be wrong: a field, a seal."""


@each_operation
def test_every_operation_says_what_it_is_for_and_who_may_call_it(path: str, operation: dict[str, Any]) -> None:
    assert operation["summary"].endswith((".", "?"))
    schemes = STORED["components"]["securitySchemes"]
    assert operation["security"] in ([], [{"key": []}], [{"session": [], "key": []}], [{"push": []}])
    assert all(name in schemes for each in operation["security"] for name in each)


@each_operation
def test_every_operation_documents_each_answer_by_itself(path: str, operation: dict[str, Any]) -> None:
    """No default answer stands for what nobody thought of; problems are problems, results JSON, named bytes or nothing."""
    assert "default" not in operation["responses"]
    good = [status for status in operation["responses"] if status < "300"]
    assert len(good) == 1
    for status, response in operation["responses"].items():
        if status in good:
            kinds = list(response.get("content", {}))
            assert (kinds == []) == (status == "204")
            assert kinds == [] or (len(kinds) == 1 and kinds[0] in RESULTS)
        else:
            assert response == {"$ref": f"#/components/responses/Problem{status}"}
            content = STORED["components"]["responses"][f"Problem{status}"]["content"]
            assert list(content) == ["application/problem+json"]
    assert ("401" in operation["responses"]) == bool(operation["security"])
    told = [
        each for each in operation.get("parameters", ()) if each["in"] == "query" or each["name"].startswith("Upload-")
    ]
    assert ("422" in operation["responses"]) == (
        bool(told) or bool(READ & operation.get("requestBody", {}).get("content", {}).keys())
    )
