"""What a certificate chain says: for which host it is, until when, and of which authority. Pure.

X.509 is RFC 5280; a chain is PEM text (RFC 7468), the host's own certificate first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

_GROUP, _LINE = 4, 8
_DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unreadable(ValueError):
    """This is no chain of certificates."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A local authority. ``pem``: its certificate; ``digest``: SHA-256 of that, 32 bytes; ``not_after`` in milliseconds."""

    name: str
    pem: bytes
    digest: bytes
    not_after: int

    @property
    def fingerprint(self) -> list[str]:
        """SHA-256 in hexadecimal, capital letters, groups of four in lines of eight groups: what a person compares."""
        text = self.digest.hex().upper()
        groups = [text[at : at + _GROUP] for at in range(0, len(text), _GROUP)]
        return [" ".join(groups[at : at + _LINE]) for at in range(0, len(groups), _LINE)]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A host's certificate. ``not_after`` in milliseconds; ``authority``: None when the chain ends in none that signed
    itself, as one from a public authority does."""

    host: str
    not_after: int
    authority: Authority | None

    def days_left(self, now: int) -> int:
        """Whole days until it ends; negative once it has ended."""
        return (self.not_after - now) // _DAY_MS


def read(chain: bytes) -> Certificate:
    """Reads a chain. Raises Unreadable."""
    try:
        leaf, *above = x509.load_pem_x509_certificates(chain)
        host = _host(leaf)
    except (ValueError, x509.ExtensionNotFound):
        raise Unreadable("not a chain of certificates") from None
    last = above[-1] if above and above[-1].issuer == above[-1].subject else None
    return Certificate(host, _ms(leaf.not_valid_after_utc), None if last is None else _authority(last))


def _host(leaf: x509.Certificate) -> str:
    """The first name or address that it is for."""
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    hosts = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    if not hosts:
        raise ValueError("it is for no host")
    return str(hosts[0])


def _authority(found: x509.Certificate) -> Authority:
    names = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    name = str(names[0].value) if names else "?"
    pem = found.public_bytes(serialization.Encoding.PEM)
    return Authority(name, pem, found.fingerprint(hashes.SHA256()), _ms(found.not_valid_after_utc))


def _ms(moment: datetime) -> int:
    return round((moment - _EPOCH).total_seconds() * 1000)
