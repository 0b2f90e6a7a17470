"""`make demo`, with a shorter shift: what it tells holds, and fits on a terminal."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import demo.__main__
from demo.facility import build
from demo.seed import SEED
from demo.telling import WIDTH, folded, width
from tools.process import ROOT, environment


def test_a_shift_is_played_and_all_of_it_holds(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "demo", "--hours", "2"]
    done = subprocess.run(line, env=environment(tmp_path), cwd=ROOT, capture_output=True, text=True, timeout=110)
    told = done.stdout
    assert (done.returncode, done.stderr) == (0, ""), told + done.stderr
    summary = re.search(r"7 handhelds captured (\d+) operations: (\d+) applied, (\d+) rejected", told)
    assert summary is not None
    captured, applied, rejected = map(int, summary.groups())
    assert (applied, rejected) == (captured - 1, 1)
    assert captured > 200
    assert re.search(r"^15 of 15 checks hold\.$", told, re.MULTILINE)
    assert "FAILS" not in told
    assert "该字段的值不符合要求 / This field's value is" in told
    for ward in build(SEED).wards():
        assert re.search(rf"^  {ward.name}  \d+ rounds", told, re.MULTILINE), ward.name
        assert re.search(rf"^  {ward.name}  \d+ windows of patrol: \d+ kept", told, re.MULTILINE), ward.name
    assert re.search(r"^    \d\d:\d\d:\d\d  MISSED$", told, re.MULTILINE)
    steps = re.findall(
        r"^    (\d\d:\d\d:\d\d)  (reported|acknowledged|deployed|handled|answered|closed) ", told, re.MULTILINE
    )
    assert [step for _, step in steps] == ["reported", "acknowledged", "deployed", "handled", "answered", "closed"]
    assert [at for at, _ in steps] == sorted(at for at, _ in steps)
    assert [each for each in told.splitlines() if width(each) > WIDTH] == []


@pytest.mark.parametrize(("held", "code"), [(True, 0), (False, 1)])
def test_its_exit_code_says_whether_all_held(held: bool, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo.__main__, "play", lambda folder, hours: held)
    monkeypatch.setattr(sys, "argv", ["demo"])
    with pytest.raises(SystemExit) as over:
        demo.__main__.main()
    assert over.value.code == code


def test_long_lines_are_folded_where_a_reader_would() -> None:
    text = "嶙承澄 types a head count of 7777 at C-01: 该字段的值不符合要求"
    lines = list(folded(text, 24))
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(width(line) <= 24 for line in lines)
    assert lines[0] == "嶙承澄 types a head"
