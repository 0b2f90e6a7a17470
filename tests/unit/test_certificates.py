"""What is told of a certificate chain: its host, its end, and the authority that devices are to install."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from backend.kernel import certificates
from backend.kernel.certificates import Unreadable
from tools import tls

DAY = 86_400_000


@pytest.mark.parametrize("host", ["roundsman.local", "192.168.7.4", "fd00::1"])
def test_a_chain_of_the_local_authority_tells_all_of_it(tmp_path: Path, host: str) -> None:
    chain, _ = tls.certificate(tmp_path, host)
    found = certificates.read(chain.read_bytes())
    assert found.host == host
    now = int(datetime.now(UTC).timestamp() * 1000)
    assert found.days_left(now) in (tls.CERTIFICATE_DAYS - 1, tls.CERTIFICATE_DAYS)
    assert [found.days_left(found.not_after + after) for after in (-DAY, 1 - DAY, 0, 1)] == [1, 0, 0, -1]
    file = x509.load_pem_x509_certificate((tmp_path / "authority.pem").read_bytes())
    assert found.authority is not None
    assert found.authority.pem == (tmp_path / "authority.pem").read_bytes()
    assert found.authority.name == "Roundsman local authority"
    lines = found.authority.fingerprint
    assert [len(line.split()) for line in lines] == [8, 8] and {
        len(each) for line in lines for each in line.split()
    } == {4}
    assert bytes.fromhex("".join(lines)) == file.fingerprint(hashes.SHA256())


def test_a_chain_without_an_authority_of_its_own_names_none(tmp_path: Path) -> None:
    chain, _ = tls.certificate(tmp_path, "roundsman.local")
    leaf, _, _ = chain.read_bytes().partition(b"-----END CERTIFICATE-----\n")
    found = certificates.read(leaf + b"-----END CERTIFICATE-----\n")
    assert (found.host, found.authority) == ("roundsman.local", None)


def test_what_is_no_chain_of_a_host_is_unreadable(tmp_path: Path) -> None:
    tls.certificate(tmp_path, "roundsman.local")
    for chain in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\xff" * 100):
        with pytest.raises(Unreadable):
            certificates.read(chain)
    with pytest.raises(Unreadable):
        certificates.read((tmp_path / "authority.pem").read_bytes())
    with pytest.raises(Unreadable):
        certificates.read((tmp_path / "roundsman.local.key").read_bytes())
