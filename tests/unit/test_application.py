"""Applications for tests: what is made once for all of them knows nothing of any."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import bindparam, select

from backend.identity import terminals
from backend.storage import tables
from tests.support import store
from tests.support.templates import Templates
from tests.support.world import FACILITY, World

_F = tables.facilities.c


def test_each_has_its_own_installation_by_every_way_in(small: World, templates: Templates, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    with templates.world("sqlite", folder) as other:
        terminal = small.terminal("PAT")
        terminal.capture("no.such", "kind", small.ids["p1"], {})
        assert len(terminal.push()) == 1
        assert terminal.pull().rows > 0
        enrolled = [store.rows(each, tables.terminals, terminal=terminal.identity.terminal) for each in (small, other)]
        assert [len(rows) for rows in enrolled] == [1, 0]
        assert store.one(small, tables.facilities).size > store.one(other, tables.facilities).size
        run = other.app.test_cli_runner().invoke(args=["terminals", "code", FACILITY])
        assert run.exit_code == 0, run.output
        codes = [len(store.rows(each, tables.enrolment_codes)) for each in (small, other)]
        terminals.make_code(other.services.door, FACILITY, "test")
        assert [len(store.rows(each, tables.enrolment_codes)) for each in (small, other)] == [codes[0], codes[1] + 1]


def test_statements_that_differ_in_a_value_alone_are_two(small: World) -> None:
    kept = small.services.store
    for wanted, found in ((FACILITY, 1), ("another", 0), (FACILITY, 1)):
        statement = kept.prepare(select(_F.facility).where(_F.facility == wanted, _F.size >= bindparam("least")))
        with kept.reading() as connection:
            assert len(statement.all(connection, {"least": 0})) == found
