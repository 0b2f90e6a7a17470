"""The built terminal under /app/: its own files, from this host, and nothing above their folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from mobile_api.services import EXTENSION
from tests.support.caller import is_problem
from tests.support.world import World
from wsgi import create_app

PAGE = b"<!doctype html><title>app</title>"


@pytest.fixture(scope="module")
def client(standing: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A client of an application that serves a built terminal."""
    folder = tmp_path_factory.mktemp("built")
    built = folder / "dist"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_bytes(PAGE)
    (built / "sw.js").write_bytes(b"// worker")
    (built / "assets" / "app-1a2b.js").write_bytes(b"// app")
    (folder / "secret.txt").write_bytes(b"secret")
    app = create_app(replace(standing.settings, terminal_app=built), standing.clock)
    with app.test_client() as made:
        yield made
    app.extensions[EXTENSION].store.close()


def test_the_front_door_leads_to_the_app(client: FlaskClient) -> None:
    response = client.get("/")
    assert (response.status_code, response.headers["Location"]) == (302, "/app/")


@pytest.mark.parametrize("path", ["/app/", "/app/index.html", "/app/rounds", "/app/rounds/17/close"])
def test_a_page_of_the_app_is_the_app(client: FlaskClient, path: str) -> None:
    with client.get(path) as response:
        assert (response.status_code, response.data) == (200, PAGE)
        assert response.mimetype == "text/html"
        assert response.headers["Cache-Control"] == "no-cache"


def test_a_worker_is_asked_for_anew_and_a_hashed_file_is_kept(client: FlaskClient) -> None:
    with client.get("/app/sw.js") as worker, client.get("/app/assets/app-1a2b.js") as asset:
        assert worker.headers["Cache-Control"] == "no-cache"
        assert asset.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert asset.data == b"// app"


@pytest.mark.parametrize("path", [
    "/app/nothing.js", "/app/assets/nothing.js", "/app/../secret.txt", "/app/%2e%2e/secret.txt", "/app/..%2fsecret.txt",
    "/app/assets/..%2f..%2fsecret.txt", "/app/%00.txt",
])  # fmt: skip
def test_what_is_not_of_the_app_is_not_there(client: FlaskClient, path: str) -> None:
    with client.get(path) as response:
        assert (response.status_code, is_problem(response)) == (404, "route.unknown")


def test_the_app_may_load_nothing_from_another_host(client: FlaskClient) -> None:
    for path in ("/app/", "/app/rounds", "/app/assets/app-1a2b.js"):
        with client.get(path) as response:
            policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
            assert policy["default-src"] == "'self'"
            assert {"object-src", "base-uri", "frame-ancestors", "form-action"} <= policy.keys()
            assert not any("http" in sources or "*" in sources for sources in policy.values())
            assert "unsafe" not in policy.get("script-src", policy["default-src"])
            assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_app_hides_no_route(client: FlaskClient) -> None:
    assert client.get("/v1/kinds").status_code == 200
    with client.get("/v1/nothing") as response:
        assert is_problem(response) == "route.unknown"
    rules = {rule.rule for rule in client.application.url_map.iter_rules() if rule.endpoint.startswith("terminal_app.")}
    assert rules == {"/", "/app/", "/app/<path:name>"}
