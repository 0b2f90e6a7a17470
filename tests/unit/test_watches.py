"""The fewest who keep watch at any moment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backend.domain.watches import Turn, fewest

turns = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 3)), max_size=6)


@given(turns=turns, since=st.integers(0, 20), length=st.integers(1, 10))
def test_it_is_the_least_of_all_moments(turns: list[Turn], since: int, length: int) -> None:
    expected = min(
        sum(count for begin, end, count in turns if begin <= moment < end) for moment in range(since, since + length)
    )
    assert fewest(turns, since, since + length) == expected
