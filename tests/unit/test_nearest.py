"""Who is nearest: the order of officers by where each scanned last."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backend.domain.shifts import Stint
from backend.facts.nearest import OTHER_WARD, SAME_PLACE, SAME_WARD, STALE, UNKNOWN, Scan, Site, ordered

NOW = 10 * STALE
SITES = {
    "W": Site(None, 1), "C1": Site("W", 1), "C2": Site("W", 2), "C7": Site("W", 7), "V": Site(None, 2), "D1": Site("V", 1),
}  # fmt: skip


def order(place: str, **scans: Scan) -> list[tuple[str, int, int]]:
    stints = [Stint(officer, "PAT", (), 0, 2 * NOW, "") for officer in (*scans, "nowhere")]
    return [(each.stint.officer, each.rank, each.steps) for each in ordered(stints, scans, SITES, place, NOW)]


def test_place_then_ward_by_steps_then_other_wards_then_unknown() -> None:
    found = order(
        "C1",
        far=Scan(NOW, "C7"), here=Scan(NOW - STALE, "C1"), other=Scan(NOW, "D1"), next=Scan(NOW - STALE, "C2"),
        stale=Scan(NOW - STALE - 1, "C1"), closed=Scan(NOW, "C9"),
    )  # fmt: skip
    assert found == [
        ("here", SAME_PLACE, 0), ("next", SAME_WARD, 1), ("far", SAME_WARD, 6), ("other", OTHER_WARD, 0),
        ("closed", UNKNOWN, 0), ("nowhere", UNKNOWN, 0), ("stale", UNKNOWN, 0),
    ]  # fmt: skip


def test_of_a_ward_as_a_whole_all_who_are_in_it_are_near() -> None:
    found = order("W", first=Scan(NOW - 2, "C7"), second=Scan(NOW - 1, "C1"), other=Scan(NOW, "D1"))
    assert found[:3] == [("second", SAME_WARD, 0), ("first", SAME_WARD, 0), ("other", OTHER_WARD, 0)]


def test_of_a_place_that_nobody_knows_nothing_is_near() -> None:
    assert {rank for _, rank, _ in order("X1", here=Scan(NOW, "C1"))} == {UNKNOWN}


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.builds(Scan, st.integers(0, NOW), st.sampled_from([*SITES, "gone"])))
)
def test_everybody_on_duty_is_told_once(scans: dict[str, Scan]) -> None:
    posts = [Stint(officer, post, (), 0, 2 * NOW, "") for officer in "abcdef" for post in ("PAT", "LEAD")]
    found = ordered(posts, scans, SITES, "C1", NOW)
    assert sorted(each.stint.officer for each in found) == list("abcdef")
    ranks = [each.rank for each in found]
    assert ranks == sorted(ranks)
    assert all(each.scan is None for each in found if each.rank == UNKNOWN)
