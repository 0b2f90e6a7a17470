"""The synthetic facility holds together, belongs to nobody, and is the same wherever it is made."""

import os
import random
import re
import subprocess
import sys
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from backend.domain.calendars import Calendar
from backend.domain.shift_words import pattern_of, row_of
from backend.domain.shifts import Plan, Roster
from demo import roster
from demo.facility import Facility, Place, build
from demo.names import FAMILY, FIRST, SECOND, names
from demo.rounds import LOCAL, TO_FIRST_CELL, PlannedRound, on_shift, walk, week_of_rounds

ROOT = Path(__file__).parents[2]
OBSERVATIONS = {"asleep", "calm", "talking", "low_mood", "agitated", "dispute", "unwell", "damage", "other"}
END = datetime(2026, 11, 22, 3, 14, 15, 123456, tzinfo=UTC)
HUNDRED_FAMILIES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方"
    "俞任袁柳酆鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于时傅皮卞齐康伍余元卜顾孟平黄和穆萧尹姚邵湛汪祁毛禹狄米贝明臧"
    "计伏成戴谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄危江童颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万支柯昝管卢莫"
    "经房裘缪干解应宗丁宣贲邓郁单杭洪包诸左石崔吉钮龚程嵇邢滑裴陆荣翁荀羊於惠甄曲家封芮羿储靳汲邴糜松井段富巫乌焦巴弓"
    "牧隗山谷车侯宓蓬全郗班仰秋仲伊宫宁仇栾暴甘钭厉戎祖武符刘景詹束龙叶幸司韶郜黎蓟薄印宿白怀蒲邰从鄂索咸籍赖卓蔺屠蒙"
    "池乔阴郁胥能苍双闻莘党翟谭贡劳逄姬申扶堵冉宰郦雍却璩桑桂濮牛寿通边扈燕冀郏浦尚农温别庄晏柴瞿阎充慕连茹习宦艾鱼容"
    "向古易慎戈廖庾终暨居衡步都耿满弘匡国文寇广禄阙东欧殳沃利蔚越夔隆师巩厍聂晁勾敖融冷訾辛阚那简饶空曾毋沙乜养鞠须丰"
    "巢关蒯相查后荆红游竺权逯盖益桓公肖闫付代涂兰欧阳占候芦麦普苟佟边丛鄢谌位仝覃邝冼揭但操庹檀仉亓么"
)


@pytest.fixture(scope="module")
def facility() -> Facility:
    return build()


@pytest.fixture(scope="module")
def week(facility: Facility) -> list[PlannedRound]:
    return list(week_of_rounds(facility, END, seed=1))


def of_type(facility: Facility, kind: str) -> list[Place]:
    return [place for place in facility.places if place.type == kind]


def all_ids(facility: Facility) -> list[str]:
    return [
        *(place.id for place in facility.places),
        *(person.id for person in facility.persons),
        *(officer.id for officer in facility.officers),
    ]


def test_the_names_are_distinct_and_no_family_s() -> None:
    made = names(random.Random(1), 1000)
    assert len(set(made)) == 1000
    assert not set(FAMILY) & set(HUNDRED_FAMILIES)
    assert {name[0] for name in made} == set(FAMILY)
    assert {len(name) for name in made} == {2, 3}
    assert len(set(FAMILY + FIRST + SECOND)) == len(FAMILY + FIRST + SECOND)
    (FAMILY + FIRST + SECOND).encode("gb2312")


def test_there_are_no_more_names_than_there_are() -> None:
    with pytest.raises(ValueError, match="larger than population"):
        names(random.Random(1), 100_000)


def test_as_many_as_a_facility_of_that_size_has(facility: Facility) -> None:
    assert (facility.id, facility.type, facility.name) == ("DEMO", "KSS", "巡安演示看守所")
    assert "synthetic" in facility.name_en
    assert Counter(place.type for place in facility.places) == {"ward": 3, "cell": 24, "checkpoint": 12}
    assert [ward.code for ward in facility.wards()] == ["A", "B", "C"]
    assert len(facility.persons) == 180
    assert set(facility.held) == {cell.id for cell in of_type(facility, "cell")}
    assert min(facility.held.values()) >= 5 and max(facility.held.values()) <= 10
    assert len(set(facility.held.values())) > 3


def test_whatever_names_something_names_one_thing(facility: Facility) -> None:
    ids = all_ids(facility)
    assert len(set(ids)) == len(ids) == 39 + 180 + 36
    assert len({place.code for place in facility.places}) == len(facility.places)
    assert len({place.name for place in facility.places}) == len(facility.places)
    assert len({person.number for person in facility.persons}) == len(facility.persons)
    assert len({officer.number for officer in facility.officers}) == len(facility.officers)
    people = [person.name for person in facility.persons] + [officer.name for officer in facility.officers]
    assert len(set(people)) == len(people) == 216
    tags = [tag for place in facility.places for tag in place.tags]
    assert len(set(tags)) == len(tags) == 36


def test_forms_are_those_of_the_protocol(facility: Facility) -> None:
    for each in all_ids(facility):
        assert str(uuid.UUID(each)) == each
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", each)
    assert len({each[:13] for each in all_ids(facility)}) == 1, "one fixed time"
    for place in facility.places:
        assert len(place.tags) == (0 if place.type == "ward" else 1)
        assert all(re.fullmatch(r"04[0-9A-F]{12}", tag) for tag in place.tags)
    assert all(re.fullmatch(r"2026-[0-9]{6}", person.number) for person in facility.persons)
    assert all(re.fullmatch(r"[0-9]{6}", officer.number) for officer in facility.officers)
    assert {person.state for person in facility.persons} == {"held"}


def test_men_and_women_never_share_a_cell(facility: Facility) -> None:
    codes = {cell.id: cell.code for cell in of_type(facility, "cell")}
    sexes: dict[str, set[str]] = {}
    for person in facility.persons:
        sexes.setdefault(codes[person.cell], set()).add(person.sex)
    assert all(len(found) == 1 for found in sexes.values())
    assert {code for code, found in sexes.items() if found == {"f"}} == {"C-05", "C-06", "C-07", "C-08"}


def test_a_ward_is_one_path_of_cells_and_checkpoints(facility: Facility) -> None:
    assert [ward.position for ward in facility.wards()] == [1, 2, 3]
    assert all(ward.parent is None for ward in facility.wards())
    for ward in facility.wards():
        route = facility.route(ward)
        assert [place.position for place in route] == list(range(1, 13))
        assert [place.code.removeprefix(f"{ward.code}-") for place in route] == [
            "CP1",
            "01",
            "02",
            "03",
            "04",
            "CP2",
            "05",
            "06",
            "CP3",
            "07",
            "08",
            "CP4",
        ]
    assert sum(len(facility.route(ward)) for ward in facility.wards()) == 36


def test_every_post_is_held_and_wards_are_assigned(facility: Facility) -> None:
    posts = Counter(officer.posts for officer in facility.officers)
    assert posts == {
        ("PAT",): 12,
        ("DISC",): 8,
        ("MED",): 4,
        ("INT",): 3,
        ("AUX",): 3,
        ("LEAD",): 2,
        ("DIR",): 1,
        ("AUD",): 1,
        ("PROC",): 1,
        ("ADM",): 1,
    }
    wards = {ward.id for ward in facility.wards()}
    for officer in facility.officers:
        of_one = officer.posts[0] in {"PAT", "DISC", "AUX"}
        assert len(officer.wards) == (1 if of_one else 0)
        assert set(officer.wards) <= wards
    for ward in facility.wards():
        assert len(facility.staff("PAT", ward)) == 4
        assert len(facility.staff("DISC", ward)) in {2, 3}
        assert len(facility.staff("AUX", ward)) == 1
        assert len(facility.staff("MED", ward)) == 4


def test_the_week_has_its_windows_and_a_few_without_a_round(week: list[PlannedRound]) -> None:
    begin, end = END - timedelta(days=7), END
    assert [planned.opened_at for planned in week] == sorted(planned.opened_at for planned in week)
    assert begin - timedelta(seconds=1) < week[0].due_at and week[-1].closed_at <= end
    gaps = []
    for ward in "ABC":
        due = [planned.due_at for planned in week if planned.ward.code == ward]
        assert 7 * 24 * 3 <= len(due) <= 7 * 24 * 4
        gaps += [(later - earlier) / timedelta(minutes=1) for earlier, later in pairwise(due)]
    missed = [gap for gap in gaps if gap > 20]
    assert 1 <= len(missed) <= 2 and all(30 <= gap <= 60 for gap in missed)
    assert all(gap >= 15 for gap in gaps)
    assert len({round(gap, 2) for gap in gaps}) > 100, "never exact intervals"


def test_some_rounds_are_late_and_a_few_broken_off(facility: Facility, week: list[PlannedRound]) -> None:
    late = [planned for planned in week if planned.opened_at - planned.due_at > timedelta(minutes=3)]
    assert 5 < len(late) < len(week) * 0.03
    broken_off = [planned for planned in week if planned.result == "interrupted"]
    assert 1 < len(broken_off) < len(week) * 0.02
    for planned in week:
        places = tuple(visit.place for visit in planned.visits)
        route = facility.route(planned.ward)
        assert planned.due_at <= planned.opened_at
        if planned.result == "completed":
            assert places == route and planned.reason is None
        else:
            assert places == route[: len(places)] and 0 < len(places) < len(route) and planned.reason


def test_nobody_walks_too_fast_or_looks_too_briefly(week: list[PlannedRound]) -> None:
    busy: dict[str, datetime] = {}
    for planned in week:
        assert planned.opened_at >= busy.get(planned.ward.code, planned.opened_at), "two rounds at once"
        busy[planned.ward.code] = planned.closed_at
        assert planned.opened_at + timedelta(seconds=5) <= planned.visits[0].observed_at
        times = [visit.observed_at for visit in planned.visits] + [planned.closed_at]
        for visit, following in zip(planned.visits, times[1:], strict=True):
            least = 10 if visit.place.type == "cell" else 6
            assert timedelta(seconds=least) <= following - visit.observed_at <= timedelta(seconds=75)
        assert planned.closed_at - planned.opened_at < timedelta(minutes=12)
    assert all(visit.observed_at.microsecond % 1000 == 0 for planned in week for visit in planned.visits)


def test_who_sets_out_for_a_window_of_three_minutes_keeps_it(facility: Facility) -> None:
    chance, opens = random.Random(3), END.replace(microsecond=0)
    ward = facility.wards()[2]
    walks = [walk(facility, ward, opens - TO_FIRST_CELL, facility.staff("PAT", ward)[0], chance) for _ in range(300)]
    looks = [
        [visit.observed_at for visit in planned.visits if visit.cell]
        for planned in walks
        if planned.result == "completed"
    ]
    assert all(opens <= times[0] for times in looks)
    assert sum(times[-1] <= opens + timedelta(minutes=3) for times in looks) > 0.97 * len(looks) > 250


def test_visits_say_what_the_protocol_can_carry(facility: Facility, week: list[PlannedRound]) -> None:
    differing = cells = noted = 0
    for visit in (visit for planned in week for visit in planned.visits):
        noted += visit.note is not None
        assert visit.note is None or 0 < len(visit.note) <= 500
        assert (visit.tag,) == visit.place.tags or (visit.tag is None and visit.note)
        assert (visit.cell is None) == (visit.place.type == "checkpoint")
        if visit.cell:
            cells += 1
            held = facility.held[visit.place.id]
            assert held - 2 <= visit.cell.headcount <= held
            differing += visit.cell.headcount != held
            assert visit.cell.headcount == held or visit.note
            assert visit.cell.response in {"spoke", "moving", "breathing"}
            assert visit.cell.observation in OBSERVATIONS
            assert visit.cell.observation != "other" or visit.note
            assert (visit.cell.response == "breathing") <= (visit.cell.observation == "asleep")
    assert 0 < differing < cells * 0.02
    assert 0 < noted < cells * 0.04


def test_people_sleep_at_night_and_talk_by_day(week: list[PlannedRound]) -> None:
    by_hour: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for visit in (visit for planned in week for visit in planned.visits):
        hour = visit.observed_at.astimezone(LOCAL).hour
        if visit.cell and (hour < 6 or 8 <= hour < 12):
            by_hour[hour < 6][visit.cell.observation] += 1
    assert by_hour[True]["asleep"] > by_hour[True].total() * 0.85
    assert by_hour[False]["asleep"] == 0 and by_hour[False]["talking"] > by_hour[False].total() * 0.2


def test_the_crew_of_a_ward_takes_turns(facility: Facility, week: list[PlannedRound]) -> None:
    for ward in facility.wards():
        midnight = datetime(2026, 11, 22, tzinfo=LOCAL)
        turns = [on_shift(facility, ward, midnight + n * timedelta(hours=8)) for n in range(8)]
        assert set(turns[:4]) == set(facility.staff("PAT", ward)) and turns[:4] == turns[4:]
        assert on_shift(facility, ward, midnight + timedelta(hours=7, minutes=59)) == turns[0]
        walked = Counter(planned.officer for planned in week if planned.ward == ward)
        assert set(walked) == set(turns) and min(walked.values()) > 80
    for planned in week:
        assert planned.officer == on_shift(facility, planned.ward, planned.opened_at)
        assert all(companion.wards == (planned.ward.id,) for companion in planned.companions)
        if planned.opened_at.astimezone(LOCAL).hour < 6:
            assert not planned.companions, "an auxiliary has no night shift"


@pytest.fixture(scope="module")
def rostered(facility: Facility) -> Roster:
    """The roster as the server reads it."""
    since = "2026-11-01"
    patterns = [
        pattern_of(p.id, {
            "name": p.name, "cycle": p.cycle, "worked": p.worked, "anchor": p.anchor,
            "main_from": since if p.main else None,
            "shifts": [dict(zip(("code", "name", "starts", "ends"), shift, strict=True)) for shift in p.shifts],
        })
        for p in roster.patterns(20261122)
    ]  # fmt: skip
    rows = [
        row_of(r.id, {
            "officer": r.officer, "post": r.post, "pattern": r.pattern, "offset": r.offset, "places": r.places,
            "since": since, "until": None,
        })
        for r in roster.rows(facility, 20261122)
    ]  # fmt: skip
    plan = Plan({each.id: each for each in patterns}, tuple(rows), calendar=Calendar())
    return Roster(plan, {place.id: place.parent for place in facility.places})


def test_whoever_walks_is_on_duty_and_so_is_a_medic_and_a_leader_at_any_hour(
    facility: Facility, rostered: Roster
) -> None:
    begin = datetime(2026, 11, 9, 0, 30, tzinfo=LOCAL)
    for hour in range(0, 14 * 24, 4):
        at = begin + timedelta(hours=hour)
        moment = int(at.timestamp() * 1000)
        for ward in facility.wards():
            assert [each.officer for each in rostered.on_duty(moment, ["PAT"], ward.id)] == [
                on_shift(facility, ward, at).id
            ]
        for post in ("MED", "LEAD"):
            assert [each.officer for each in rostered.on_duty(moment, [post])] == [
                roster.serving(facility, 20261122, post, at).id
            ]


def test_desk_and_cell_officers_serve_by_day_and_one_of_each_on_days_off(facility: Facility, rostered: Roster) -> None:
    for day in range(9, 23):
        noon, night = (datetime(2026, 11, day, hour, tzinfo=LOCAL) for hour in (12, 22))
        free = noon.weekday() >= 5
        for ward in facility.wards():
            serving = rostered.on_duty(int(noon.timestamp() * 1000), ["DISC"], ward.id)
            assert len(serving) == (1 if free else len(facility.staff("DISC", ward)))
        assert len(rostered.on_duty(int(noon.timestamp() * 1000), ["INT"])) == (1 if free else 3)
        assert rostered.on_duty(int(night.timestamp() * 1000), ["DISC", "INT"]) == []


def test_changes_of_shift_are_the_patrols(rostered: Roster) -> None:
    begin = datetime(2026, 11, 21, 20, tzinfo=LOCAL)
    until = begin + timedelta(hours=24)
    found = rostered.shifts(int(begin.timestamp() * 1000), int(until.timestamp() * 1000))
    begins = [datetime.fromtimestamp(each.since / 1000, LOCAL).hour for each in found]
    assert [(each.name, hour) for each, hour in zip(found, begins, strict=True)] == [
        ("中班", 16), ("夜班", 0), ("白班", 8), ("中班", 16),
    ]  # fmt: skip


def test_a_few_are_graded_and_the_gravest_are_in_one_ward(facility: Facility) -> None:
    wards = {place.id: place.code[0] for place in of_type(facility, "cell")}
    graded = Counter((wards[person.cell], person.risk) for person in facility.persons if person.risk)
    assert graded == {
        ("A", "grade2"): 3, ("A", "grade3"): 6, ("B", "grade2"): 3, ("B", "grade3"): 6,
        ("C", "grade1"): 3, ("C", "grade2"): 3, ("C", "grade3"): 6,
    }  # fmt: skip
    assert all(30 <= person.days <= 300 for person in facility.persons)


def test_a_single_round_starts_when_it_is_told(facility: Facility) -> None:
    ward = facility.wards()[1]
    officer = facility.staff("PAT", ward)[2]
    planned = walk(facility, ward, END, officer, random.Random(5))
    assert planned == walk(facility, ward, END, officer, random.Random(5))
    assert planned != walk(facility, ward, END, officer, random.Random(6))
    assert planned.officer == officer and planned.ward == ward
    assert planned.due_at == planned.opened_at == END.replace(microsecond=123000)
    with pytest.raises(ValueError, match="zone"):
        walk(facility, ward, END.replace(tzinfo=None), officer, random.Random(5))


def test_the_same_seed_gives_the_same(facility: Facility, week: list[PlannedRound]) -> None:
    assert build() == facility
    other = build(7)
    assert other != facility
    assert not {place.id for place in other.places} & {place.id for place in facility.places}
    assert list(week_of_rounds(build(), END, seed=1)) == week
    assert list(week_of_rounds(facility, END, seed=2)) != week
    assert len(list(week_of_rounds(facility, END, seed=1, days=1))) < len(week) / 6


def test_no_order_of_hashing_shows() -> None:
    code = (
        "import hashlib; from datetime import UTC, datetime; from demo.facility import build; "
        "from demo.rounds import week_of_rounds; f = build(); "
        "w = list(week_of_rounds(f, datetime(2026, 11, 22, tzinfo=UTC), 3, days=1)); "
        "print(hashlib.sha256(repr((f, w)).encode()).hexdigest())"
    )
    seen = set()
    for hashing in ("1", "2"):
        env = os.environ | {"PYTHONHASHSEED": hashing, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
        command = [sys.executable, "-B", "-c", code]
        done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
        seen.add(done.stdout.strip())
    assert len(seen) == 1 and len(seen.pop()) == 64
