"""Pull: the rows of the present scope, no others, whatever happens between two pages."""

from __future__ import annotations

from typing import Any

import pytest

from headless import Broken, Offline, Problem, Terminal, patrol
from tests.headless.fake_world import World
from tests.headless.kit import SECRET, Line


def scope_rows(world: World, number: str) -> list[dict[str, Any]]:
    """What the server would show this officer."""
    state = world.state()
    return [row for row in state["rows"] if row["partition"] in state["scopes"][number]]


def walked(terminal: Terminal, world: World, visits: int) -> None:
    round_id = patrol.open_round(terminal, world.places["W"])
    for _ in range(visits):
        patrol.visit(terminal, round_id, world.places["K"], tag=None, cell=None, note="标签脱落")
    patrol.close_round(terminal, round_id)
    terminal.push()


def test_all_rows_of_the_scope_arrive(terminal: Terminal, world: World) -> None:
    walked(terminal, world, 3)
    pulled = terminal.pull()
    assert (pulled.rows, pulled.gone) == (4, [])
    assert terminal.rows() == scope_rows(world, "PAT")
    assert len(terminal.rows("patrol.visit")) == 3
    assert terminal.pull().rows == 0
    (row,) = terminal.rows("patrol.round")
    assert (row["version"], row["state"]) == (2, "closed")


def test_page_by_page(terminal: Terminal, world: World, line: Line) -> None:
    walked(terminal, world, 3)
    line.requests.clear()
    assert terminal.pull(limit=1).rows == 4
    assert len(line.requests) == 4
    assert terminal.rows() == scope_rows(world, "PAT")


def test_a_lost_page_is_got_again(terminal: Terminal, world: World, line: Line) -> None:
    walked(terminal, world, 1)
    before = terminal.rows(), terminal.store.cursors()
    line.lose_answers = 1
    with pytest.raises(Offline):
        terminal.pull()
    assert (terminal.rows(), terminal.store.cursors()) == before
    terminal.pull()
    assert terminal.rows() == scope_rows(world, "PAT")


def test_what_leaves_the_scope_is_removed_and_what_enters_arrives(terminal: Terminal, world: World) -> None:
    walked(terminal, world, 1)
    terminal.pull()
    gone = set(terminal.store.cursors())
    world.officers["PAT"]["wards"] = ["V"]
    assert set(terminal.pull().gone) == gone
    assert terminal.rows() == scope_rows(world, "PAT")
    assert {row["doc"]["code"] for row in terminal.rows()} == {"V", "D1"}
    assert not gone & set(terminal.store.cursors())
    world.officers["PAT"]["wards"] = ["W"]
    terminal.pull()
    assert terminal.rows() == scope_rows(world, "PAT")


def test_another_officer_sees_nothing_of_the_first(terminal: Terminal, world: World, line: Line) -> None:
    walked(terminal, world, 1)
    terminal.pull()
    terminal.sign_in("PAT2", SECRET)
    assert terminal.rows() == []
    terminal.pull()
    assert terminal.rows() == scope_rows(world, "PAT2")
    terminal.sign_in("PAT2", SECRET)
    assert terminal.rows() == scope_rows(world, "PAT2")  # the same officer again: nothing is fetched twice


def test_an_ended_session_touches_nothing(terminal: Terminal, world: World) -> None:
    walked(terminal, world, 1)
    patrol.open_round(terminal, world.places["W"])
    before = terminal.rows(), terminal.queue(), terminal.session
    world.end_all()
    with pytest.raises(Problem) as refused:
        terminal.pull()
    assert refused.value.code == "session.expired"
    assert (terminal.rows(), terminal.queue(), terminal.session) == before
    terminal.sign_in("PAT", SECRET)
    terminal.sync()
    assert terminal.waiting() == []
    assert terminal.rows() == scope_rows(world, "PAT")


def test_a_slower_puller_throws_its_page_away(terminal: Terminal, world: World, line: Line) -> None:
    walked(terminal, world, 2)

    def quicker() -> None:
        terminal.pull()
        world.officers["PAT"]["wards"] = ["V"]
        terminal.pull()

    line.meanwhile = quicker
    terminal.pull()
    assert terminal.rows() == scope_rows(world, "PAT")


def test_pages_that_never_end(terminal: Terminal, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    page = world.page
    monkeypatch.setattr(world, "page", lambda *call: page(*call) | {"more": True})
    with pytest.raises(Broken, match="nothing moves"):
        terminal.pull()


def test_a_page_with_half_a_row(terminal: Terminal, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    walked(terminal, world, 1)
    before = terminal.rows(), terminal.store.cursors()
    page = world.page

    def halved(*call: Any) -> dict[str, Any]:
        answer = page(*call)
        answer["partitions"][-1]["rows"] = [{"id": "x"}]
        return answer

    monkeypatch.setattr(world, "page", halved)
    with pytest.raises(Broken, match="state"):
        terminal.pull()
    assert (terminal.rows(), terminal.store.cursors()) == before


def test_a_page_under_another_servers_head(terminal: Terminal, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    walked(terminal, world, 1)
    before = terminal.rows()
    head = world.head()
    monkeypatch.setattr(world, "head", lambda: head[:-6] + "AAAAAA")
    with pytest.raises(Broken, match="head"):
        terminal.pull()
    assert terminal.rows() == before
