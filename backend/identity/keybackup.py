"""The server's keys in one file, encrypted with a passphrase: scrypt (RFC 7914) and AES-256-GCM."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from backend.identity import keyfiles
from backend.identity.headring import PRESENT
from backend.kernel.disk import settle
from backend.kernel.ids import b64, unb64

FORMAT = "roundsman-keys/1"
LEAST_PASSPHRASE = 12
LARGEST_FILE = 1 << 20
_COST, _BLOCK, _LANES = 1 << 17, 8, 1
"""128 MiB and half a second for each guess."""
_MOST_COST = 1 << 18
_NAME = re.compile(r"[a-z0-9]+(\.[a-z0-9-]+)*\.(pem|key|json)")


class Unreadable(ValueError):
    """No backup of keys, or another passphrase; says which."""


def make(folder: Path, target: Path, passphrase: str) -> list[str]:
    """Writes every key of a folder into a new file of mode 0600; returns their names.

    While a key is turned it waits. Raises ValueError for a short passphrase, FileExistsError, and other OSErrors.
    """
    if len(passphrase) < LEAST_PASSPHRASE:
        raise ValueError(f"a passphrase has at least {LEAST_PASSPHRASE} signs")
    with keyfiles.locked(folder):
        found = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if _NAME.fullmatch(path.name)}
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pack(found, passphrase))
        file.flush()
        os.fsync(file.fileno())
    settle(target.resolve().parent)
    return list(found)


def restore(folder: Path, source: Path, passphrase: str) -> list[str]:
    """Puts the keys of a backup in the place of those in a folder; returns their names.

    Whether these may go is the caller's business. Raises Unreadable, before anything is changed, and OSErrors.
    """
    if source.stat().st_size > LARGEST_FILE:
        raise Unreadable("no backup of keys")
    found = unpack(source.read_bytes(), passphrase)
    with keyfiles.locked(folder):
        for name in sorted(found, key=lambda name: name == PRESENT):  # who stops before the last one begins again
            keyfiles.replace(folder / name, found[name])
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name) and path.name not in found:
                path.unlink()
    return sorted(found)


def pack(files: Mapping[str, bytes], passphrase: str) -> bytes:
    """Files by their names → the bytes of a backup."""
    kdf = {"name": "scrypt", "n": _COST, "r": _BLOCK, "p": _LANES, "salt": b64(secrets.token_bytes(16))}
    nonce = secrets.token_bytes(12)
    head = {"format": FORMAT, "kdf": kdf, "cipher": "A256GCM", "nonce": b64(nonce)}
    plain = orjson.dumps({name: b64(data) for name, data in files.items()})
    sealed = AESGCM(_derive(kdf, passphrase)).encrypt(nonce, plain, orjson.dumps(head))
    return orjson.dumps({**head, "data": b64(sealed)}, option=orjson.OPT_INDENT_2) + b"\n"


def unpack(data: bytes, passphrase: str) -> dict[str, bytes]:
    """The files of a backup by their names. Raises Unreadable."""
    try:
        said = orjson.loads(data)
        sealed = unb64(said.pop("data"))
        if said["format"] != FORMAT or said["cipher"] != "A256GCM" or not _bearable(said["kdf"]):
            raise Unreadable("no backup of keys of this version")
        plain = AESGCM(_derive(said["kdf"], passphrase)).decrypt(unb64(said["nonce"]), sealed, orjson.dumps(said))
        found = {name: unb64(text) for name, text in orjson.loads(plain).items()}
    except InvalidTag:
        raise Unreadable("another passphrase, or the file was changed") from None
    except Unreadable:
        raise
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unreadable("no backup of keys") from None
    if PRESENT not in found or not all(map(_NAME.fullmatch, found)):
        raise Unreadable("no backup of keys")
    return found


def _bearable(kdf: Any) -> bool:
    """Whether a file asks for no more work than one of ours could."""
    costs = isinstance(kdf, dict) and all(type(kdf.get(name)) is int and kdf[name] > 0 for name in ("n", "r", "p"))
    return bool(costs and kdf["name"] == "scrypt" and kdf["n"] <= _MOST_COST and kdf["r"] == _BLOCK and kdf["p"] <= 4)


def _derive(kdf: Mapping[str, Any], passphrase: str) -> bytes:
    made = Scrypt(salt=unb64(kdf["salt"]), length=32, n=kdf["n"], r=kdf["r"], p=kdf["p"])
    return made.derive(passphrase.encode())
