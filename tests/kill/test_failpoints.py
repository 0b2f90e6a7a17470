"""The server is killed at every named place around a commit; terminals note what they were told and go on.

One installation an engine lives through all deaths: the next server is at once the recovery from the last death and
the next victim. At the end a server that is left alone settles everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.kernel.failpoints import NAMES
from tests.support.crew import Hand, Site, at_work, site, together
from tests.support.engines import ENGINES
from tests.support.ledger import Ledger, check, check_settled
from tests.support.server import Server

DEATHS = (
    "group.planned:1", "commit.before:1", "commit.before:6", "commit.after:1", "commit.after:5", "cache.before:2",
    "cache.after:3", "answer.before_send:1", "answer.before_send:7", "pull.before_send:3",
)  # fmt: skip
_NOTHING = {"group.planned:1", "commit.before:1"}
_UNTOLD = {"commit.after:1", "answer.before_send:1"}


@pytest.fixture(scope="module", params=ENGINES)
def victim(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Server]]:
    """An installation with its crew, and its server, which is down."""
    database = None if request.param == "sqlite" else request.getfixturevalue("postgres").fresh()
    with site(tmp_path_factory.mktemp("victim"), database) as here:
        server = Server(here.settings.data, here.database)
        here.goes_to(server.url)
        try:
            yield here, server
        finally:
            server.kill()


def _told(hands: list[Hand]) -> int:
    return sum(len(hand.terminal.outcomes()) for hand in hands)


def test_every_failpoint_is_tried() -> None:
    assert {death.partition(":")[0] for death in DEATHS} == NAMES


@pytest.mark.parametrize("death", DEATHS)
def test_killed_at(death: str, victim: tuple[Site, Server]) -> None:
    here, server = victim
    stored, told = len(Ledger(here.settings).operations), _told(here.hands)
    server.start(death)
    with at_work(here.hands, death):
        assert server.fallen(), f"nothing passed {death}"
    after = check(here)
    if death in _NOTHING:
        assert len(after.operations) == stored, "something of a transaction that was never committed is there"
    if death in _UNTOLD:
        assert len(after.operations) > stored, "a transaction that was committed is gone"
        assert _told(here.hands) == told, "somebody was answered by a server that died before its first answer"


def test_then_everything_is_settled(victim: tuple[Site, Server], tmp_path: Path) -> None:
    here, server = victim
    together(Hand.walk, here.hands)
    server.start()
    together(Hand.insist, here.hands)
    ledger = check_settled(here)
    assert len(ledger.operations) > sum(len(hand.terminal.queue()) for hand in here.hands)
    server.stop()
    assert "Traceback" not in server.log.read_text()
