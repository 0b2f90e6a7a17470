"""Who serves which post on which pattern, by file: looked at row by row, then written whole or not at all."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import orjson

from backend.domain.calendars import day_of, start_of
from backend.imports.reading import XLSX
from backend.kernel.ids import uuid7
from backend.storage import tables
from sync.writing.local import Act
from tests.api.test_imports import apply, ask, faults, preview, told
from tests.samples.shifts import four_teams
from tests.support import store
from tests.support.caller import Caller, is_problem
from tests.support.sheets import comma, xlsx
from tests.support.world import FACILITY, World

ROSTER = (
    ["警号", "姓名", "岗位", "班次模式", "组别", "责任区", "起始日期", "结束日期"],
    ["PAT", "officer PAT", "巡控岗", "四班两运转", "4", "W、C1", "2026-11-20", ""],
    ["PAT2", "", "PAT", "四班两运转", "", "", "2026年11月20日", "2026-12-31"],
)  # fmt: skip


def with_pattern(world: World) -> None:
    (outcome,) = world.desk("LEAD", Act("shift.pattern", "create", uuid7(world.clock.now()), four_teams()))
    assert outcome["status"] == "applied", outcome


def test_a_roster_of_shifts_by_route_and_by_command(both: World, tmp_path: Path) -> None:
    with_pattern(both)
    caller, raw = Caller.of(both, "LEAD"), xlsx(*ROSTER)
    looked = preview(caller, "rosters", raw, XLSX)
    assert (faults(looked), faults(looked, "warnings"), looked["good"]) == ([], [], 2)
    done = told(apply(caller, "rosters", raw, XLSX))
    assert [each["number"] for each in done["made"]] == ["PAT", "PAT2"]
    rows = store.rows(both, tables.records, kind="shift.roster")
    made = {row.id: orjson.loads(row.body)["doc"] for row in rows}
    assert made[done["made"][0]["id"]] | {"pattern": ""} == {
        "officer": both.ids["PAT"], "post": "PAT", "pattern": "", "offset": 3, "places": [both.ids["W"], both.ids["C1"]],
        "since": "2026-11-20", "until": None,
    }  # fmt: skip
    second = made[done["made"][1]["id"]]
    assert (second["offset"], second["places"], second["until"]) == (0, [], "2026-12-31")
    with both.services.store.reading() as connection:
        roster = both.services.rosters.read(connection, FACILITY)
    assert [each.officer for each in roster.on_duty(both.clock.now(), ["PAT"])] == [both.ids["PAT"]]
    assert faults(preview(caller, "rosters", raw, XLSX)) == [(2, "警号", "number.taken"), (3, "警号", "number.taken")]
    assert is_problem(apply(caller, "rosters", raw, XLSX)) == "import.refused"
    file = tmp_path / "roster.csv"
    file.write_bytes(comma(ROSTER[0], ["DISC", "", "DISC", "四班两运转", "1", "", "2026-12-01", ""]))
    command = ["import", "rosters", str(file), "--facility", FACILITY, "--by", "LEAD", "--apply"]
    ran = both.app.test_cli_runner().invoke(args=command)
    assert ran.exit_code == 0 and ran.stdout.startswith("DISC\t")
    store.verified(both)


def test_what_is_wrong_with_a_roster_is_told_by_its_column(small: World) -> None:
    with_pattern(small)
    rows = (
        ["NOBODY", "", "PAT", "四班两运转", "1", "", "2026-11-20", ""],
        ["PAT", "别人", "PAT", "四班两运转", "1", "", "2026-11-20", ""],
        ["PAT", "", "审计", "四班两运转", "1", "", "2026-11-20", ""],
        ["PAT", "", "PAT", "三班倒", "1", "", "2026-11-20", ""],
        ["PAT", "", "PAT", "四班两运转", "5", "", "2026-11-20", ""],
        ["PAT", "", "PAT", "四班两运转", "0", "", "2026-11-20", ""],
        ["PAT", "", "PAT", "四班两运转", "1", "C77", "2026-11-20", ""],
        ["PAT", "", "PAT", "四班两运转", "1", "", "2026-11-20", "2026-11-19"],
        ["PAT", "", "PAT", "四班两运转", "1", "", "下周", ""],
        ["PAT", "", "PAT", "四班两运转", "1", "", "2026-11-20", ""],
        ["PAT", "", "PAT", "四班两运转", "2", "", "2026-11-20", ""],
        ["AUX", "", "PAT", "四班两运转", "1", "", "2026-11-20", ""],
    )
    found = preview(Caller.of(small, "LEAD"), "rosters", comma(ROSTER[0], *rows))
    assert faults(found) == [
        (2, "警号", "reference.unknown"), (3, "姓名", "reference.unknown"), (4, "岗位", "cell.word"),
        (5, "班次模式", "reference.unknown"), (6, "组别", "field.invalid"), (7, "组别", "field.invalid"),
        (8, "责任区", "reference.unknown"), (9, "结束日期", "field.invalid"), (10, "起始日期", "cell.day"),
        (12, "警号", "row.repeated"),
    ]  # fmt: skip
    assert faults(found, "warnings") == [(13, "岗位", "post.not_held")]
    assert is_problem(ask(Caller.of(small, "ADM"), "rosters", comma(*ROSTER))) == "role.forbidden"


def test_a_table_of_days_is_read_as_places_on_the_pattern(small: World) -> None:
    with_pattern(small)
    days = [date(2026, 12, day) for day in range(1, 10)]
    table = (
        ["警号", "姓名", "岗位", "班次模式", "责任区", *days],
        ["PAT", "", "PAT", "四班两运转", "W", "白班", "夜班", "休", None, "D", "n", "", "-", "白"],
        ["PAT2", "", "PAT", "四班两运转", "", *["白班", "休", "休", "白班"], *[None] * 5],
    )
    caller = Caller.of(small, "LEAD")
    wrong = preview(caller, "rosters", xlsx(*table), XLSX)
    assert faults(wrong) == [(2, "2026-12-09", "cell.word")]
    table[1][-1] = "白班"
    raw = xlsx(*table)
    made = told(apply(caller, "rosters", raw, XLSX))["made"]
    assert [each["number"] for each in made] == ["PAT"] + ["PAT2"] * 5  # whoever follows the cycle is one row
    with small.services.store.reading() as connection:
        roster = small.services.rosters.read(connection, FACILITY)
    names = {small.ids[name]: name for name in ("PAT", "PAT2")}
    found = roster.stints(start_of(days[0]), start_of(days[-1] + timedelta(days=1)))
    served = sorted((names[each.officer], day_of(each.since).day, each.shift) for each in found if each.shift)
    assert served == [
        ("PAT", 1, "白班"), ("PAT", 2, "夜班"), ("PAT", 5, "白班"), ("PAT", 6, "夜班"), ("PAT", 9, "白班"),
        ("PAT2", 1, "白班"), ("PAT2", 4, "白班"),
    ]  # fmt: skip
    assert {each[2] for each in faults(preview(caller, "rosters", raw, XLSX))} == {"number.taken"}


def test_a_table_of_days_whose_pattern_is_not_of_all_days_is_refused(small: World) -> None:
    office = four_teams(name="行政班", worked="workdays", cycle=["D"], main_from=None)
    small.desk("LEAD", Act("shift.pattern", "create", uuid7(small.clock.now()), office))
    rows = (["警号", "岗位", "班次模式", "2026-12-01"], ["PAT", "PAT", "行政班", "白班"])
    assert faults(preview(Caller.of(small, "LEAD"), "rosters", comma(*rows))) == [(2, "班次模式", "field.invalid")]
