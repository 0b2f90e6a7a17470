"""The install sheet, the authority's certificate, and what health says of the server's own."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient

from backend.kernel import certificates
from mobile_api import install
from mobile_api.services import EXTENSION
from tests.support.caller import is_problem
from tests.support.world import World
from tools import tls

DAY = 86_400_000
HOST = "roundsman.local"


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    return tls.certificate(tmp_path / "tls", HOST)[0]


@pytest.fixture
def client(standing: World, monkeypatch: pytest.MonkeyPatch, chain: Path) -> Iterator[FlaskClient]:
    """A client of a server that shows a certificate of the local authority."""
    with with_certificate(standing, monkeypatch, chain) as made:
        yield made


def with_certificate(world: World, monkeypatch: pytest.MonkeyPatch, chain: Path | None, **more: Any) -> FlaskClient:
    told = replace(world.services, settings=replace(world.settings, certificate=chain, **more))
    monkeypatch.setitem(world.app.extensions, EXTENSION, told)
    return world.app.test_client()


def test_the_sheet_says_in_both_languages_what_a_device_needs(client: FlaskClient, chain: Path) -> None:
    response = client.get("/install", base_url=f"https://{HOST}:8000")
    page = response.text
    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    found = certificates.read(chain.read_bytes()).authority
    assert found is not None
    for line in found.fingerprint:
        assert line in page
    for word in (f"https://{HOST}:8000/install/authority.pem", f"https://{HOST}:8000/app/", "安卓手持机", "Android handheld",
                 "电脑", "Desktop", "添加到主屏幕", "Add to Home screen"):  # fmt: skip
        assert word in page, word
    assert page.count("<svg ") == 2 and "{{" not in page and "None" not in page


def test_the_sheet_loads_nothing_and_runs_nothing(client: FlaskClient) -> None:
    response = client.get("/install")
    page = response.text
    assert not re.search(r"<script|<link|<img|\bon[a-z]+=|style=|url\(|@import", page)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    policy = response.headers["Content-Security-Policy"]
    assert f"style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_authority_is_downloaded_as_it_is(client: FlaskClient, chain: Path) -> None:
    response = client.get("/install/authority.pem")
    assert response.data == (chain.parent / "authority.pem").read_bytes()
    assert response.content_type == "application/x-x509-ca-cert"
    assert response.headers["Content-Disposition"] == 'attachment; filename="roundsman-authority.crt"'
    assert b"PRIVATE" not in response.data


def test_no_other_file_of_the_folder_is_served(client: FlaskClient) -> None:
    for name in (
        "authority.key",
        f"{HOST}.key",
        f"{HOST}.pem",
        "../authority.key",
        "%2e%2e/authority.key",
        "authority.pem/",
    ):
        assert client.get(f"/install/{name}").status_code == 404, name


def test_without_an_authority_there_is_a_sheet_and_nothing_to_install(
    standing: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for path in (None, tmp_path / "missing.pem"):
        client = with_certificate(standing, monkeypatch, path)
        page = client.get("/install").text
        assert "http://localhost/app/" in page and "authority.pem" not in page and page.count("<svg ") == 1
        assert is_problem(client.get("/install/authority.pem")) == "route.unknown"


def test_the_sheet_names_the_origin_that_was_set(standing: World, monkeypatch: pytest.MonkeyPatch, chain: Path) -> None:
    client = with_certificate(standing, monkeypatch, chain, public_origin="https://xunan.example:8443")
    page = client.get("/install", base_url="https://elsewhere.example").text
    assert "https://xunan.example:8443/app/" in page and "elsewhere" not in page


@pytest.mark.parametrize("host", ["a" * 400, '"><script>alert(1)</script>', "x'onload='1", "a b", "中" * 200])
def test_a_host_that_somebody_made_up_writes_nothing_into_the_page(client: FlaskClient, host: str) -> None:
    response = client.get("/install", headers={"Host": host.encode("utf-8").decode("latin-1")})
    assert response.status_code in (200, 400)
    assert not re.search(r"<script|onload='", response.text)


def test_the_sheet_is_escaped_whatever_it_is_told(chain: Path) -> None:
    page = install.sheet('https://h"><script>', certificates.read(chain.read_bytes()))
    assert "<script>" not in page


# Health


def tls_of(client: FlaskClient) -> Any:
    response = client.get("/healthz")
    told = orjson.loads(response.data)
    assert (response.status_code, told["status"]) == (200, "ok"), "an ending certificate is no reason to stop"
    return told["tls"]


def test_health_tells_when_the_certificate_ends_and_warns_before(
    small: World, monkeypatch: pytest.MonkeyPatch, chain: Path
) -> None:
    client, found = with_certificate(small, monkeypatch, chain), certificates.read(chain.read_bytes())
    for before, days, warned in (
        (31 * DAY, 31, False),
        (30 * DAY, 30, False),
        (30 * DAY - 1, 29, True),
        (-DAY, -1, True),
    ):
        small.clock.set(found.not_after - before)
        told = tls_of(client)
        assert (told["host"], told["days_left"], told["advice"] is not None) == (HOST, days, warned)
        assert certificates.read(chain.read_bytes()).not_after == found.not_after
    assert told["not_after"].endswith("Z")


def test_health_without_a_certificate_says_so_and_one_that_cannot_be_read_too(
    small: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert tls_of(with_certificate(small, monkeypatch, None)) is None
    broken = tmp_path / "broken.pem"
    broken.write_bytes(b"no certificate")
    for path in (broken, tmp_path / "missing.pem", tmp_path):
        told = tls_of(with_certificate(small, monkeypatch, path))
        assert told["days_left"] is None and "ROUNDSMAN_CERTIFICATE" in told["advice"]
        assert str(tmp_path) not in told["advice"]


def test_health_follows_the_file(small: World, monkeypatch: pytest.MonkeyPatch, chain: Path) -> None:
    client, first = with_certificate(small, monkeypatch, chain), certificates.read(chain.read_bytes())
    monkeypatch.setattr(tls, "_RENEW_BEFORE", tls.timedelta(days=tls.CERTIFICATE_DAYS))
    monkeypatch.setattr(tls, "CERTIFICATE_DAYS", 90)
    tls.certificate(chain.parent, HOST)
    small.clock.set(first.not_after - 397 * DAY)
    assert tls_of(client)["days_left"] in (89, 90)
