"""The local authority: what a handheld that installed it will believe."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from tools import tls


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
