"""The local authority: what a handheld that installed it will believe."""

from __future__ import annotations

import ipaddress
import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from backend.kernel import certificates
from tools import run, tls


def verified(chain: Path, authority: Path, subject: x509.DNSName | x509.IPAddress) -> None:
    leaf, *between = x509.load_pem_x509_certificates(chain.read_bytes())
    store = Store(x509.load_pem_x509_certificates(authority.read_bytes()))
    PolicyBuilder().store(store).build_server_verifier(subject).verify(leaf, between)


@pytest.mark.parametrize(
    ("host", "subject"),
    [
        ("roundsman.local", x509.DNSName("roundsman.local")),
        ("192.168.7.4", x509.IPAddress(ipaddress.ip_address("192.168.7.4"))),
    ],
)
def test_a_handheld_that_trusts_the_authority_trusts_the_server(
    tmp_path: Path, host: str, subject: x509.DNSName | x509.IPAddress
) -> None:
    chain, key = tls.certificate(tmp_path, host)
    verified(chain, tmp_path / "authority.pem", subject)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
    assert key.stat().st_mode & 0o077 == 0
    with pytest.raises(VerificationError):
        verified(chain, tmp_path / "authority.pem", x509.DNSName("another.host"))


def test_a_good_certificate_is_kept_and_one_near_its_end_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tls.certificate(tmp_path, "roundsman.local")[0].read_bytes()
    assert tls.certificate(tmp_path, "roundsman.local")[0].read_bytes() == first
    monkeypatch.setattr(tls, "_RENEW_BEFORE", tls.timedelta(days=tls.CERTIFICATE_DAYS))
    chain, _ = tls.certificate(tmp_path, "roundsman.local")
    assert chain.read_bytes() != first
    verified(chain, tmp_path / "authority.pem", x509.DNSName("roundsman.local"))


@pytest.mark.parametrize(
    "host",
    ["", "authority", "AUTHORITY", "../evil", "a/b", "a b", "-a", "a.", "a..b", "\x00", "a" * 64, "*.local", "h:8000"],
)
def test_what_is_no_host_gets_no_certificate_and_no_file(tmp_path: Path, host: str) -> None:
    with pytest.raises(tls.BadHost):
        tls.certificate(tmp_path / "tls", host)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host, origin", [
    ("", "http://localhost:8000"),
    ("roundsman.local", "https://roundsman.local:8000"),
    ("192.168.7.4", "https://192.168.7.4:8000"),
    ("fd00::1", "https://[fd00::1]:8000"),
])  # fmt: skip
def test_a_server_is_addressed_by_the_host_of_its_certificate(host: str, origin: str) -> None:
    assert run._origin(host, 8000) == origin


def test_the_sheet_lies_beside_the_certificate_and_the_server_is_told_of_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDSMAN_CERTIFICATE", "another")
    chain, _ = run._certificate(tmp_path, "roundsman.local", 8443)
    assert os.environ["ROUNDSMAN_CERTIFICATE"] == str(chain)
    page = (tmp_path / "roundsman.local.install.html").read_text("utf-8")
    authority = certificates.read(chain.read_bytes()).authority
    assert authority is not None and all(line in page for line in authority.fingerprint)
    assert "https://roundsman.local:8443/install/authority.pem" in page
    with pytest.raises(SystemExit, match="no host name"):
        run._certificate(tmp_path, "../evil", 8443)
