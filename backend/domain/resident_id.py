"""The number of a resident's identity card (公民身份号码), GB 11643-1999.

Eighteen signs: six of the place (GB/T 2260), eight of the day of birth, three of an order that is odd for men, and a check
sign by ISO 7064:1983 MOD 11-2. The old form of fifteen digits, which cards bore until 2013, has two digits of the year
(19…) and no check sign. Nothing here says that a number was ever given to anybody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
"""2 to the power of 17…1, modulo 11 (GB 11643-1999, table 1)."""
_SIGNS = "10X98765432"
_FORM = re.compile(r"[0-9]{17}[0-9X]|[0-9]{15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ResidentId:
    """What a number says. ``birth``: ``1990-02-14``; ``sex``: ``m`` or ``f``; ``checked``: it has a check sign."""

    number: str
    birth: str
    sex: str
    checked: bool


def check_sign(digits: str) -> str:
    """The check sign after seventeen digits: ``0``–``9`` or ``X``."""
    return _SIGNS[sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=True)) % 11]


def read(number: str) -> ResidentId:
    """What a number says; a small ``x`` counts as the large one.

    Raises ValueError when it has another form, names a day that there is not, or its check sign is wrong.
    """
    number = number.upper()
    if _FORM.fullmatch(number) is None:
        raise ValueError("neither eighteen signs nor fifteen digits")
    old = len(number) == 15
    day, order = ("19" + number[6:12], number[14]) if old else (number[6:14], number[16])
    birth = date.fromisoformat(day).isoformat()
    if not old and check_sign(number[:17]) != number[17]:
        raise ValueError("the check sign is another one")
    return ResidentId(number, birth, "m" if int(order) % 2 else "f", not old)


def is_right(number: str) -> bool:
    """Whether a number can be read."""
    try:
        read(number)
    except ValueError:
        return False
    return True
