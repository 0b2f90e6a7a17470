"""The routes of section 8: what they take, what they refuse, and how little a repair moves."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from backend.storage import tables
from headless.wire import Wire
from tests.support import store
from tests.support.caller import Caller, is_problem
from tests.support.reader import Copy, spelt, term
from tests.support.rows import fill
from tests.support.world import World

DIGEST = "A" * 43
MOST_MOVED = 64 * 1024


def ward(world: World) -> str:
    return f"place/{world.ids['W']}/base"


class Counted(httpx.BaseTransport):
    """Counts every byte of requests and answers: request line, status line, headers and bodies."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.moved = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        body = response.read()
        self.moved += len(request.method) + len(str(request.url)) + len(request.read()) + len(body) + 32
        for headers in (request.headers, response.headers):
            self.moved += sum(len(name) + len(value) + 4 for name, value in headers.raw)
        return response


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["altered", "lost", "kept"])
def test_repairing_one_row_among_a_hundred_thousand_moves_at_most_64_kb(vast: World, damage: str) -> None:
    name = ward(vast)
    rows = [orjson.loads(row.body) for row in store.rows(vast, tables.records, partition=name)]
    assert len(rows) > 100_000
    copy = Copy.of(vast, "PAT")
    copy.rows, copy.cursors = {row["id"]: row for row in rows}, {name: max(row["seq"] for row in rows)}
    right = dict(copy.rows)
    victim = rows[70_000]["id"]
    if damage == "altered":
        copy.rows[victim] = copy.rows[victim] | {"marks": [{"code": "record.late", "rule": "Y03"}]}
    elif damage == "lost":
        del copy.rows[victim]
    else:
        stranger = rows[3] | {"id": rows[3]["id"][:-4] + "ffff"}
        copy.rows[stranger["id"]] = stranger
    counted = Counted(vast.transport())
    copy.hand.wire = Wire("http://localhost", copy.hand.device, counted)
    assert copy.compare()["differ"] == [name]
    copy.repair(name)
    assert copy.compare()["differ"] == []
    assert copy.rows == right
    assert counted.moved <= MOST_MOVED, counted.moved


@pytest.fixture(scope="module")
def vast(shared: World) -> World:
    """A ward with a hundred thousand records."""
    for _ in range(10):
        fill(shared, ward(shared), 10_000)
    return shared


RIGHT: dict[str, dict[str, Any]] = {
    "digests": {"partitions": {}},
    "buckets": {"partition": ""},
    "entries": {"partition": "", "cursor": 0, "buckets": [0, 255]},
    "rows": {"partition": "", "ids": ["01a2013f-4bd3-735a-b60f-d34c40f66fe0"]},
}


def body(world: World, route: str, **other: Any) -> dict[str, Any]:
    said = RIGHT[route] | ({"partition": ward(world)} if "partition" in RIGHT[route] else {})
    return said | other


@pytest.mark.parametrize("route", RIGHT)
def test_a_right_question_is_answered(standing: World, route: str) -> None:
    response = Caller.of(standing, "PAT").ask("POST", f"/v1/sync/{route}", body(standing, route))
    assert response.status_code == 200, response.data


@pytest.mark.parametrize("route, wrong", [
    ("digests", {"partitions": []}),
    ("digests", {"partitions": {"place/x/base": 4}}),
    ("digests", {"partitions": {"place/x/base": {"cursor": 4}}}),
    ("digests", {"partitions": {"place/x/base": {"cursor": 4, "digest": DIGEST, "more": 1}}}),
    ("digests", {"partitions": {"place/x/base": {"cursor": -1, "digest": DIGEST}}}),
    ("digests", {"partitions": {"place/x/base": {"cursor": 2**53, "digest": DIGEST}}}),
    ("digests", {"partitions": {"place/x/base": {"cursor": True, "digest": DIGEST}}}),
    ("digests", {"partitions": {"place/x/base": {"cursor": 4, "digest": DIGEST + "A"}}}),
    ("digests", {"partitions": {"place/x/base": {"cursor": 4, "digest": DIGEST[1:] + "\n"}}}),
    ("digests", {"partitions": {"place/x/base": {"cursor": 4, "digest": None}}}),
    ("digests", {"partitions": {"x" * 81: {"cursor": 4, "digest": DIGEST}}}),
    ("buckets", {"partition": ""}),
    ("buckets", {"partition": "x" * 81}),
    ("buckets", {"partition": None}),
    ("entries", {"buckets": []}),
    ("entries", {"buckets": [256]}),
    ("entries", {"buckets": [-1]}),
    ("entries", {"buckets": ["1"]}),
    ("entries", {"buckets": [0] * 257}),
    ("entries", {"cursor": -1}),
    ("entries", {"cursor": None}),
    ("rows", {"ids": []}),
    ("rows", {"ids": ["x"]}),
    ("rows", {"ids": ["01a2013f-4bd3-735a-b60f-d34c40f66fe0"] * 501}),
    ("rows", {"more": 1}),
], ids=lambda value: str(value)[:50])  # fmt: skip
def test_a_wrong_question_is_refused(standing: World, route: str, wrong: dict[str, Any]) -> None:
    response = Caller.of(standing, "PAT").ask("POST", f"/v1/sync/{route}", body(standing, route, **wrong))
    assert (response.status_code, is_problem(response)) in ((422, "request.invalid"), (400, "request.malformed"))


@pytest.mark.parametrize("route", [route for route in RIGHT if route != "digests"])
@pytest.mark.parametrize("partition", ["person/{p4}/base", "person/{p1}/case", "facility/TEST/base", "x"])
def test_what_is_out_of_scope_is_forbidden_be_it_there_or_not(standing: World, route: str, partition: str) -> None:
    wrong = {"partition": partition.format_map(standing.ids)}
    response = Caller.of(standing, "PAT").ask("POST", f"/v1/sync/{route}", body(standing, route, **wrong))
    assert (response.status_code, is_problem(response)) == (403, "partition.forbidden")


def test_a_row_comes_as_a_pull_gives_it(standing: World) -> None:
    copy = Copy.of(standing, "PAT").pull()
    (row,) = copy.of_partition(ward(standing))
    (given,) = copy.ask("rows", {"partition": ward(standing), "ids": [row["id"], row["id"]]})["rows"]
    assert orjson.dumps(given) == orjson.dumps(row)
    told = copy.ask("buckets", {"partition": ward(standing)})
    assert (told["cursor"], told["present"]) == (copy.cursors[ward(standing)], 1)
    assert [each for each in told["sums"] if each != DIGEST] == [spelt(term(row))]
