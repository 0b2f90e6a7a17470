"""Proofs for a bundle are those that are made one at a time, in a log of many blocks and of every shape at its end."""

from __future__ import annotations

import pytest

from backend.audit import merkle, proofs
from backend.audit.evidence.paths import Paths
from backend.audit.log import append
from backend.storage import tables
from backend.storage.door import Transaction
from tests.support import store
from tests.support.world import FACILITY, World


def grown(world: World, size: int) -> None:
    """Leaves until the log has so many."""

    def work(transaction: Transaction) -> None:
        for number in range(size - transaction.tree.size):
            append(transaction, "test.entered", {"number": number})

    world.services.door.write(FACILITY, work)


@pytest.mark.parametrize("size", [256, 257, 300, 512, 767, 1025])
def test_they_are_the_same_as_one_at_a_time(small: World, size: int) -> None:
    grown(small, size)
    root = store.rows(small, tables.tree_heads)[-1].root
    asked = sorted({*range(0, size, 37), 0, 1, 255, size - 1, size - 2, 256 % size})
    with small.services.store.reading() as connection:
        paths = Paths(connection, FACILITY, 1, size)
        for position in [*asked, *reversed(asked)]:
            path = paths.inclusion(position)
            assert path == proofs.inclusion(connection, FACILITY, 1, position, size)
            leaf = store.one(small, tables.leaves, epoch=1, position=position).body
            merkle.verify_inclusion(merkle.leaf_hash(leaf), position, size, path, root)
            assert paths.consistency(position + 1) == proofs.consistency(connection, FACILITY, 1, position + 1, size)


def test_a_part_of_the_log_that_is_gone_is_missed(small: World) -> None:
    grown(small, 600)
    with small.services.store.writing() as connection:
        connection.execute(tables.nodes.delete())
        connection.execute(tables.leaves.delete().where(tables.leaves.c.position == 5))
    with small.services.store.reading() as connection:
        paths = Paths(connection, FACILITY, 1, 600)
        for position in (300, 4):
            with pytest.raises(LookupError):
                paths.inclusion(position)
