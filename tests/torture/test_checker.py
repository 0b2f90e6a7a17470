"""The checker's own hashes against the protocol's vectors and RFC 9162's shape, and its reading of answers."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from torture.checker import hashing
from torture.checker.history import sliced

VECTORS = json.loads((Path(__file__).resolve().parents[1] / "vectors" / "protocol.json").read_text())


def test_genesis_and_chain() -> None:
    begin = VECTORS["genesis"]
    found = hashing.genesis(begin["facility"], begin["terminal"], begin["incarnation"], VECTORS["thumbprint"])
    assert hashing.text(found) == begin["hash"]
    for each in VECTORS["chain"]:
        found = hashing.link(found, each["n"], base64.b64decode(each["raw_base64"]))
        assert hashing.text(found) == each["hash"]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 7, 8, 13, 64, 100])
def test_the_tree_is_that_of_the_definition(size: int) -> None:
    """RFC 9162 §2.1.1, by its recursion."""
    leaves = [str(at).encode() for at in range(size)]

    def root(part: list[bytes]) -> bytes:
        if not part:
            return hashlib.sha256(b"").digest()
        if len(part) == 1:
            return hashlib.sha256(b"\x00" + part[0]).digest()
        half = 1 << (len(part) - 1).bit_length() - 1
        return hashlib.sha256(b"\x01" + root(part[:half]) + root(part[half:])).digest()

    tree = hashing.Tree()
    for leaf in leaves:
        tree.add(leaf)
    assert (tree.size, tree.root()) == (size, root(leaves))


def test_outcomes_keep_their_bytes() -> None:
    text = '{"next":3,"outcomes":[{"n":1,"op":"a]"}, {"op":"b\\u00e9","n":2}],"head":"x"}'
    assert [raw for raw, _ in sliced(text.replace(", {", ",{"), '"outcomes":[')] == [
        b'{"n":1,"op":"a]"}', b'{"op":"b\\u00e9","n":2}'
    ]  # fmt: skip
    assert sliced('{"outcomes":[],"head":"x"}', '"outcomes":[') == []
