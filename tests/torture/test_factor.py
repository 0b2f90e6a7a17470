"""The torture's own WebAuthn key, which shares no line with the server, confirms what officers decide in a run."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from backend.storage import tables
from tests.support import store
from tests.support.caller import HOST, Caller
from tests.support.confirming import RELEASING
from tests.support.world import SECRET, World
from torture import factor
from torture.light import Light
from torture.wire import Answer


@dataclass
class Lamp:
    """As much of a torture's terminal as confirming needs."""

    caller: Caller
    seat: Any

    def asked(self, _what: str, method: str, path: str, body: Any = None) -> Answer:
        response = self.caller.ask(method, path, body)
        return Answer(response.status_code, response.data, None, 0)


@pytest.fixture
def lamp(small: World, monkeypatch: pytest.MonkeyPatch) -> Lamp:
    monkeypatch.setattr(factor, "SECRET", SECRET)
    return Lamp(Caller.of(small, "INT"), SimpleNamespace(number="INT"))


def test_a_decision_is_confirmed_with_a_key_that_is_added_once(small: World, lamp: Lamp) -> None:
    decision = RELEASING | {"record": small.ids["p1"]}
    named = [factor.confirmed(cast(Light, lamp), HOST, decision) for _ in range(2)]
    other = Lamp(Caller.of(small, "INT"), lamp.seat)
    named.append(factor.confirmed(cast(Light, other), HOST, decision))
    assert {row.confirmation for row in store.rows(small, tables.confirmations)} == set(named)
    assert len(store.rows(small, tables.factors)) == 1, "the same at every terminal"


def test_without_an_answer_nothing_is_confirmed(small: World, lamp: Lamp) -> None:
    decision = RELEASING | {"record": small.ids["p1"]}
    assert factor.confirmed(cast(Light, lamp), "http://elsewhere.example", decision) is None
    lamp.seat = None
    assert factor.confirmed(cast(Light, lamp), HOST, decision) is None
    assert store.rows(small, tables.confirmations) == []
