"""What schemathesis makes of the stored OpenAPI document, sent to the application: no fault, nothing undocumented."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
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
from sqlalchemy import delete

from backend.imports.reading import CSV, XLSX
from backend.kernel.ids import uuid7
from backend.kernel.problems import CATALOGUE
from backend.storage import tables
from headless.proof import Key, new_key
from mobile_api.services import EXTENSION
from tests.api.test_routes import JPEG, UPLOADS, file_of_both_wards, head_of, ticket_of
from tests.support import confirming, store, tus
from tests.support.alarms import alert
from tests.support.auditor import REPORT
from tests.support.caller import NOBODY, Caller, evacuation_of, push_of
from tests.support.hand import FRAMES, SEALED, Hand
from tests.support.sessions import NEW
from tests.support.templates import Templates
from tests.support.world import CHEAP, FACILITY, SECRET, World
from tools import tls

STORED = Path(__file__).parents[2] / "docs" / "openapi.json"
pytestmark = pytest.mark.slow
for each in (FRAMES, SEALED, tus.PIECE, XLSX, CSV):
    schemathesis.serializer.alias(each, "application/octet-stream")
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
    folder = tmp_path_factory.mktemp("schemathesis")
    chain, _ = tls.certificate(folder / "tls", "localhost")
    with templates.world("sqlite", folder) as made:
        services = made.services
        made.app.extensions[EXTENSION] = replace(services, settings=replace(services.settings, certificate=chain))
        yield made
    assert {route: statuses & GOOD for route, statuses in seen.items() if not statuses & GOOD} == {}


GOOD = {200, 201, 204}
ENROLMENT = "POST /v1/terminals"
BY_KEY = {
    "/v1/terminals/incarnations",
    "/v1/terminals/wiped",
    "/v1/terminals/current/report",
    "/v1/sync/outcomes",
    "/v1/audit/alarms",
    "/v1/audit/consistency",
    "/v1/audit/inclusion",
    "/v1/audit/keys",
    "/v1/sessions",
    "/v1/sessions/refresh",
    "/v1/files",
    "/v1/files/uploads/{upload}",
}


def right_body(world: World, route: str, caller: Caller) -> Any:
    """A body that is served, so that answers other than refusals are checked too."""
    if route.startswith(("POST /v1/factors", "POST /v1/confirmations")):
        return confirming.right_body(world, route, caller)
    ward = f"place/{world.ids['W']}/base"
    return {
        "POST /v1/terminals": {"code": world.code(), "label": "PDA", "jwk": caller.key.jwk},
        "POST /v1/terminals/codes": {"approved": True},
        "POST /v1/facilities": {
            "id": f"F-{len(store.rows(world, tables.facilities))}",
            "name": "另一看守所",
            "type": "KSS",
            "administrator": {"number": "1", "name": "administrator"},
        },
        "POST /v1/officers": {"number": uuid7(world.clock.now())[-12:], "name": "another", "posts": ["PAT"]},
        "PATCH /v1/officers/{officer}": {"posts": ["AUX", "DISC"]},
        "POST /v1/sessions": {"number": "PAT", "secret": SECRET},
        "POST /v1/sessions/refresh": {"refresh_token": ticket_of(caller) if route.endswith("/refresh") else ""},
        "PUT /v1/officers/current/secret": {"old": SECRET, "new": NEW},
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
        "POST /v1/audit/alarms": dict.fromkeys(("held", "shown"), head_of(world)) | {"why": "proof"},
        "POST /v1/audit/exports": {"person": world.ids["p1"], "reason": "检察机关调取"},
        "POST /v1/alerts/{record}/unmask": {"reason": "调度警力"},
        "POST /v1/imports/officers": [{"number": "N1", "name": "another", "posts": ["PAT", "ADM"], "wards": "W"}],
        "POST /v1/imports/places": [{"type": "ward", "code": "N1", "name": "another"}],
        "POST /v1/imports/persons": [{"number": "N1", "name": "another", "sex": "m", "cell": "C1"}],
        "POST /v1/imports/rosters": [{"number": "PAT", "post": "PAT", "pattern": "四班", "since": "2026-11-20"}],
    }[route]


def right_query(world: World, route: str) -> dict[str, Any]:
    """A query that finds something."""
    first = store.first_operation(world)
    return {
        "GET /v1/audit/operations": {"terminal": first.terminal, "incarnation": 1, "n": 1},
        "GET /v1/audit/conflicts": {"state": "open"},
        "GET /v1/audit/consistency": {"epoch": 1, "first": 1, "second": 2},
        "GET /v1/audit/inclusion": {"epoch": 1, "leaf": 0, "size": 2},
        "GET /v1/factors": {},
        "POST /v1/imports/officers": {},
        "POST /v1/imports/places": {"apply": "false"},
        "POST /v1/imports/persons": {"apply": "false"},
        "POST /v1/imports/rosters": {},
        "GET /v1/roster": {"from": "2026-11-20", "to": "2026-11-26"},
        "GET /v1/roster/nearest": {"place": world.ids["C1"]},
    }.get(route, {"limit": 2})


def forget_factors(world: World) -> None:
    """Nobody may have more than eight."""
    if store.rows(world, tables.factors):
        store.alter(world, tables.factors, {"facility": FACILITY}, removed_at=1, credential=None)


def everybody_signs_in(world: World) -> None:
    """With the secret that all have, however often a case has guessed it, changed it or had it reset."""
    store.alter(world, tables.officers, {"facility": FACILITY}, secret=CHEAP.hash(SECRET), temporary=False)
    with world.services.store.writing() as connection:
        connection.execute(delete(tables.rates))


def snapshot(world: World) -> str:
    """The id of a snapshot that there is."""
    leader = Caller.of(world, "LEAD")
    made = leader.ask("POST", "/v1/sync/snapshots", {"partition": f"place/{world.ids['W']}/base"})
    return str(made.json["snapshot"])


def addressed(world: World, path: str, case: Any) -> None:
    """The case asks for something that there is, as far as it does not depend on who asks."""
    if "terminal" in case.path_parameters:
        waits = path.endswith(("/approve", "/refuse"))
        case.path_parameters["terminal"] = Hand(world, code=world.code(approved=not waits)).terminal
    if "officer" in case.path_parameters:
        case.path_parameters["officer"] = world.ids["PROC" if path.endswith("revoke") else "AUX"]
    if "place" in case.path_parameters:
        case.path_parameters["place"] = world.ids["V"]
    if "snapshot" in case.path_parameters:
        case.path_parameters["snapshot"] = snapshot(world)
    if "digest" in case.path_parameters:
        case.path_parameters["digest"] = file_of_both_wards(world)
    if "record" in case.path_parameters:
        case.path_parameters["record"] = alert(world)
    if "op" in case.path_parameters:
        case.path_parameters["op"] = store.first_operation(world).op


def credentials(world: World, route: str, case: Any, chance: random.Random) -> dict[str, str]:
    """Valid ones; every second time with a body that they are good for."""
    method, _, path = route.partition(" ")
    if route in ("POST /v1/sync/push", "POST /v1/sync/evacuate"):
        body, headers = push_of(world) if path.endswith("push") else evacuation_of(world)
        if chance.random() < 0.5:
            case.body, case.media_type = body, FRAMES
        return {"Roundsman-Proof": headers["Roundsman-Proof"]}
    everybody_signs_in(world)
    addressed(world, path, case)
    if case.operation.query and chance.random() < 0.5:
        case.query = right_query(world, route)
    officer = NOBODY if path in BY_KEY or route == ENROLMENT else chance.choice(["ADM", "PAT", "LEAD", "INT", "AUD"])
    caller = Caller.of(world, officer)
    if route == ENROLMENT:
        caller.key = Key(new_key())
    forget_factors(world)
    if "factor" in case.path_parameters:
        case.path_parameters["factor"] = confirming.new_factor(caller)
    if case.operation.body and "/files" not in path and chance.random() < 0.5:
        case.body, case.media_type = right_body(world, route, caller), "application/json"
    return upload(route, case, caller, chance) | caller.headers(method, case.formatted_path)


def upload(route: str, case: Any, caller: Caller, chance: random.Random) -> dict[str, str]:
    """Headers of an upload, and one that was begun; every second time with bytes that belong there."""
    if not case.operation.path.startswith("/v1/files") or route == "GET /v1/files/{digest}":
        return {}
    if "upload" in case.path_parameters:
        case.path_parameters["upload"] = orjson.loads(tus.begin(caller, JPEG).data)["upload"]
    if case.operation.body and chance.random() < 0.5:
        case.body, case.media_type = JPEG, tus.PIECE
    said = UPLOADS.get(route.replace("{upload}", "<uuid:upload>"), {"HTTP_TUS_RESUMABLE": "1.0.0"})
    return {name.removeprefix("HTTP_").replace("_", "-").title(): value for name, value in said.items()}


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_is_documented(case: schemathesis.Case, api: World) -> None:
    route = f"{case.operation.method.upper()} {case.operation.path}"
    chance = random.Random(f"{route} {case.headers!r} {case.query!r} {case.body!r}")
    drawn = chance.random() < 0.5
    # Until an answer was good whoever may ask does: where little is drawn at all, nobody else would be drawn at times.
    if case.method == case.operation.method.upper() and (drawn or not seen.get(route, set()) & GOOD):
        response = case.call(app=api.app, headers=credentials(api, route, case, chance))
    else:
        response = case.call(app=api.app)
    seen.setdefault(route, set()).add(response.status_code)
    if case.method != case.operation.method.upper():
        assert response.status_code in (405, 200), "another method on the same path"
        return
    case.validate_response(response, checks=CHECKS)
    if response.status_code >= 300 and case.method != "HEAD":  # which is answered without a body
        assert response.json()["code"] in CATALOGUE


def test_the_document_covers_the_routes(api: World) -> None:
    rules = {re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule) for rule in api.app.url_map.iter_rules()}
    assert {operation.ok().path for operation in schema.get_all_operations()} == rules - {
        "/v1/openapi.json", "/v1/sync/stream"
    }  # fmt: skip
