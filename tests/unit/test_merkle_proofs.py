"""Proofs of RFC 9162 §2.1.3 and §2.1.4: against published vectors, against the definition, and against whoever forges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.audit import merkle
from backend.audit.merkle import Subtree, leaf_hash, node_hash, subtrees, verify_consistency, verify_inclusion
from headless import merkle as of_terminals
from tests.support.chance import tries
from tests.unit.test_merkle import naive

VECTORS: dict[str, Any] = orjson.loads((Path(__file__).parents[1] / "vectors" / "merkle.json").read_bytes())
"""The paths and proofs of google/trillian (merkle/merkle_tree_test.go), which its C++ forerunner had made."""
LEAVES = [bytes.fromhex(each) for each in VECTORS["leaves"]]
ROOTS = [bytes.fromhex(each) for each in VECTORS["roots"]]


def path_of(case: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(each) for each in case["path"]]


def made(ranges: list[merkle.Range], leaves: list[bytes]) -> list[bytes]:
    """The roots of ranges, each by definition."""
    return [naive(leaves[start:end]) for start, end in ranges]


@pytest.mark.parametrize("case", VECTORS["inclusion"], ids=str)
def test_published_paths_are_made_and_verified(case: dict[str, Any]) -> None:
    position, size = case["position"], case["size"]
    assert made(merkle.inclusion(position, size), LEAVES) == path_of(case)
    verify_inclusion(leaf_hash(LEAVES[position]), position, size, path_of(case), ROOTS[size])


@pytest.mark.parametrize("case", VECTORS["consistency"], ids=str)
def test_published_proofs_are_made_and_verified(case: dict[str, Any]) -> None:
    first, second = case["first"], case["second"]
    assert made(merkle.consistency(first, second), LEAVES) == path_of(case)
    verify_consistency(first, second, ROOTS[first], ROOTS[second], path_of(case))
    of_terminals.verify_consistency(first, second, ROOTS[first], ROOTS[second], path_of(case))


def path_by_definition(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D_n), word for word."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if m < k:
        return [*path_by_definition(m, leaves[:k]), naive(leaves[k:])]
    return [*path_by_definition(m - k, leaves[k:]), naive(leaves[:k])]


def proof_by_definition(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF(m, D_n, b), word for word."""
    n = len(leaves)
    if m == n:
        return [] if whole else [naive(leaves)]
    k = 1 << (n - 1).bit_length() - 1
    if m <= k:
        return [*proof_by_definition(m, leaves[:k], whole), naive(leaves[k:])]
    return [*proof_by_definition(m - k, leaves[k:], False), naive(leaves[:k])]


def test_every_proof_of_every_small_log_is_the_one_by_definition_and_holds() -> None:
    leaves = [bytes([number]) for number in range(34)]
    roots = [naive(leaves[:size]) for size in range(35)]
    for size in range(1, 35):
        for other in range(size):
            path = made(merkle.inclusion(other, size), leaves)
            assert path == path_by_definition(other, leaves[:size])
            verify_inclusion(leaf_hash(leaves[other]), other, size, path, roots[size])
            proof = made(merkle.consistency(other + 1, size), leaves)
            assert proof == proof_by_definition(other + 1, leaves[:size])
            for check in (verify_consistency, of_terminals.verify_consistency):
                check(other + 1, size, roots[other + 1], roots[size], proof)


@tries(200)
@given(st.integers(1, 40), st.data())
def test_a_path_that_was_touched_anywhere_proves_nothing(size: int, data: st.DataObject) -> None:
    leaves = [bytes([number]) for number in range(40)]
    position = data.draw(st.integers(0, size - 1))
    path, root = made(merkle.inclusion(position, size), leaves), naive(leaves[:size])
    wrong = [
        (leaf_hash(b"another"), position, size, path, root),
        (leaf_hash(leaves[position]), position, size, path, leaf_hash(b"another")),
        (leaf_hash(leaves[position]), position, size, [*path, root], root),
        (leaf_hash(leaves[position]), size, size, path, root),
        (leaf_hash(leaves[position]), -1, size, path, root),
    ]
    wrong += [(leaf_hash(leaves[position]), other, size, path, root) for other in range(size) if other != position]
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        wrong.append((leaf_hash(leaves[position]), position, size, path[:at] + path[at + 1 :], root))
        wrong.append((leaf_hash(leaves[position]), position, size, [*path[:at], root, *path[at + 1 :]], root))
    for case in wrong:
        with pytest.raises(ValueError):
            verify_inclusion(*case)


@tries(200)
@given(st.integers(2, 40), st.data())
def test_a_proof_that_was_touched_anywhere_proves_nothing(second: int, data: st.DataObject) -> None:
    leaves = [bytes([number]) for number in range(40)]
    first = data.draw(st.integers(1, second - 1))
    path = made(merkle.consistency(first, second), leaves)
    one, other = naive(leaves[:first]), naive(leaves[:second])
    changed = naive([b"edited", *leaves[1:second]])
    at = data.draw(st.integers(0, len(path) - 1))
    for check in (verify_consistency, of_terminals.verify_consistency):
        for case in (
            (first, second, one, changed, path),
            (first, second, changed, other, path),
            (first, second, one, other, [*path, other]),
            (first, second, one, other, path[:at] + path[at + 1 :]),
            (first, second, one, other, [*path[:at], leaf_hash(b"another"), *path[at + 1 :]]),
            (0, second, one, other, path),
            (second + 1, second, one, other, path),
            (second, second, one, other, []),
            (second, second, other, other, path),
        ):
            with pytest.raises(ValueError):
                check(*case)
        check(second, second, other, other, [])


@pytest.mark.parametrize(("position", "size"), [(0, 0), (1, 1), (-1, 1), (5, 4)])
def test_there_is_no_path_from_a_leaf_that_is_not_there(position: int, size: int) -> None:
    with pytest.raises(ValueError):
        merkle.inclusion(position, size)


@pytest.mark.parametrize(("first", "second"), [(0, 1), (2, 1), (-1, 1), (0, 0)])
def test_there_is_no_proof_between_sizes_that_cannot_be(first: int, second: int) -> None:
    with pytest.raises(ValueError):
        merkle.consistency(first, second)


@tries(60)
@given(st.integers(0, 5000), st.lists(st.integers(1, 900), max_size=5))
def test_the_nodes_that_growing_completes_are_the_subtrees_by_definition(before: int, steps: list[int]) -> None:
    """Whatever the steps, each subtree of 256 leaves is told once, when its last leaf comes."""
    leaves = [leaf_hash(number.to_bytes(2, "big")) for number in range(before + sum(steps))]
    size, peaks, nodes = merkle.grow(0, [], leaves[:before])
    for step in steps:
        size, peaks, more = merkle.grow(size, peaks, leaves[size : size + step])
        nodes += more
    assert [(node.level, node.position) for node in nodes] == [(8, at) for at in range(size // 256)]
    for node in nodes:
        hashes = leaves[node.position * 256 : (node.position + 1) * 256]
        while len(hashes) > 1:
            hashes = [node_hash(*hashes[at : at + 2]) for at in range(0, len(hashes), 2)]
        assert hashes == [node.hash]


def test_a_range_of_a_proof_is_made_of_full_subtrees() -> None:
    assert subtrees((0, 8)) == [Subtree(3, 0)]
    assert subtrees((8, 13)) == [Subtree(2, 2), Subtree(0, 12)]
    assert subtrees((512, 512 + 256 + 3)) == [Subtree(8, 2), Subtree(1, 384), Subtree(0, 770)]
    assert subtrees((4, 4)) == []
