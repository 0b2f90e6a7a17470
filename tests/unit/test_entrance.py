"""The line before the pushes: in the order of first asking, whoever was sent away meanwhile; and no end for nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from backend.kernel.problems import Problem
from sync.writing import entrance
from sync.writing.entrance import LINE, LONGEST_PAUSE, LONGEST_WAIT, MOST_OF_ONE, PLACES, REMEMBERED, Entrance
from tools.serve import OTHERS, THREADS


class House:
    """An entrance, and terminals that come to it, each push on a thread of its own as in the server."""

    def __init__(self, places: int, line: int) -> None:
        self.time = 0.0
        self.entrance = Entrance(places, line, lambda: self.time)
        self.inside: list[str] = []
        self.away: list[tuple[str, int]] = []
        self._lets_go: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []

    def comes(self, name: str) -> None:
        """A push arrives; returns when it is inside, in the line, or away."""
        at = len(self.inside) + len(self.away) + len(self.entrance._line)
        self._lets_go[name] = threading.Event()
        self._threads.append(threading.Thread(target=self._push, args=(name,), daemon=True))
        self._threads[-1].start()
        _until(lambda: len(self.inside) + len(self.away) + len(self.entrance._line) == at + 1)

    def _push(self, name: str) -> None:
        try:
            with self.entrance.place(name):
                self.inside.append(name)
                self._lets_go[name].wait(10)
        except Problem as problem:
            assert problem.code == "server.busy"
            self.away.append((name, problem.detail["retry_after"]))

    def leaves(self, name: str, after: float = 1.0) -> None:
        """A push is answered, so many seconds later; the first in the line goes in."""
        self.time += after
        expected = len(self.inside) + bool(self.entrance._line)
        self._lets_go[name].set()
        _until(lambda: len(self.inside) == expected)
        _until(lambda: not self.entrance._of_terminal[name])

    @property
    def waiting(self) -> list[str]:
        return [each.terminal for each in self.entrance._line]

    def close(self) -> None:
        for _ in range(100):
            for event in self._lets_go.values():
                event.set()
            for thread in self._threads:
                thread.join(0.05)
            if not any(thread.is_alive() for thread in self._threads):
                return


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


@contextmanager
def house(places: int, line: int) -> Iterator[House]:
    made = House(places, line)
    try:
        yield made
    finally:
        made.close()


def test_who_waits_goes_in_in_the_order_of_coming() -> None:
    with house(2, 10) as here:
        for name in "abcdef":
            here.comes(name)
            here.time += 1
        assert (here.inside, here.waiting) == (["a", "b"], ["c", "d", "e", "f"])
        for name in "badc":
            here.leaves(name)
        assert here.inside == list("abcdef")


def test_a_terminal_stands_behind_the_others_after_each_answer() -> None:
    with house(1, 10) as here:
        for name in "abc":
            here.comes(name)
            here.time += 1
        here.leaves("a")
        here.comes("a")
        assert here.waiting == ["c", "a"]


def test_the_last_to_ask_is_sent_away_and_stands_before_later_ones_when_he_comes_back() -> None:
    with house(1, 2) as here:
        for name in "abcd":
            here.comes(name)
            here.time += 1
        assert [name for name, _ in here.away] == ["d"]
        here.leaves("a")
        here.comes("e")
        assert here.waiting == ["c", "e"]
        here.comes("d")
        assert here.waiting == ["c", "d"], "one who came after him goes in his stead"
        _until(lambda: len(here.away) == 2)
        assert here.away[1][0] == "e"
        here.leaves("b")
        here.comes("e")
        assert here.waiting == ["d", "e"]


def test_a_place_is_not_kept_for_ever() -> None:
    with house(1, 1) as here:
        for name in "abc":
            here.comes(name)
        here.time += REMEMBERED + 1
        here.leaves("a")
        here.comes("d")
        here.comes("c")
        assert [name for name, _ in here.away] == ["c", "c"]


def test_those_who_are_sent_away_together_are_told_different_moments() -> None:
    with house(1, 1) as here:
        for at in range(200):
            here.comes(f"slow{at}")
            here.leaves(f"slow{at}", after=5.0)
        for at in range(20):
            here.comes(f"t{at}")
        told = [seconds for _, seconds in here.away]
        assert len(told) == 18
        assert told == sorted(told) and len(set(told)) > 4
        assert all(1 <= seconds <= LONGEST_PAUSE for seconds in told) and told[-1] == LONGEST_PAUSE


def test_nobody_is_kept_who_would_wait_too_long() -> None:
    with house(1, 50) as here:
        for at in range(200):
            here.comes(f"slow{at}")
            here.leaves(f"slow{at}", after=5.0)
        for at in range(10):
            here.comes(f"t{at}")
        assert len(here.waiting) == LONGEST_WAIT // 5
        assert len(here.away) == 10 - 1 - len(here.waiting)


def test_who_is_sent_away_from_the_head_of_the_line_is_told_to_come_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who came after him are behind him then too."""
    with house(1, 50) as here:
        for at in range(200):
            here.comes(f"slow{at}")
            here.leaves(f"slow{at}", after=2.5)
        here.comes("inside")
        monkeypatch.setattr(entrance, "LONGEST_WAIT", 0.2)
        here.comes("first")
        monkeypatch.setattr(entrance, "LONGEST_WAIT", 15)
        for at in range(4):
            here.time += 0.1
            here.comes(f"late{at}")
        _until(lambda: len(here.away) == 1)
        assert here.away == [("first", 2)]


def test_who_has_waited_too_long_is_told_when_to_come_and_keeps_his_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "LONGEST_WAIT", 0.05)
    with house(1, 3) as here:
        here.comes("a")
        here.time += 1
        here.comes("b")
        _until(lambda: [name for name, _ in here.away] == ["b"])
        assert here.waiting == []
        monkeypatch.setattr(entrance, "LONGEST_WAIT", 10)
        here.time += 1
        here.comes("c")
        here.comes("b")
        assert here.waiting == ["b", "c"]
        here.leaves("a")
        assert here.inside == ["a", "b"]


def test_a_terminal_that_floods_is_told_to_wait_and_others_are_not() -> None:
    doors = Entrance(MOST_OF_ONE + 1, 0)
    with ExitStack() as stack:
        for _ in range(MOST_OF_ONE):
            stack.enter_context(doors.place("a"))
        for refused in (lambda: doors.look("a"), lambda: doors.place("a").__enter__()):
            with pytest.raises(Problem) as problem:
                refused()
            assert (problem.value.code, problem.value.detail) == ("terminal.busy", {"retry_after": 1})
        doors.look("b")
        stack.enter_context(doors.place("b"))
    doors.look("a")
    with doors.place("a"):
        assert doors._inside == 1
    assert (doors._inside, doors._of_terminal) == (0, {})


def test_a_push_that_fails_gives_its_place_back() -> None:
    doors = Entrance(1, 0)
    for _ in range(3):
        with pytest.raises(ValueError, match="of the push"), doors.place("a"):
            raise ValueError("of the push")
    assert (doors._inside, doors._of_terminal) == (0, {})


def test_five_hundred_terminals_find_a_place_and_others_a_thread() -> None:
    assert PLACES + LINE >= 500
    assert THREADS - PLACES - LINE == OTHERS > 96
