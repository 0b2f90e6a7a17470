"""Rows out: pages, scopes that change, cursors from elsewhere, and the server's very bytes on the terminal."""

from __future__ import annotations

import threading

import orjson
import pytest

from backend.domain.posts import HELD
from backend.storage import tables
from headless import patrol
from headless.terminal import Terminal
from sync.writing.local import Act
from tests.support import store
from tests.support.hand import Hand
from tests.support.reader import Copy
from tests.support.world import SECRET, World, looked, tag

IN_W = {"W", "C1", "C2", "K", "p1", "p2", "p3"}
IN_V = {"V", "D1", "p4"}
SCOPES = {
    **dict.fromkeys(["PAT", "AUX", "DISC"], IN_W),
    **dict.fromkeys(["INT", "MED", "LEAD", "DIR", "AUD", "PROC"], IN_W | IN_V),
    "PAT2": IN_V,
    "ADM": set(),
    "CITY": set(),
}


def held(world: World, terminal: Terminal, name: str) -> set[str]:
    """Short names of what an officer holds after a pull."""
    terminal.sign_in(name, SECRET)
    terminal.pull()
    names = {identity: short for short, identity in world.ids.items()}
    return {names[row["id"]] for row in terminal.rows()}


def test_everybody_is_given_his_scope_and_nothing_else(both: World) -> None:
    assert set(SCOPES) == {*HELD, "PAT2"}
    terminal = both.terminal()
    assert {name: held(both, terminal, name) for name in SCOPES} == SCOPES


def test_an_administrator_is_given_no_records_though_a_ward_be_assigned_to_him(both: World) -> None:
    given = {"facility": "TEST", "officer": both.ids["PAT2"], "place": both.ids["V"]}
    store.alter(both, tables.assignments, given, officer=both.ids["ADM"])
    assert held(both, both.terminal(), "ADM") == set()


def test_a_terminal_holds_the_server_s_very_bytes(both: World) -> None:
    writer = both.terminal("PAT")
    writer.pull()
    round_ = patrol.open_round(writer, both.ids["W"])
    for code in ("C1", "C2"):
        patrol.visit(writer, round_, both.ids[code], tag=tag(code), cell=looked(2), note="情绪低落 𠮷")
    writer.sync()
    patrol.close_round(writer, round_)
    writer.sync()
    reader = both.terminal("LEAD")
    for limit in (1, 500):
        reader.pull(limit)
        kept = {row.id: (row.body, row.partition) for row in store.rows(both, tables.records)}
        mine = {row["id"]: (orjson.dumps(row), row["partition"]) for row in reader.rows()}
        assert mine == kept
    assert {row["id"]: orjson.dumps(row) for row in writer.rows()}.items() <= {
        identity: body for identity, (body, _) in kept.items()
    }.items()


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_small_pages_give_what_one_large_one_does_while_others_write(both: World, limit: int) -> None:
    writer = Hand(both).signed_in("PAT")
    round_, opened = writer.open()
    for at in range(9):
        writer.visit(round_, ("K", "C1", "C2")[at % 3])
    writer.told()
    copy, pages = Copy.of(both, "DISC"), 0
    while copy.page(limit):
        pages += 1
        if pages % 3 == 1 and pages < 10:
            writer.visit(round_, "K")
            writer.told(writer.n, writer.n)
        if pages == 5:
            both.desk("INT", Act("person", "change", both.ids["p1"], {"name": "改名"}, base=1))
        if pages == 8:
            writer.close_round(round_, after=[opened])
            writer.told(writer.n, writer.n)
    copy.pull(limit)
    fresh = Copy.of(both, "DISC").pull()
    assert copy.rows == fresh.rows and len(fresh.rows) > 17
    assert copy.cursors == fresh.cursors
    bodies = {row.id: row.body for row in store.rows(both, tables.records)}
    assert {key: orjson.dumps(row) for key, row in copy.rows.items()} == {key: bodies[key] for key in copy.rows}


def test_a_page_that_ends_on_a_partition_s_last_row_says_rightly_whether_there_is_more(both: World) -> None:
    for limit in range(1, 9):
        copy, told = Copy.of(both, "PAT"), []
        while True:
            before = len(copy.rows)
            told.append(copy.page(limit))
            if not told[-1]:
                break
            assert len(copy.rows) - before == limit, "a page was not filled though there was more"
        assert len(copy.rows) == len(IN_W)
        assert len(told) == -(-len(IN_W) // limit)


def test_a_page_that_holds_just_the_rest_of_a_partition_is_the_last(both: World) -> None:
    writer = Hand(both).signed_in("PAT")
    round_, _ = writer.open()
    for _ in range(5):
        writer.visit(round_, "K")
    writer.told()
    copy = Copy.of(both, "DISC").pull()
    for _ in range(3):
        writer.visit(round_, "K")
    newest = writer.told(7)[-1]["seq"]
    for limit, sizes in ((1, [1, 1, 1]), (2, [2, 1]), (3, [3]), (4, [3])):
        cursors = dict(copy.cursors)
        for at, size in enumerate(sizes):
            page = copy.hand.pull(cursors, limit)
            (part,) = page["partitions"]
            assert (len(part["rows"]), page["more"]) == (size, at < len(sizes) - 1), limit
            cursors[part["partition"]] = part["cursor"]
        assert part["cursor"] == newest


def test_what_is_new_comes_once(both: World) -> None:
    copy = Copy.of(both, "PAT").pull()
    page = copy.hand.pull(copy.cursors)
    assert (page["partitions"], page["gone"], page["more"]) == ([], [], False)
    both.desk("ADM", Act("place", "change", both.ids["K"], {"name": "新名"}, base=1))
    page = copy.hand.pull(copy.cursors)
    assert [row["id"] for part in page["partitions"] for row in part["rows"]] == [both.ids["K"]]


def test_what_is_new_comes_once_in_partitions_that_are_held_up_to_different_numbers(both: World) -> None:
    writer = Hand(both).signed_in("PAT")
    round_, _ = writer.open()
    for code in ("K", "C1", "K", "C1", "C2"):
        writer.visit(round_, code)
    writer.told()
    copy = Copy.of(both, "DISC").pull()
    ends = {copy.cursors[f"place/{both.ids[code]}/base"] for code in ("K", "C1", "C2")}
    assert len(ends) == 3
    before = writer.n
    for code in ("C1", "C2", "K"):
        writer.visit(round_, code)
    fresh = {outcome["record"] for outcome in writer.told(before + 1)}
    page = copy.hand.pull(copy.cursors)
    assert {row["id"] for part in page["partitions"] for row in part["rows"]} == fresh
    assert sum(len(part["rows"]) for part in page["partitions"]) == 3


def test_who_moves_to_another_cell_leaves_one_officer_and_reaches_the_other(both: World) -> None:
    left, reached = Copy.of(both, "PAT").pull(), Copy.of(both, "PAT2").pull()
    p1 = both.ids["p1"]
    assert p1 in left.rows and p1 not in reached.rows
    moved = both.desk("INT", Act("person", "change", p1, {"cell": both.ids["D1"]}, base=1))
    assert moved[0]["status"] == "applied"
    assert left.pull().gone == [f"person/{p1}/base"]
    assert p1 not in left.rows
    assert reached.pull().rows[p1]["doc"]["cell"] == both.ids["D1"] and reached.gone == []
    both.desk("INT", Act("person", "change", p1, {"cell": both.ids["C2"]}, base=2))
    assert left.pull().rows[p1]["version"] == 3
    assert reached.pull().gone == [f"person/{p1}/base"]


def test_who_moves_within_the_ward_stays(both: World) -> None:
    copy = Copy.of(both, "PAT").pull()
    both.desk("INT", Act("person", "change", both.ids["p1"], {"cell": both.ids["C2"]}, base=1))
    assert copy.pull().rows[both.ids["p1"]]["doc"]["cell"] == both.ids["C2"]
    assert copy.gone == []


def test_partitions_out_of_scope_are_gone_whether_they_were_held_or_not(both: World) -> None:
    foreign = f"person/{both.ids['p4']}/base"
    unknown = f"place/{both.ids['PAT']}/base"
    page = Hand(both).signed_in("PAT").pull({foreign: 0, unknown: 5})
    assert page["gone"] == sorted([foreign, unknown])
    assert foreign not in [part["partition"] for part in page["partitions"]]


def test_a_cursor_beyond_the_server_s_begins_anew(both: World) -> None:
    """Nobody can hold what was never given: whoever says so has it from elsewhere."""
    copy = Copy.of(both, "PAT").pull()
    rows = dict(copy.rows)
    beyond = [f"place/{both.ids[code]}/base" for code in ("W", "C1", "C2", "K")]
    copy.cursors |= dict.fromkeys(beyond[:2], 2**53 - 1) | dict.fromkeys(beyond[2:], copy.hand.pull()["at"] + 1)
    assert sorted(copy.pull().resets) == sorted(beyond)
    assert copy.rows == rows and copy.gone == []


def test_a_pull_says_where_the_facility_stands(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    page = h.pull()
    state = store.one(both, tables.facilities)
    assert (page["epoch"], page["at"], page["head"]) == (1, state.seq, state.head)
    h.hear(page["head"])
    assert h.anchor["size"] == state.size


def test_another_epoch_begins_every_partition_anew_at_once(both: World) -> None:
    """He takes the new epoch with the first page: no cursor of the old one may outlive it, wherever the page ends."""
    copy = Copy.of(both, "PAT").pull()
    rows, held = dict(copy.rows), set(copy.cursors)
    copy.cursors |= {name: cursor + 1000 for name, cursor in copy.cursors.items()}
    copy.rows["from the old epoch"] = {**copy.rows[both.ids["W"]], "id": "from the old epoch"}
    copy.epoch = 7
    assert copy.page(2)
    assert set(copy.resets) == held and len(copy.rows) == 2
    assert copy.pull(2).rows == rows
    assert len(copy.resets) == len(held), "a partition was thrown away twice"


def test_a_partition_that_is_empty_in_this_epoch_is_thrown_away_too(both: World) -> None:
    h = Hand(both).signed_in("LEAD")
    nothing = f"person/{both.ids['p1']}/case"
    body = {"partitions": {nothing: 40}, "limit": 500, "epoch": 2}
    page = h.wire.ask(h.key, "POST", "/v1/sync/pull", body, h.token)
    (part,) = [each for each in page["partitions"] if each["partition"] == nothing]
    assert part == {"partition": nothing, "cursor": 0, "present": 0, "digest": "A" * 43, "reset": True, "rows": []}


def test_two_who_pull_beside_a_writer_never_see_half_a_commit(both: World) -> None:
    """A batch makes a round and its stops in several partitions: a page has all of it or nothing."""
    errors: list[BaseException] = []
    over = threading.Event()
    readers = [Copy.of(both, name) for name in ("DISC", "LEAD")]

    def read(copy: Copy) -> None:
        try:
            while not over.is_set():
                copy.pull()
                seen = {row["doc"].get("round") for row in copy.rows.values() if row["kind"] == "patrol.visit"}
                assert seen <= copy.rows.keys()
        except BaseException as error:  # noqa: BLE001 - it is raised in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=read, args=(copy,)) for copy in readers]
    for thread in threads:
        thread.start()
    writer = Hand(both).signed_in("PAT")
    for _ in range(12):
        first = writer.n + 1
        round_, _ = writer.open()
        for code in ("C1", "C2", "K"):
            writer.visit(round_, code)
        writer.told(first)
    over.set()
    for thread in threads:
        thread.join(60)
    assert not errors, errors
    for copy, name in zip(readers, ("DISC", "LEAD"), strict=True):
        assert copy.pull().rows == Copy.of(both, name).pull().rows


def test_an_edit_that_waits_on_the_terminal_survives_the_row_s_removal(both: World) -> None:
    terminal = both.terminal("PAT")
    terminal.pull()
    round_ = patrol.open_round(terminal, both.ids["W"])
    patrol.visit(terminal, round_, both.ids["C1"], tag=tag("C1"), cell=looked(2), note=None)
    both.clock.advance(60_000)
    both.desk("INT", Act("person", "change", both.ids["p1"], {"cell": both.ids["D1"]}, base=1))
    assert terminal.pull().gone == [f"person/{both.ids['p1']}/base"]
    assert len(terminal.waiting()) == 2
    assert [(outcome["status"], outcome["marks"]) for outcome in terminal.push()] == [("applied", [])] * 2
