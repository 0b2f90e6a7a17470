"""Ranges of numbers, against sets of them."""

from __future__ import annotations

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from backend.identity.segments import Range, Segment, lacking, without

NUMBERS = st.frozensets(st.integers(1, 30))
NONE = bytes(32)


def ranges(numbers: set[int]) -> list[Range]:
    """The shortest list of ranges that are these numbers."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(sorted(numbers)), lambda each: each[1] - each[0])]
    return [(run[0], run[-1]) for run in runs]


@given(NUMBERS, st.integers(0, 40))
def test_what_is_lacking_is_what_neither_the_run_nor_a_segment_has(had: frozenset[int], upto: int) -> None:
    runs = ranges(set(had))
    last_n = runs.pop(0)[1] if runs and runs[0][0] == 1 else 0
    segments = [Segment(first, NONE, last, NONE) for first, last in runs]
    top = max([upto, *had])
    assert lacking(last_n, segments, top) == ranges(set(range(1, top + 1)) - had)


@given(NUMBERS, NUMBERS)
def test_single_numbers_are_taken_out_of_ranges(had: frozenset[int], out: frozenset[int]) -> None:
    assert without(ranges(set(had)), out) == ranges(set(had - out))
