"""Files as tables: the same texts out of every format, and what a file may not be."""

from __future__ import annotations

import os
import random
import string
import zipfile
from datetime import datetime
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.imports.reading import CSV, JSON, XLSX, read
from backend.imports.table import MOST_COLUMNS, MOST_ROWS, MOST_SIGNS, Table
from backend.kernel.problems import Problem
from tests.support.sheets import SHEET, cells, comma, objects, sheet_of, with_parts, xlsx

RARE = ["𠮷野", "𡈽𪚥", "买买提·艾力", "ئەخمەت", "㐂䶮", "𰻝", "é", "〇", "李\U000e0100"]
"""Plane 2 and 3, a middle dot, Arabic script, Extension A, a variation selector: GB18030 writes most in four bytes."""
BOOK = xlsx(["a"], ["b"])


def told(table: Table) -> list[list[Any]]:
    return [[cell.code if isinstance(cell, Problem) else cell for cell in line.cells] for line in table.lines]


def refused(raw: bytes, type_: str, charset: str | None = None) -> tuple[str, Any]:
    with pytest.raises(Problem) as caught:
        read(raw, type_, charset)
    return caught.value.code, next(iter(caught.value.detail.values()), None)


@pytest.mark.parametrize(
    ("raw", "type_", "charset"),
    [
        (xlsx(["编号", "姓名"], *([f"0{n}", name] for n, name in enumerate(RARE))), XLSX, None),
        (comma(["编号", "姓名"], *([f"0{n}", name] for n, name in enumerate(RARE))), CSV, None),
        (comma(["编号", "姓名"], *([f"0{n}", name] for n, name in enumerate(RARE)), charset="utf-8-sig"), CSV, None),
        (comma(["编号", "姓名"], *([f"0{n}", name] for n, name in enumerate(RARE)), charset="gb18030"), CSV, None),
        (comma(["编号", "姓名"], *([f"0{n}", name] for n, name in enumerate(RARE)), delimiter="\t"), CSV, "utf-8"),
        (comma(["编号", "姓名"], *([f"0{n}", name] for n, name in enumerate(RARE)), delimiter=";"), CSV, None),
        (objects(["编号", "姓名"], *([f"0{n}", name] for n, name in enumerate(RARE))), JSON, None),
    ],
    ids=["xlsx", "utf-8", "utf-8 with mark", "gb18030", "tabs", "semicolons", "json"],
)
def test_every_format_gives_the_same_texts(raw: bytes, type_: str, charset: str | None) -> None:
    table = read(raw, type_, charset)
    assert table.titles == ("编号", "姓名")
    assert told(table) == [[f"0{n}", name] for n, name in enumerate(RARE)]


NOT_KEPT = "=\ufeff\u200b\ufffd" + "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))
"""What is refused or cut off at the ends: other tests are about these."""
SIGNS = st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co"), exclude_characters=NOT_KEPT)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(SIGNS, max_size=12), min_size=1, max_size=6))
def test_whatever_is_a_text_comes_back_as_it_was(texts: list[str]) -> None:
    rows = [["编号", "姓名"], *([str(n), text] for n, text in enumerate(texts))]
    expected = [[str(n), text.strip()] for n, text in enumerate(texts)]
    for charset in ("utf-8", "gb18030"):
        assert filled(told(read(comma(*rows, charset=charset), CSV, charset))) == expected
    assert filled(told(read(objects(*rows), JSON))) == expected
    assert filled(told(read(xlsx(*rows), XLSX))) == expected


def filled(rows: list[list[Any]]) -> list[list[Any]]:
    """With the empty cells at a row's end that a table leaves out."""
    return [[*row, *[""] * (2 - len(row))] for row in rows]


def test_empty_rows_are_skipped_and_numbers_are_the_file_s_own() -> None:
    rows = (["", ""], ["编号", "姓名"], ["", " "], ["01", "甲"], [], ["02", "　乙　"])
    for table in (read(xlsx(*rows), XLSX), read(comma(*rows), CSV)):
        assert table.at == 2
        assert [(line.number, line.cells) for line in table.lines] == [(4, ("01", "甲")), (6, ("02", "乙"))]


def test_numbers_of_a_spreadsheet_are_texts_or_refused() -> None:
    row = [
        17,
        7,
        110105194912310020,
        1.5,
        1e17,
        3.0,
        True,
        datetime(2026, 11, 20, 8, 30),
        datetime(1990, 2, 14),
        None,
        "甲",
    ]
    table = read(xlsx([*"abcdefghijk"], row, formats={"B2": "00000"}), XLSX)
    assert told(table) == [
        [
            "17",
            "00007",
            "cell.number",
            "cell.number",
            "cell.number",
            "3",
            "true",
            "2026-11-20 08:30:00",
            "1990-02-14",
            "",
            "甲",
        ]
    ]


def test_numbers_of_json_are_the_digits_that_stand_there() -> None:
    raw = (
        b'[{"a": 17, "b": 123456789012345, "c": 1234567890123456, "d": 1.0, "e": null, "f": ["x", " y"], "g": {"h": 1},'
    )
    raw += b' "i": [1], "j": true, "k": "=1", "l": NaN, "m": "\\ud800"}]'
    assert told(read(raw, JSON)) == [
        ["17", "123456789012345", "cell.number", "cell.number", "", ("x", "y"), "cell.broken", "cell.broken", "true",
         "cell.formula", "cell.number", "cell.sign"]
    ]  # fmt: skip


def test_a_formula_is_refused_where_it_stands() -> None:
    assert told(read(xlsx(["a", "b"], ["1", "=A2"], ["2", "3"]), XLSX)) == [["1", "cell.formula"], ["2", "3"]]
    assert told(read(comma(["a", "b"], ["1", "=cmd|' /C calc'!A0"]), CSV)) == [["1", "cell.formula"]]
    body = cells("a", "b") + '<row><c r="A2"><f>1+1</f><v>2</v></c><c r="B2" t="inlineStr"><is><t>x</t></is></c></row>'
    assert told(read(with_parts(BOOK, {SHEET: sheet_of(body)}), XLSX)) == [["cell.formula", "x"]]
    hidden = cells("a") + "<row><c><f>1+1</f><v>2</v></c></row>"
    assert refused(with_parts(BOOK, {SHEET: sheet_of(hidden)}), XLSX) == ("import.unreadable", "formula")


def test_signs_that_cannot_be_kept() -> None:
    bad = ["a\x07", "\u202e反", "\ufffd", "\ufffe", "\U0001ffff", "a\x00b"]
    assert told(read(objects(["a"], *([text] for text in bad)), JSON)) == [["cell.sign"]] * len(bad)
    assert told(read(objects(["a"], ["长" * MOST_SIGNS], ["长" * (MOST_SIGNS + 1)]), JSON)) == [
        ["长" * MOST_SIGNS], ["cell.long"]
    ]  # fmt: skip


def test_an_error_in_a_cell() -> None:
    body = cells("a") + '<row><c r="A2" t="e"><v>#N/A</v></c></row>'
    assert told(read(with_parts(BOOK, {SHEET: sheet_of(body)}), XLSX)) == [["cell.broken"]]


def test_what_a_text_is_in_is_not_guessed_where_it_may_be_two() -> None:
    both = "a,b\n1,目\n".encode("gb18030")
    assert refused(both, CSV) == ("import.unreadable", "charset")
    assert told(read(both, CSV, "GBK")) == [["1", "目"]]
    assert told(read(both, CSV, "utf-8")) == [["1", "Ŀ"]]
    assert refused(both, CSV, "latin-1") == ("import.unreadable", "charset")
    assert refused("编号\n1".encode("utf-16"), CSV) == ("import.unreadable", "charset")
    assert refused(b"a\n\xff\xff", CSV) == ("import.unreadable", "charset")
    assert refused("编号\n1".encode("gb18030"), CSV, "utf-8") == ("import.unreadable", "charset")


@pytest.mark.parametrize(
    ("raw", "type_", "reason"),
    [
        (b"", CSV, "empty"), (b"\n\n,,\n", CSV, "empty"), (b'a,b\n"1,2\n', CSV, "syntax"), (b"[]", JSON, "empty"),
        (b"", JSON, "syntax"), (b"{}", JSON, "syntax"), (b'[{"a":1},2]', JSON, "syntax"), (b"[" * 100_000, JSON, "syntax"),
        (b'[{"a":"1","a":"2"}]', JSON, "duplicate_key"), (b'[{"a":"\xff"}]', JSON, "charset"), (b"", XLSX, "format"),
        (b"PK\x05\x06" + b"\0" * 18, XLSX, "format"), (b"PK\x03\x04 no archive", XLSX, "format"), (BOOK[:-30], XLSX, "format"),
        (xlsx(), XLSX, "empty"),
    ],
)  # fmt: skip
def test_what_is_no_table(raw: bytes, type_: str, reason: str) -> None:
    assert refused(raw, type_) == ("import.unreadable", reason)


def test_another_type_is_not_tried() -> None:
    assert refused(BOOK, "application/vnd.ms-excel") == ("type.unsupported", None)


LAUGHS = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("head", [LAUGHS, OUTSIDE, "\n" + LAUGHS, '<?xml version="1.0"?>' + LAUGHS])
@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/styles.xml", "[Content_Types].xml", "xl/any.bin"])
def test_no_part_of_an_archive_defines_entities(head: str, part: str) -> None:
    data = sheet_of(cells("a", "&b;"), head=head)
    assert refused(with_parts(BOOK, {part: data}), XLSX) == ("import.unreadable", "entities")


def test_xml_in_other_charsets_hides_nothing() -> None:
    inside = '<?xml version="1.0" encoding="{}"?>' + LAUGHS + f"<worksheet>{cells('a')}</worksheet>"
    for charset in ("utf-16", "utf-16-le", "cp037", "utf-7"):
        data = inside.format(charset).encode(charset)
        assert refused(with_parts(BOOK, {SHEET: data}), XLSX)[0] == "import.unreadable", charset


def test_bombs_are_seen_before_they_are_opened() -> None:
    zeros = with_parts(BOOK, {"xl/media/a.bin": b"\0" * 31_000_000})
    assert len(zeros) < 200_000 and refused(zeros, XLSX) == ("import.too_large", "ratio")
    noise = random.Random(1).randbytes(200_000)
    large = with_parts(BOOK, {"xl/media/a.bin": b"\0" * 33 * 2**20, "xl/media/b.bin": noise})
    assert refused(large, XLSX) == ("import.too_large", "unpacked")
    tags = with_parts(BOOK, {SHEET: sheet_of("<row>" + "<c/>" * 1_100_000 + "</row>"), "xl/media/b.bin": noise})
    assert refused(tags, XLSX) == ("import.too_large", "tags")
    many = with_parts(BOOK, {f"xl/{n}.bin": b"" for n in range(400)})
    assert refused(many, XLSX) == ("import.too_large", "parts")
    assert refused(os.urandom(5 * 2**20), XLSX) == ("import.too_large", "bytes")


def test_an_archive_that_lies_about_its_sizes() -> None:
    whole = bytearray(with_parts(BOOK, {"xl/media/a.bin": b"\0" * 2**22}))
    at = whole.rindex(b"PK\x01\x02")
    assert whole[at + 24 : at + 28] == (2**22).to_bytes(4, "little")
    whole[at + 24 : at + 28] = (10).to_bytes(4, "little")
    assert refused(bytes(whole), XLSX) == ("import.unreadable", "format")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_in_an_archive() -> None:
    out = BytesIO(BOOK)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(SHEET, sheet_of(cells("another")))
    assert refused(out.getvalue(), XLSX) == ("import.unreadable", "format")


def test_too_many_rows_and_columns() -> None:
    rows = [[str(n)] for n in range(MOST_ROWS + 1)]
    assert len(read(comma(["a"], *rows[:-1]), CSV).lines) == MOST_ROWS
    assert refused(comma(["a"], *rows), CSV) == ("import.too_large", "rows")
    assert refused(objects(["a"], *rows), JSON) == ("import.too_large", "rows")
    wide = [string.ascii_letters[n % 52] + str(n) for n in range(MOST_COLUMNS + 1)]
    assert refused(comma(wide), CSV) == ("import.too_large", "columns")
    assert refused(xlsx(wide), XLSX) == ("import.too_large", "columns")
    assert refused(objects(wide, wide), JSON) == ("import.too_large", "columns")


def test_a_sheet_that_says_it_is_larger_than_it_is() -> None:
    says = with_parts(BOOK, {SHEET: sheet_of(cells("a") + cells("1"), before='<dimension ref="A1:XFD1048576"/>')})
    assert told(read(says, XLSX)) == [["1"]]
    far = sheet_of(cells("a") + '<row r="99999999999"><c t="inlineStr"><is><t>x</t></is></c></row>')
    assert refused(with_parts(BOOK, {SHEET: far}), XLSX) == ("import.too_large", "rows")


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=60), st.integers(0, len(BOOK) - 1), st.integers(0, 200))
def test_no_bytes_are_more_than_refused(noise: bytes, at: int, length: int) -> None:
    spoilt = BOOK[:at] + noise + BOOK[at + length :]
    for raw, type_ in ((spoilt, XLSX), (noise, XLSX), (noise, CSV), (noise, JSON)):
        try:
            read(raw, type_)
        except Problem as problem:
            assert problem.code in ("import.unreadable", "import.too_large")
