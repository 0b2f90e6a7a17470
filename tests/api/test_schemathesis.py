"""What schemathesis makes of the stored OpenAPI document, sent to the application: no fault, nothing undocumented."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from backend.kernel.problems import CATALOGUE
from headless.proof import Key, new_key
from tests.support import store
from tests.support.auditor import REPORT
from tests.support.caller import NOBODY, Caller, evacuation_of, push_of
from tests.support.hand import FRAMES, Hand
from tests.support.templates import Templates
from tests.support.world import SECRET, World

STORED = Path(__file__).parents[2] / "docs" / "openapi.json"
pytestmark = pytest.mark.slow
schemathesis.serializer.alias(FRAMES, "application/octet-stream")
schema = schemathesis.openapi.from_path(STORED).exclude(path="/v1/sync/stream")
"""All but the stream, whose answer has no end: tests/api/test_stream.py."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
seen: dict[str, set[int]] = {}


@pytest.fixture(scope="module")
def api(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One installation for all cases: what one of them leaves behind, the next one meets."""
    with templates.world("sqlite", tmp_path_factory.mktemp("schemathesis")) as made:
        yield made
    assert {route: statuses & GOOD for route, statuses in seen.items() if not statuses & GOOD} == {}


GOOD = {200, 201, 204}
BY_KEY = {
    "/v1/terminals",
    "/v1/terminals/incarnations",
    "/v1/terminals/wiped",
    "/v1/terminals/current/report",
    "/v1/sync/outcomes",
    "/v1/sessions",
}


def right_body(world: World, route: str, caller: Caller) -> Any:
    """A body that is served, so that answers other than refusals are checked too."""
    ward = f"place/{world.ids['W']}/base"
    return {
        "POST /v1/terminals": {"code": world.code(), "label": "PDA", "jwk": caller.key.jwk},
        "POST /v1/sessions": {"number": "PAT", "secret": SECRET},
        "POST /v1/terminals/incarnations": caller.next_incarnation(),
        "POST /v1/sync/outcomes": {"incarnation": 1, "numbers": [1]},
        "POST /v1/sync/pull": {"partitions": {}, "limit": 3},
        "PUT /v1/terminals/current/report": REPORT | {"clock": "2026-11-22T03:14:15.123Z"},
        "POST /v1/officers/{officer}/assignments": {"place": world.ids["V"]},
        "POST /v1/sync/digests": {"partitions": {ward: {"cursor": 0, "digest": "A" * 43}}},
        "POST /v1/sync/buckets": {"partition": ward},
        "POST /v1/sync/entries": {"partition": ward, "cursor": 0, "buckets": [1, 255]},
        "POST /v1/sync/rows": {"partition": ward, "ids": [world.ids["W"]]},
        "POST /v1/sync/snapshots": {"partition": ward},
    }[route]


def right_query(world: World, route: str) -> dict[str, Any]:
    """A query that finds something."""
    first = store.first_operation(world)
    return {
        "GET /v1/audit/operations": {"terminal": first.terminal, "incarnation": 1, "n": 1},
        "GET /v1/audit/conflicts": {"state": "open"},
    }.get(route, {"limit": 2})


def snapshot(world: World) -> str:
    """The id of a snapshot that there is."""
    leader = Caller.of(world, "LEAD")
    made = leader.ask("POST", "/v1/sync/snapshots", {"partition": f"place/{world.ids['W']}/base"})
    return str(made.json["snapshot"])


def credentials(world: World, route: str, case: Any, chance: random.Random) -> dict[str, str]:
    """Valid ones; every second time with a body that they are good for."""
    method, _, path = route.partition(" ")
    if route in ("POST /v1/sync/push", "POST /v1/sync/evacuate"):
        body, headers = push_of(world) if path.endswith("push") else evacuation_of(world)
        if chance.random() < 0.5:
            case.body, case.media_type = body, FRAMES
        return {"Roundsman-Proof": headers["Roundsman-Proof"]}
    if "terminal" in case.path_parameters:
        case.path_parameters["terminal"] = Hand(world).terminal
    if "officer" in case.path_parameters:
        case.path_parameters["officer"] = world.ids["PROC" if path.endswith("revoke") else "AUX"]
    if "place" in case.path_parameters:
        case.path_parameters["place"] = world.ids["V"]
    if "snapshot" in case.path_parameters:
        case.path_parameters["snapshot"] = snapshot(world)
    if "op" in case.path_parameters:
        case.path_parameters["op"] = store.first_operation(world).op
    if case.operation.query and chance.random() < 0.5:
        case.query = right_query(world, route)
    officer = NOBODY if path in BY_KEY else chance.choice(["ADM", "PAT", "LEAD"])
    caller = Caller.of(world, officer)
    if path == "/v1/terminals":
        caller.key = Key(new_key())
    if case.operation.body and chance.random() < 0.5:
        case.body, case.media_type = right_body(world, route, caller), "application/json"
    return caller.headers(method, case.formatted_path)


@schema.parametrize()
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_is_documented(case: schemathesis.Case, api: World) -> None:
    route = f"{case.operation.method.upper()} {case.operation.path}"
    chance = random.Random(f"{route} {case.headers!r} {case.query!r} {case.body!r}")
    if case.method == case.operation.method.upper() and chance.random() < 0.5:
        response = case.call(app=api.app, headers=credentials(api, route, case, chance))
    else:
        response = case.call(app=api.app)
    seen.setdefault(route, set()).add(response.status_code)
    if case.method != case.operation.method.upper():
        assert response.status_code in (405, 200), "another method on the same path"
        return
    case.validate_response(response, checks=CHECKS)
    if response.status_code >= 300:
        assert response.json()["code"] in CATALOGUE


def test_the_document_covers_the_routes(api: World) -> None:
    rules = {re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule) for rule in api.app.url_map.iter_rules()}
    assert {operation.ok().path for operation in schema.get_all_operations()} == rules - {
        "/v1/openapi.json", "/v1/sync/stream"
    }  # fmt: skip
