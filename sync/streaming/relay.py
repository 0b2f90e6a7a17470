"""News of one server process for the others on the same PostgreSQL database.

A commit only leaves its news in a queue; one thread sends what has gathered there as one message, another listens.
What is lost on the way the hub's own look at the store finds (sync.streaming.hub, POLL_SECONDS).
"""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Any

import orjson
import structlog

from backend.kernel.problems import Problem
from backend.storage.channel import LONGEST, Channel, Lost
from sync.news import News
from sync.streaming.hub import Hub
from sync.streaming.lookout import Lookout

MOST_ALARMS = 100
"""Rows that a message names; they are read from the store where it arrives."""
_AGAIN_SECONDS = 1.0
_log = structlog.get_logger(__name__)


class Relay:
    """Sends this process's news, and passes on those of others to the hub. ``name`` tells this process from others."""

    def __init__(self, channel: Channel, lookout: Lookout, hub: Hub, name: str) -> None:
        self._channel, self._lookout, self._hub, self._name = channel, lookout, hub, name
        self._heard: queue.SimpleQueue[News | None] = queue.SimpleQueue()
        self._over = threading.Event()

    def start(self) -> None:
        for work in (self._send, self._listen):
            threading.Thread(target=work, name="relay", daemon=True).start()

    def hear(self, news: News) -> None:
        """Takes news of a commit in this process. Neither waits nor raises."""
        self._heard.put(news)

    def close(self) -> None:
        self._over.set()
        self._heard.put(None)

    def _send(self) -> None:
        while not self._over.is_set():
            gathered: dict[str, News] = {}
            news = self._heard.get()
            with contextlib.suppress(queue.Empty):
                while True:
                    if news is not None:
                        gathered[news.facility] = _joined(gathered.get(news.facility), news)
                    news = self._heard.get_nowait()
            for each in gathered.values():
                try:
                    self._channel.send(encode(each, self._name))
                except Lost:
                    _log.warning("news not passed on", facility=each.facility)
        self._channel.close()

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                self._channel.listen(self._pass_on, self._over)
            except Lost:
                _log.warning("news of other processes not heard")
                self._over.wait(_AGAIN_SECONDS)

    def _pass_on(self, message: str) -> None:
        said = orjson.loads(message)
        if said["by"] == self._name or not self._hub.count:
            return
        alarms: tuple[tuple[str, bytes], ...] = ()
        if said["alarms"]:
            try:
                alarms = tuple(self._lookout.rows(said["facility"], said["alarms"]))
            except Problem as problem:
                _log.warning("alarms of another process left to the news", code=problem.code)
        partitions = frozenset(said["partitions"] or ())
        self._hub.hear(News(said["facility"], said["epoch"], said["at"], partitions, alarms))
        if said["partitions"] is None:
            self._hub.look()


def _joined(before: News | None, news: News) -> News:
    if before is None:
        return news
    epoch, at = max((before.epoch, before.at), (news.epoch, news.at))
    return News(news.facility, epoch, at, before.partitions | news.partitions, before.alarms + news.alarms)


def encode(news: News, by: str) -> str:
    """News as a message: alarms by their records; partitions null when they are too many to name."""
    alarms = [orjson.loads(row)["id"] for _, row in news.alarms[:MOST_ALARMS]]
    said: dict[str, Any] = {"by": by, "facility": news.facility, "epoch": news.epoch, "at": news.at, "alarms": alarms}
    whole = orjson.dumps(said | {"partitions": sorted(news.partitions)})
    return (whole if len(whole) <= LONGEST else orjson.dumps(said | {"partitions": None})).decode()
