"""Identity numbers: the examples of GB 11643-1999, and what a slip of the pen does to one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import resident_id

EXAMPLES = ("11010519491231002X", "440524188001010014")
"""Those of the standard: the first of a woman, the second of a man."""


def test_the_standard_s_own_examples() -> None:
    woman, man = map(resident_id.read, EXAMPLES)
    assert (woman.birth, woman.sex, woman.checked) == ("1949-12-31", "f", True)
    assert (man.birth, man.sex, man.checked) == ("1880-01-01", "m", True)
    assert resident_id.read("11010519491231002x") == woman


def test_the_old_form_has_no_check_sign() -> None:
    old = resident_id.read("110105491231002")
    assert (old.birth, old.sex, old.checked) == ("1949-12-31", "f", False)


@given(st.sampled_from(EXAMPLES), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(number: str, at: int, by: int) -> None:
    digit = str((int(number[at]) + by) % 10)
    assert not resident_id.is_right(number[:at] + digit + number[at + 1 :])


@given(st.sampled_from(EXAMPLES), st.integers(0, 15))
def test_two_digits_that_changed_places_are_always_found(number: str, at: int) -> None:
    swapped = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
    assert resident_id.is_right(swapped) == (swapped == number)


@pytest.mark.parametrize(
    "number",
    ["", "11010519491231002", "1101051949123100２X", "11010519491331002X", "1101054912310022", "X1010519491231002X",
     "11010519491231002X ", "110105490230002", "11010519491231\u0660\u0660\u0662X"],
)  # fmt: skip
def test_what_is_no_number(number: str) -> None:
    with pytest.raises(ValueError):
        resident_id.read(number)


@given(st.text(max_size=20))
def test_no_text_is_more_than_refused(text: str) -> None:
    if resident_id.is_right(text):
        assert resident_id.read(text).number == text.upper()
