"""A certificate of a local authority, for a closed network: handhelds install the authority once.

A camera, a service worker and keys need HTTPS on every host but localhost.
"""

from __future__ import annotations

import ipaddress
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 397
_RENEW_BEFORE = timedelta(days=30)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*")
_AUTHORITY = "authority"


class BadHost(ValueError):
    """No certificate can be for this host."""


def checked(host: str) -> str:
    """A host name (RFC 1123) or address as it was given. Raises BadHost, also for the name of the authority's own files."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not _HOST.fullmatch(host) or len(host) > 253 or host.lower() == _AUTHORITY:
            raise BadHost(f"{host!r} is no host name or address") from None
    return host


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Certificate chain and key for a host name or address; made, and renewed 30 days before their end.

    Raises BadHost.
    """
    checked(host)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    chain, key_file = folder / f"{host}.pem", folder / f"{host}.key"
    if not (chain.exists() and key_file.exists() and _good(chain)):
        authority, authority_key = _authority(folder)
        key = ec.generate_private_key(ec.SECP256R1())
        made = _signed(_name(host), key, authority.subject, authority_key, CERTIFICATE_DAYS, _leaf(host))
        _write(key_file, _pem(key))
        _write(chain, _public(made) + _public(authority))
    return chain, key_file


def _good(chain: Path) -> bool:
    return x509.load_pem_x509_certificate(chain.read_bytes()).not_valid_after_utc > datetime.now(UTC) + _RENEW_BEFORE


def _authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The authority of this installation; ``authority.pem`` is what a handheld installs."""
    cert_file, key_file = folder / f"{_AUTHORITY}.pem", folder / f"{_AUTHORITY}.key"
    if cert_file.exists() and key_file.exists():
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return x509.load_pem_x509_certificate(cert_file.read_bytes()), key
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Roundsman local authority")
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    extensions = [(x509.BasicConstraints(ca=True, path_length=0), True), (usage, True)]
    made = _signed(name, key, name, key, AUTHORITY_DAYS, extensions)
    _write(key_file, _pem(key))
    _write(cert_file, _public(made))
    return made, key


def _leaf(host: str) -> list[tuple[x509.ExtensionType, bool]]:
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.SubjectAlternativeName([alternative]), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
    ]


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _signed(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    days: int,
    extensions: list[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=days))
    named = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    for extension, critical in [*extensions, (named, False), (above, False)]:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def _public(made: x509.Certificate) -> bytes:
    return made.public_bytes(serialization.Encoding.PEM)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
