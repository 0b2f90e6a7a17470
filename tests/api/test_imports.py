"""Rosters and registers by route and by command: looked at row by row, then written whole or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest

from backend.imports.importer import File, Importer
from backend.imports.reading import CSV, JSON, XLSX
from backend.kernel.ids import b64, sha256, uuid7
from backend.kernel.problems import Problem
from backend.storage import tables
from sync.writing.local import Act
from tests.support import store
from tests.support.caller import Caller, is_problem
from tests.support.hand import Hand
from tests.support.reader import Copy
from tests.support.sheets import comma, objects, xlsx
from tests.support.world import FACILITY, World, person

OFFICERS = (
    ["警号", "姓名", "岗位", "监区"],
    ["000123", "买买提·艾力", "巡控、管教", "W"],
    ["100002", "𠮷野甲", "LEAD", ""],
)
PLACES = (
    ["类型", "编号", "名称", "所属监区", "电子标签", "设计容量"],
    ["监室", "301", "三〇一", "3", "04:aa:00:00:00:03:01", "8"],
    ["监区", "3", "三监区", "", "", ""],
    ["巡更点", "3-K", "三监区走廊", "3", "", ""],
    ["监室", "C3", "一监区新室", "W", "", ""],
)
PERSONS = (
    ["编号", "姓名", "别名", "性别", "出生日期", "监室", "床位", "风险等级", "诉讼阶段", "办案单位", "备注", "身份不明",
     "身份证号", "证件类型", "证件号码", "有效期至", "入所时间"],
    ["2026-0901", "测试𠮷", "", "女", "1949-12-31", "C1", "07", "二级风险", "逮捕（侦查）", "某分局", "多行\n备注", "否",
     "11010519491231002x", "", "", "长期", "2026-11-20 16:30"],
    ["2026-0902", "", "哑巴、老三", "m", "1990", "C2", "", "", "", "", "", "是", "", "", "", "", ""],
    ["2026-0903", "Test Name", "", "男", "", "D1", "", "", "", "", "", "", "", "护照", "E1234567", "2030/1/31", ""],
)  # fmt: skip
CARD = "11010519491231002X"


def ask(caller: Caller, sort: str, raw: bytes, type_: str = CSV, **query: str) -> Any:
    """Sends a file; a preview unless told otherwise."""
    return caller.ask("POST", f"/v1/imports/{sort}", raw, content_type=type_, query_string=query)


def told(response: Any) -> dict[str, Any]:
    assert response.status_code == 200, response.data
    found: dict[str, Any] = orjson.loads(response.data)
    return found


def preview(caller: Caller, sort: str, raw: bytes, type_: str = CSV) -> dict[str, Any]:
    return told(ask(caller, sort, raw, type_))


def apply(caller: Caller, sort: str, raw: bytes, type_: str = CSV, digest: str | None = None) -> Any:
    return ask(caller, sort, raw, type_, apply="true", digest=digest or b64(sha256(raw)))


def faults(found: dict[str, Any], sort: str = "errors") -> list[tuple[int, str | None, str]]:
    assert found[f"{sort[:-1]}_count"] == len(found[sort])
    return [(each["row"], each["column"], each["code"]) for each in found[sort]]


def docs(world: World, kind: str) -> dict[str, dict[str, Any]]:
    """Documents by number or code."""
    rows = [orjson.loads(row.body)["doc"] for row in store.rows(world, tables.records, kind=kind)]
    return {doc.get("number", doc.get("code")): doc for doc in rows}


def tracked(world: World) -> list[Any]:
    """All that an import may write."""
    watched = (tables.records, tables.operations, tables.officers, tables.assignments, tables.leaves, tables.sessions)
    return [store.rows(world, table) for table in watched]


def test_a_roster_of_officers_by_route(both: World) -> None:
    caller, raw = Caller.of(both, "ADM"), xlsx(*OFFICERS)
    before = tracked(both)
    found = preview(caller, "officers", raw, XLSX)
    assert tracked(both) == before
    assert (found["rows"], found["good"], found["applied"], found["made"]) == (2, 2, False, [])
    assert (found["errors"], found["warnings"], found["digest"]) == ([], [], b64(sha256(raw)))
    done = told(apply(caller, "officers", raw, XLSX, found["digest"]))
    assert done["applied"] and [entry["number"] for entry in done["made"]] == ["000123", "100002"]
    row = store.one(both, tables.officers, number="000123")
    assert (row.name, row.posts, row.officer) == ("买买提·艾力", "PAT DISC", done["made"][0]["id"])
    assert [each.place for each in store.rows(both, tables.assignments, officer=row.officer)] == [both.ids["W"]]
    leaf = next(leaf for leaf in store.leaves(both) if leaf["act"] == "import.applied")
    assert leaf | {"at": ""} == {
        "act": "import.applied", "at": "", "import": "officers", "digest": found["digest"], "rows": 2, "by": both.ids["ADM"],
    }  # fmt: skip
    assert not any(entry["secret"].encode() in each.body for entry in done["made"] for each in before[4])
    store.verified(both)


def test_a_temporary_secret_is_good_for_signing_in_and_for_changing_it(both: World) -> None:
    made = told(apply(Caller.of(both, "ADM"), "officers", comma(*OFFICERS)))["made"]
    signed = Caller.of(both, "nobody").sign_in("000123", made[0]["secret"])
    assert signed.status_code == 201 and orjson.loads(signed.data)["must_change"] is True
    assert made[0]["secret"] != made[1]["secret"]


def test_places_by_their_codes_wards_wherever_they_stand(both: World) -> None:
    caller, raw = Caller.of(both, "ADM"), comma(*PLACES, charset="gb18030")
    assert faults(preview(caller, "places", raw)) == []
    done = told(apply(caller, "places", raw))
    ids = {entry["number"]: entry["id"] for entry in done["made"]}
    found = docs(both, "place")
    assert found["301"] == {
        "type": "cell", "code": "301", "name": "三〇一", "parent": ids["3"], "position": 1, "tags": ["04AA0000000301"],
        "capacity": 8,
    }  # fmt: skip
    assert (found["3"]["parent"], found["3"]["type"], found["3-K"]["parent"]) == (None, "ward", ids["3"])
    assert (found["C3"]["parent"], found["3-K"]["position"]) == (both.ids["W"], 2)
    assert ids["C3"] in Copy.of(both, "PAT").pull().rows
    store.verified(both)


def test_persons_with_their_papers(both: World) -> None:
    caller, raw = Caller.of(both, "INT"), xlsx(*PERSONS)
    looked = preview(caller, "persons", raw, XLSX)
    warned = [(2, None, "cell.mixed"), (3, None, "person.unidentified")]
    assert (faults(looked), faults(looked, "warnings")) == ([], warned), "a woman who has been among men since Friday"
    done = told(apply(caller, "persons", raw, XLSX))
    ids = {entry["number"]: entry["id"] for entry in done["made"]}
    found = docs(both, "person")
    assert found["2026-0901"] == {
        "number": "2026-0901", "name": "测试𠮷", "sex": "f", "birth": "1949-12-31", "cell": both.ids["C1"], "bed": "07",
        "risk": "grade2", "stage": "arrested", "organ": "某分局", "remarks": "多行\n备注", "state": "held",
        "admitted_at": "2026-11-20T08:30:00.000Z",
    }  # fmt: skip
    assert (found["2026-0902"]["name"], found["2026-0902"]["aliases"]) == (None, ["哑巴", "老三"])
    assert docs(both, "papers") == {
        CARD: {"person": ids["2026-0901"], "type": "resident_id", "number": CARD, "name": "测试𠮷", "valid_until": None},
        "E1234567": {
            "person": ids["2026-0903"], "type": "passport", "number": "E1234567", "name": "Test Name",
            "valid_until": "2030-01-31",
        },
    }  # fmt: skip
    reader, patrol = Copy.of(both, "DISC").pull(), Copy.of(both, "PAT").pull()
    assert ids["2026-0901"] in reader.rows and ids["2026-0901"] in patrol.rows
    kinds = [{row["kind"] for row in copy.rows.values()} for copy in (reader, patrol)]
    assert "papers" in kinds[0] and "papers" not in kinds[1]
    store.verified(both)


def test_all_that_is_wrong_is_told_by_row_and_column(small: World) -> None:
    caller = Caller.of(small, "INT")
    empty = {"type": "cell", "code": "C3", "name": "空", "parent": small.ids["W"], "position": 3, "tags": []}
    small.desk("ADM", Act("place", "create", uuid7(small.clock.now()), empty))
    titles = ["编号", "姓名", "性别", "出生日期", "监室", "风险等级", "身份不明", "身份证号", "证件类型", "备注"]
    raw = comma(
        titles,
        ["2026-p1", "甲", "男", "", "C1", "", "", "", "", ""],
        ["N1", "甲", "男", "1990-02-30", "C1", "", "", "", "", ""],
        ["N2", "", "男", "", "C1", "", "", "", "", ""],
        ["N3", "乙", "其他", "", "W", "", "", "", "", ""],
        ["N4", "乙", "男", "", "W", "87", "", "", "", ""],
        ["N5", "乙", "男", "", "W", "", "", "", "", ""],
        ["N6", "乙", "男", "", "C1", "", "是", "", "", ""],
        ["N7", "名" * 81, "男", "", "C1", "", "", "", "", ""],
        ["N8", "", "男", "", "C1", "", "是", "", "", ""],
        ["N9", "丙", "男", "", "C1", "", "", "", "护照", ""],
        ["OK", "丁", "男", "1990-02-14", "C1", "", "", CARD, "", "\ue000"],
        ["OK", "丁", "男", "", "C1", "", "", "110105194912310021", "", ""],
        ["OK2", "戊", "女", "", "C3", "", "", CARD.lower(), "", ""],
        ["N10", "己", "女", "", "C1", "", "", "", "", ""],
    )
    found = preview(caller, "persons", raw)
    assert sorted(faults(found)) == [
        (2, "编号", "number.taken"), (3, "出生日期", "cell.day"), (4, "姓名", "field.missing"), (5, "性别", "cell.word"),
        (6, "风险等级", "cell.word"), (7, "监室", "reference.unknown"), (8, "身份不明", "field.invalid"),
        (9, "姓名", "field.invalid"), (10, "备注", "field.missing"), (11, "papers_number", "field.missing"),
        (13, "编号", "row.repeated"), (15, "监室", "rule.forbids"),
    ]  # fmt: skip
    assert sorted(faults(found, "warnings")) == [
        (12, "出生日期", "resident_id.birth"), (12, "备注", "cell.private"), (12, "性别", "resident_id.sex"),
        (14, "身份证号", "resident_id.repeated"),
    ]  # fmt: skip
    assert (found["rows"], found["good"]) == (14, 2)
    repeated = next(each for each in found["errors"] if each["code"] == "row.repeated")
    assert repeated["detail"] == {"row": 12} and repeated["value"] == "OK"
    before = tracked(small)
    assert is_problem(apply(caller, "persons", raw)) == "import.refused"
    assert tracked(small) == before


def test_a_number_that_does_not_check_is_recorded_and_marked(small: World) -> None:
    caller = Caller.of(small, "INT")
    raw = comma(["number", "name", "sex", "cell", "resident_id"], ["N1", "甲", "男", "C1", "110105194912310021"])
    assert faults(preview(caller, "persons", raw), "warnings") == [(2, None, "papers.checksum")]
    told(apply(caller, "persons", raw))
    (row,) = store.rows(small, tables.records, kind="papers")
    assert orjson.loads(row.body)["marks"] == [{"code": "papers.checksum", "rule": None}]


def test_wrong_titles(small: World) -> None:
    caller = Caller.of(small, "ADM")
    found = preview(
        caller, "officers", comma(["警号", "number", "年龄", "岗位 *", "姓 名"], ["1", "2", "3", "PAT", "甲"])
    )
    assert faults(found) == [(1, "number", "column.repeated"), (1, "年龄", "column.unknown")]
    assert faults(preview(caller, "officers", comma(["警号"], ["1"]))) == [
        (1, "姓名", "column.missing"), (1, "岗位", "column.missing")
    ]  # fmt: skip
    assert found["good"] == 0 and is_problem(apply(caller, "officers", comma(["警号"], ["1"]))) == "import.refused"


def test_wrong_officers(small: World) -> None:
    caller = Caller.of(small, "ADM")
    rows = (
        ["PAT", "甲", "巡控", ""], ["N1", "甲", "办案单位", ""], ["N2", "甲", "CASE", ""], ["N3", "甲", "巡控", "C1"],
        ["N4", "甲", "巡控", "Z"], ["N5", "", "巡控", ""], ["N" * 33, "甲", "巡控", ""], ["N6", "甲", "巡控 辅警", "W、V"],
        ["N7", "甲", "巡控", "", "多"], ["N8\n", "甲\n乙", "巡控", ""],
    )  # fmt: skip
    found = preview(caller, "officers", comma(["警号", "姓名", "岗位", "监区"], *rows))
    assert sorted(faults(found)) == sorted([
        (2, "警号", "number.taken"), (3, "岗位", "cell.word"), (4, "岗位", "cell.word"), (5, "监区", "reference.unknown"),
        (6, "监区", "reference.unknown"), (7, "姓名", "field.missing"), (8, "警号", "field.invalid"), (10, None, "row.wide"),
        (11, "姓名", "cell.sign"),
    ])  # fmt: skip
    assert found["good"] == 1


def test_wrong_places(small: World) -> None:
    caller = Caller.of(small, "ADM")
    rows = (
        ["监室", "C1", "甲", "W"], ["监室", "N1", "甲", ""], ["监区", "N2", "甲", "W"], ["监室", "N3", "甲", "C1"],
        ["监室", "N4", "甲", "N9"], ["塔", "N5", "甲", ""], ["监区", "N6", "甲", ""], ["监室", "N7", "甲", "N6"],
        ["监室", "长" * 17, "甲", "W"],
    )  # fmt: skip
    found = preview(caller, "places", comma(["类型", "编号", "名称", "所属监区"], *rows))
    assert sorted(faults(found)) == sorted([
        (2, "编号", "number.taken"), (3, "所属监区", "field.invalid"), (4, "所属监区", "field.invalid"),
        (5, "所属监区", "reference.unknown"), (6, "所属监区", "reference.unknown"), (7, "类型", "cell.word"),
        (10, "编号", "field.invalid"),
    ])  # fmt: skip
    assert found["good"] == 2


def test_a_code_that_two_places_have_is_not_guessed_at(small: World) -> None:
    again = {"type": "cell", "code": "C1", "name": "又一个", "parent": small.ids["V"], "position": 2, "tags": []}
    small.desk("ADM", Act("place", "create", uuid7(small.clock.now()), again))
    raw = comma(["number", "name", "sex", "cell"], ["N1", "甲", "男", "C1"])
    assert faults(preview(Caller.of(small, "INT"), "persons", raw)) == [(2, "cell", "number.several")]


def test_json_takes_lists_and_keeps_leading_zeros(small: World) -> None:
    raw = objects(
        ["number", "name", "posts", "wards"], ["007", "甲", ["PAT", "AUX"], ["W", "V"]], [8, "乙", "DIR", None]
    )
    made = told(apply(Caller.of(small, "ADM"), "officers", raw, JSON))["made"]
    assert [(entry["row"], entry["number"]) for entry in made] == [(1, "007"), (2, "8")]
    assert len(store.rows(small, tables.assignments, officer=made[0]["id"])) == 2


def test_another_file_than_the_one_that_was_looked_at_is_not_written(small: World) -> None:
    caller, raw = Caller.of(small, "ADM"), comma(*OFFICERS)
    before = tracked(small)
    assert is_problem(apply(caller, "officers", raw, digest=b64(sha256(b"another")))) == "import.changed"
    missing = ask(caller, "officers", raw, apply="true")
    assert (is_problem(missing), orjson.loads(missing.data)["field"]) == ("request.invalid", "digest")
    assert is_problem(ask(caller, "officers", raw, apply="true", digest="short")) == "request.invalid"
    assert is_problem(ask(caller, "officers", raw, apply="perhaps")) == "request.invalid"
    assert is_problem(ask(caller, "officers", raw, facility="OTHER")) == "request.invalid"
    assert tracked(small) == before


def test_the_same_file_again_is_refused(both: World) -> None:
    caller, raw = Caller.of(both, "INT"), comma(*PERSONS)
    told(apply(caller, "persons", raw))
    before = tracked(both)
    assert is_problem(apply(caller, "persons", raw)) == "import.refused"
    assert {code for _, _, code in faults(preview(caller, "persons", raw))} == {"number.taken"}
    assert tracked(both) == before


@pytest.mark.parametrize("sort", ["persons", "officers"])
def test_what_changes_before_it_is_written_stops_all_of_it(
    both: World, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody registers one of the numbers, or closes a cell, after the last look and before the lock."""
    caller = Caller.of(both, "INT" if sort == "persons" else "ADM")
    raw = comma(*(PERSONS if sort == "persons" else OFFICERS))
    importer = both.services.importer
    look, rows = importer.preview, [len(store.rows(both, tables.records)), len(store.rows(both, tables.officers))]

    def late(*given: Any) -> Any:
        found = look(*given)
        new = person(both, "p1") | {"number": "2026-0901"}
        done = both.desk("INT", Act("person", "create", uuid7(both.clock.now()), new))
        closed = Act("place", "change", both.ids["V"], {"code": "V9"}, base=1)
        assert [each["status"] for each in (*done, *both.desk("ADM", closed))] == ["applied", "applied"]
        return found

    monkeypatch.setattr(type(importer), "preview", lambda _self, *given: late(*given))
    assert is_problem(apply(caller, sort, raw)) == "state.changed"
    assert [len(store.rows(both, tables.records)) - 1, len(store.rows(both, tables.officers))] == rows
    assert not any(leaf["act"] == "import.applied" for leaf in store.leaves(both))
    store.verified(both)


def test_when_one_operation_is_refused_none_is_written(both: World) -> None:
    """An officer whose post may not write persons: each operation is refused by sync itself, whatever was rehearsed."""
    caller, raw = Caller.of(both, "INT"), comma(*PERSONS)
    found = both.services.importer.preview("persons", FACILITY, File(raw, CSV))
    before = tracked(both)[:2]
    with pytest.raises(Problem, match="state.changed"):
        both.services.desk.make(both.officer("PAT"), found.plan.drafts, lambda _: None)
    assert tracked(both)[:2] == before
    told(apply(caller, "persons", raw))
    store.verified(both)


def test_of_one_file_written_twice_at_once_one_is(both: World) -> None:
    """As by two processes, each with an importer of its own; a handheld pushes meanwhile, and is not hurt."""
    services, raw = both.services, comma(*PERSONS)
    handheld = Hand(both).signed_in("PAT")
    for _ in range(5):
        handheld.open()

    def write(importer: Importer) -> str:
        try:
            importer.apply("persons", both.officer("INT"), File(raw, CSV), b64(sha256(raw)))
        except Problem as problem:
            return problem.code
        return "applied"

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(write, Importer(services.door, services.desk.make)) for _ in range(3)]
        pushed = pool.submit(handheld.told)
        codes = sorted(each.result() for each in done)
    assert codes.count("applied") == 1 and set(codes) <= {"applied", "state.changed", "import.refused"}
    assert {outcome["status"] for outcome in pushed.result()} == {"applied"}
    numbers = [orjson.loads(row.body)["doc"]["number"] for row in store.rows(both, tables.records, kind="person")]
    assert len(numbers) == len(set(numbers)) == 4 + 3
    store.verified(both)


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "gb18030", XLSX, JSON])
def test_rare_signs_come_from_every_format_to_the_terminals(small: World, charset: str) -> None:
    """Extension B and G, a middle dot, a variation selector, Arabic script: four bytes each in GB18030."""
    names = ["𠮷野", "𰻝𪚥", "买买提·艾力", "李\U000e0100", "ئەخمەت", "㐂䶮"]
    rows = [["编号", "姓名", "性别", "监室"], *([f"00{n}", name, "男", "C1"] for n, name in enumerate(names))]
    made = {XLSX: lambda: xlsx(*rows), JSON: lambda: objects(*rows)}.get(charset, lambda: comma(*rows, charset=charset))
    told(apply(Caller.of(small, "INT"), "persons", made(), charset if charset in (XLSX, JSON) else CSV))
    given = Copy.of(small, "PAT").pull().rows.values()
    held = {row["doc"]["number"]: row["doc"]["name"] for row in given if row["kind"] == "person"}
    assert [held[f"00{n}"] for n in range(len(names))] == names


def test_what_a_roster_does_not_have_cannot_be_set_by_it(small: World) -> None:
    raw = objects(
        ["number", "name", "posts", "secret", "active", "facility", "officer"], ["N1", "甲", "PAT", "s", True, "X", "Y"]
    )
    found = preview(Caller.of(small, "ADM"), "officers", raw, JSON)
    assert faults(found) == [(0, name, "column.unknown") for name in ("secret", "active", "facility", "officer")]


def test_a_facility_is_not_told_of_another(small: World) -> None:
    """Codes and numbers are those of the caller's own facility."""
    runner = small.app.test_cli_runner()
    args = ["facility", "found", "OTHER", "--name", "另一所", "--admin", "A1", "--secret", "a secret for tests"]
    assert runner.invoke(args=args).exit_code == 0
    importer = small.services.importer
    raw = comma(["number", "name", "sex", "cell"], ["2026-p1", "甲", "男", "C1"])
    (error,) = importer.preview("persons", "OTHER", File(raw, CSV)).document()["errors"]
    assert (error["column"], error["code"]) == ("cell", "reference.unknown")


@pytest.mark.parametrize(
    ("raw", "type_", "code"),
    [
        (b"", CSV, "import.unreadable"), (b"\xff\xfe", CSV, "import.unreadable"), (b"{}", JSON, "import.unreadable"),
        (b"PK", XLSX, "import.unreadable"), (b"a", "text/plain", "type.unsupported"), (b"a" * 5_000_000, CSV, "body.too_large"),
        (b"a\n" + b"1\n" * 5_001, CSV, "import.too_large"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("sort", ["officers", "places", "persons"])
def test_files_that_are_none(small: World, sort: str, raw: bytes, type_: str, code: str) -> None:
    caller = Caller.of(small, "INT" if sort == "persons" else "ADM")
    assert is_problem(ask(caller, sort, raw, type_)) == code


def test_more_officers_than_secrets_can_be_made_for(small: World) -> None:
    rows = [[f"N{n}", "甲", "PAT"] for n in range(501)]
    response = ask(Caller.of(small, "ADM"), "officers", comma(["number", "name", "posts"], *rows))
    assert is_problem(response) == "import.too_large"
    assert orjson.loads(response.data)["detail"] == {"what": "rows", "limit": 500}


def test_one_file_at_a_time(small: World) -> None:
    caller = Caller.of(small, "ADM")
    with small.services.importer._turn:
        busy = ask(caller, "officers", comma(*OFFICERS))
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "5")
    assert preview(caller, "officers", comma(*OFFICERS))["good"] == 2


def test_a_thousand_errors_are_listed_and_all_are_counted(small: World) -> None:
    rows = [[f"N{n}", "甲", "?", "?"] for n in range(1_500)]
    found = preview(Caller.of(small, "INT"), "persons", comma(["number", "name", "sex", "cell"], *rows))
    assert (found["error_count"], len(found["errors"]), found["good"]) == (1_500, 1_000, 0)


def test_the_console_does_the_same(both: World, tmp_path: Path) -> None:
    runner = both.app.test_cli_runner()
    file = tmp_path / "名册.xlsx"
    file.write_bytes(xlsx(*OFFICERS))
    args = ["import", "officers", str(file), "--facility", FACILITY, "--by", "ADM"]
    before = tracked(both)
    looked = runner.invoke(args=args)
    assert looked.exit_code == 0 and "2 rows, 2 good" in looked.output, looked.output
    assert tracked(both) == before
    done = runner.invoke(args=[*args, "--apply"])
    assert done.exit_code == 0, done.output
    lines = [line.split("\t") for line in done.output.splitlines() if "\t" in line]
    assert [line[0] for line in lines] == ["000123", "100002"]
    assert Caller.of(both, "nobody").sign_in("000123", lines[0][2]).status_code == 201
    again = runner.invoke(args=[*args, "--apply"])
    assert again.exit_code == 1 and "row 2, 警号: number.taken" in again.output
    assert "Traceback" not in again.output


def test_the_console_says_what_is_wrong_in_a_sentence(small: World, tmp_path: Path) -> None:
    runner = small.app.test_cli_runner()
    file = tmp_path / "a.csv"
    file.write_bytes(comma(*PERSONS, charset="gb18030"))
    (tmp_path / "a.xls").write_bytes(b"")

    def said(*words: str, name: str = "a.csv") -> str:
        done = runner.invoke(args=["import", words[0], str(tmp_path / name), *words[1:]])
        assert done.exit_code == 1 and "Traceback" not in done.output
        return str(done.output)

    assert "role.forbidden" in said("persons", "--facility", FACILITY, "--by", "ADM")
    assert "there is no officer NOBODY" in said("persons", "--facility", FACILITY, "--by", "NOBODY")
    assert "there is no officer" in said("persons", "--facility", "NONE", "--by", "INT")
    assert "type.unsupported" in said("persons", "--facility", FACILITY, "--by", "INT", name="a.xls")
    assert "import.unreadable" in said("persons", "--facility", FACILITY, "--by", "INT", "--charset", "utf-8")
