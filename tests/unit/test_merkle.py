"""The tree of RFC 9162, against the vectors of Certificate Transparency and against its own definition."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.audit.merkle import EMPTY_ROOT, extend, leaf_hash, node_hash, root
from tests.support.chance import tries

LEAVES = [
    bytes.fromhex(each)
    for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The test vectors of certificate-transparency (merkletree/merkle_tree_test.cc), sizes 0 to 8."""


def naive(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 §2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + naive(leaves[:k]) + naive(leaves[k:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES[:size]]
    assert root(extend(0, [], hashes)[1]).hex() == ROOTS[size]
    assert naive(LEAVES[:size]).hex() == ROOTS[size]


@tries(100)
@given(st.lists(st.integers(0, 9), max_size=9), st.binary(max_size=2))
def test_growing_in_any_steps_comes_to_the_tree_by_definition(steps: list[int], salt: bytes) -> None:
    leaves = [salt + bytes([number]) for number in range(sum(steps))]
    size, peaks = 0, list[bytes]()
    for step in steps:
        size, peaks = extend(size, peaks, map(leaf_hash, leaves[size : size + step]))
        assert len(peaks) == size.bit_count()
        assert root(peaks) == naive(leaves[:size])
    assert size == len(leaves)


def test_extending_leaves_what_it_was_given_as_it_is() -> None:
    peaks = [leaf_hash(b"a")]
    size, grown = extend(1, peaks, [leaf_hash(b"b")])
    assert (size, grown, peaks) == (2, [node_hash(leaf_hash(b"a"), leaf_hash(b"b"))], [leaf_hash(b"a")])
    assert extend(1, peaks, []) == (1, peaks)


def test_a_leaf_is_never_a_node_and_order_counts() -> None:
    one, other = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(one + other) != node_hash(one, other) != node_hash(other, one)
    assert root([]) == EMPTY_ROOT == hashlib.sha256().digest()
