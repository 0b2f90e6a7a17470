"""Who may be lodged with whom in a cell of a 看守所: rule A08 (看守所条例14; 刑事诉讼法280). Pure.

Men and women apart, minors apart from adults, accused of one case apart from each other. A facility's register may know a
birth by its year or month alone; where that leaves open whether somebody is of age, nothing is refused for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

OF_AGE = 18
"""Years, reached on the day after the birthday (法释[2006]1号 2: 从周岁生日的第二天起算)."""
GATED_FACILITIES = frozenset({"KSS"})
"""Types of facilities in which rule A08 holds."""


def minor(birth: str | None, day: date) -> bool | None:
    """Whether somebody is under age on a day; None where his birth (``1990``, ``1990-02``, ``1990-02-14``) leaves it open."""
    if birth is None:
        return None
    parts = [int(part) for part in birth.split("-")]
    first = (parts[0], *(parts[1:] or [1]), *([1] if len(parts) < 3 else []))
    last = (parts[0], *(parts[1:] or [12]), *([31] if len(parts) < 3 else []))
    on = (day.year - OF_AGE, day.month, day.day)
    young, old = first >= on, last < on
    return True if young else False if old else None


def clashes(person: Mapping[str, Any], others: Iterable[Mapping[str, Any]], day: date) -> list[str]:
    """Why somebody may not be lodged with others: of ``sex``, ``age``, ``case``; documents of the kind ``person``."""
    found = set()
    own_age, case = minor(person.get("birth"), day), person.get("case")
    for other in others:
        if other["sex"] != person["sex"]:
            found.add("sex")
        age = minor(other.get("birth"), day)
        if own_age is not None and age is not None and own_age != age:
            found.add("age")
        if case is not None and other.get("case") == case:
            found.add("case")
    return sorted(found)
