"""The hub: who listens in this process, and what each is told (docs/protocol.md §9, docs/adr/0008).

A commit only leaves its news in a queue. One thread takes them out, finds the streams they touch and puts them into
their mailboxes; it also looks for what other processes have committed, for scopes that have changed and for sessions
that have ended. It runs only while there are streams.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import structlog

from backend.audit.views.readings import is_medical
from backend.identity.sessions import Session
from backend.kernel.clock import Clock
from backend.kernel.problems import Problem
from sync.news import News
from sync.streaming.lookout import Lookout, Memo, Reading, Stand
from sync.streaming.rooms import Alarm, Room
from sync.streaming.stream import SERVER, Position, Stream

POLL_SECONDS = 2.0
"""How often the store is asked for what other processes have committed."""
SETTLE_SECONDS = 0.25
"""How long after news it is asked whether they have moved anybody; alarms ask at once."""
MOST_REREAD_SECONDS = 30.0
SLICE = 25
"""How many scopes are read again before alarms are let through."""
_HANDOVER_SECONDS = 1.0
_RETRY_AFTER = (10, 30)
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Batch:
    """News of one facility that waited together."""

    at: Position = (0, 0)
    partitions: dict[str, int] = field(default_factory=dict)
    alarms: list[Alarm] = field(default_factory=list)

    def add(self, news: News) -> None:
        self.at = max(self.at, (news.epoch, news.at))
        for partition in (*news.partitions, *(partition for partition, _ in news.alarms)):
            self.partitions[partition] = max(news.at, self.partitions.get(partition, 0))
        # A medical row is given by a pull alone, which keeps who was given it.
        self.alarms += [each for each in news.alarms if not is_medical(each[0])]


class Hub:
    """Streams of this process. ``front`` serves requests, ``back`` the hub's own thread: it must never wait for a
    connection behind the pushes that it tells of."""

    def __init__(self, front: Lookout, back: Lookout, clock: Clock, most: int, heartbeat: float) -> None:
        self._front, self._back, self._clock = front, back, clock
        self._most, self._heartbeat = most, heartbeat
        self._reread_seconds = min(MOST_REREAD_SECONDS, 2 * heartbeat)
        self._guard = threading.Lock()
        self._freed = threading.Condition(self._guard)
        self._rooms: dict[str, Room] = {}
        self._memos: dict[str, Memo] = {}
        self._todo: dict[str, dict[Stream, None]] = {}
        self._count = 0
        self._closing = False
        self._thread: threading.Thread | None = None
        self._heard: queue.SimpleQueue[News | None] = queue.SimpleQueue()
        self._poll_due = self._settle_due = 0.0

    # Those who listen

    @property
    def count(self) -> int:
        """How many streams hold a thread."""
        return self._count

    def listening(self, facility: str) -> list[str]:
        """The officers of a facility whose terminals hold a stream open here."""
        with self._guard:
            room = self._rooms.get(facility)
            return [] if room is None else [stream.session.officer.officer for stream in room.streams]

    def open(self, session: Session) -> Stream:
        """A stream for a session; one that its terminal had ends.

        Raises Problem ``stream.full`` beyond the cap, ``server.busy`` when the store or the server does not go on.
        """
        facility = session.officer.facility
        self._admit(facility, session.terminal)
        stream = Stream(session, self._clock, self._heartbeat, self._left)
        try:
            self._enter(facility, stream)
        except BaseException:
            stream.close()
            raise
        return stream

    def _admit(self, facility: str, terminal: str) -> None:
        with self._guard:
            if self._closing:
                raise Problem("server.busy", retry_after=_RETRY_AFTER[0])
            room = self._rooms.setdefault(facility, Room())
            before = room.of_terminal(terminal)
            if before is not None and not self._free():
                before.mailbox.end(SERVER)
                self._freed.wait_for(self._free, _HANDOVER_SECONDS)
            if not self._free():
                least, most = _RETRY_AFTER
                raise Problem("stream.full", retry_after=least + secrets.randbelow(most - least + 1))
            self._count += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hub", daemon=True)
                self._thread.start()

    def _free(self) -> bool:
        return self._count < self._most

    def _enter(self, facility: str, stream: Stream) -> None:
        """Reads its scope, and lets it hear of everything that was committed after that."""
        while True:
            at, scope = self._front.enter(stream.session.officer, self._clock.now())
            with self._guard:
                room = self._rooms.setdefault(facility, Room())
                if not room.covers(at):
                    continue
                room.polled = room.polled or at
                room.enter(stream, scope, at)
                stream.greet(at)
                if self._closing:
                    stream.mailbox.end(SERVER)
                if stream in room.stale:
                    self._todo.setdefault(facility, {})[stream] = None
                    self._heard.put(None)
                return

    def _left(self, stream: Stream) -> None:
        with self._guard:
            if stream.gone:
                return
            stream.gone = True
            facility = stream.session.officer.facility
            if facility in self._rooms:
                self._rooms[facility].leave(stream)
                self._todo.get(facility, {}).pop(stream, None)
            self._count -= 1
            self._freed.notify_all()
            last = not self._count
        if last:
            self._heard.put(None)

    def hear(self, news: News) -> None:
        """Takes news of a commit, here or in another process. Neither waits nor raises."""
        if self._count:
            self._heard.put(news)

    def look(self) -> None:
        """Something was committed elsewhere: look at once."""
        self._poll_due = 0.0
        if self._count:
            self._heard.put(None)

    def close(self) -> None:
        """Ends all streams; opens no other."""
        with self._guard:
            self._closing = True
            for room in self._rooms.values():
                for stream in room.streams:
                    stream.mailbox.end(SERVER)
            thread = self._thread
        self._heard.put(None)
        if thread is not None:
            thread.join(5)

    # The hub's thread

    def _run(self) -> None:
        while not self._finished():
            heard = self._next()
            self._attempt(partial(self._spread, heard))
            for work in (self._settle, self._poll, self._reread):
                self._attempt(work)
        if self._back is not self._front:
            self._back.close()

    def _finished(self) -> bool:
        with self._guard:
            if self._count and not self._closing:
                return False
            self._rooms.clear()
            self._todo.clear()
            self._memos.clear()
            self._thread = None
            return True

    def _attempt(self, work: Callable[[], None]) -> None:
        """Whatever goes wrong, the thread goes on: what it could not look at is looked at again in a moment."""
        try:
            work()
        except Problem as problem:
            _log.warning("streams wait for the store", code=problem.code)
            time.sleep(SETTLE_SECONDS)
        except Exception:  # noqa: BLE001 - a stream without its hub would fall silent for good
            _log.exception("hub failed")
            time.sleep(SETTLE_SECONDS)

    def _next(self) -> dict[str, _Batch]:
        """What has been heard, by facility, after waiting for it until something else is due."""
        batches: dict[str, _Batch] = {}
        wait = 0.0 if any(self._todo.values()) else max(0.0, self._due() - time.monotonic())
        with contextlib.suppress(queue.Empty):
            news = self._heard.get(timeout=wait) if wait else self._heard.get_nowait()
            while True:
                if news is not None:
                    batches.setdefault(news.facility, _Batch()).add(news)
                news = self._heard.get_nowait()
        return batches

    def _due(self) -> float:
        with self._guard:
            dues = [self._poll_due, *(room.reread_due for room in self._rooms.values())]
            if any(room.subjects for room in self._rooms.values()):
                dues.append(self._settle_due)
        return min(dues)

    def _spread(self, batches: dict[str, _Batch]) -> None:
        for facility, batch in batches.items():
            with self._guard:
                room = self._rooms.get(facility)
                if room is None:
                    continue
                if not room.subjects:
                    self._settle_due = time.monotonic() + SETTLE_SECONDS
                room.subjects |= {name.split("/")[1] for name in batch.partitions}
                if not batch.alarms:
                    self._tell(room, batch)
            if batch.alarms:
                with self._asking(room, batch.at):
                    self._look_for_moves(facility, room)
                with self._guard:
                    self._tell(room, batch)

    def _tell(self, room: Room, batch: _Batch) -> None:
        room.told |= batch.partitions
        room.spread(batch.at, batch.partitions, batch.alarms)

    @contextlib.contextmanager
    def _asking(self, room: Room, at: Position) -> Iterator[None]:
        """When the store does not answer, alarms go to nobody until every scope has been read again."""
        try:
            yield
        except Problem as problem:
            _log.warning("an alarm waits for the store", code=problem.code)
            with self._guard:
                room.move(at)
                room.reread_due = 0.0

    def _settle(self) -> None:
        if time.monotonic() < self._settle_due:
            return
        for facility, room in self._open_rooms():
            if room.subjects:
                self._look_for_moves(facility, room)

    def _look_for_moves(self, facility: str, room: Room) -> None:
        with self._guard:
            subjects, room.subjects = room.subjects, set()
        try:
            moved = self._back.moved(facility, subjects)
        except Problem:
            with self._guard:
                room.subjects |= subjects
            raise
        with self._guard:
            room.move(moved)
            if room.stale:
                self._todo.setdefault(facility, {}).update(room.stale)

    def _poll(self) -> None:
        """Finds what nobody told this process of."""
        if time.monotonic() < self._poll_due:
            return
        self._poll_due = time.monotonic() + POLL_SECONDS
        stands = self._back.stands(self._clock.now())
        for facility, room in self._open_rooms():
            if facility in stands and room.polled is not None:
                self._catch_up(facility, room, room.polled, stands[facility])

    def _catch_up(self, facility: str, room: Room, polled: Position, stand: Stand) -> None:
        missed: dict[str, int] = {}
        if stand.at[0] != polled[0]:
            self._begin(facility, room)
            with self._guard:
                room.reopen(stand.at)
        elif stand.at > polled:
            found = self._back.touched(facility, polled[1])
            missed = {name: seq for name, seq in found.items() if room.told.get(name, -1) < seq}
        if stand.assigned != room.assigned:
            if room.assigned is not None:
                self._begin(facility, room)
            room.assigned = stand.assigned
        room.polled = stand.at
        room.told.clear()
        if missed:
            self._spread({facility: _Batch(stand.at, missed)})

    def _open_rooms(self) -> list[tuple[str, Room]]:
        with self._guard:
            return list(self._rooms.items())

    def _begin(self, facility: str, room: Room) -> None:
        """Has the scopes of all its streams read again."""
        with self._guard:
            room.reread_due = time.monotonic() + self._reread_seconds
            self._memos[facility] = {}
            self._todo[facility] = dict.fromkeys(room.streams)

    def _reread(self) -> None:
        """Reads some scopes again; the rest has its turn after what has been heard meanwhile."""
        now = time.monotonic()
        for facility, room in self._open_rooms():
            if room.reread_due <= now:
                self._begin(facility, room)
            with self._guard:
                todo = self._todo.get(facility, {})
                some = list(todo)[:SLICE]
                least = room.moved
            if some:
                memo = self._memos.setdefault(facility, {})
                sessions = [stream.session.session for stream in some]
                readings = self._back.again(facility, sessions, self._clock.now(), memo, least)
                self._apply(facility, room, some, readings)

    def _apply(self, facility: str, room: Room, some: list[Stream], readings: dict[str, Reading]) -> None:
        with self._guard:
            todo = self._todo.setdefault(facility, {})
            for stream in some:
                todo.pop(stream, None)
                reading = readings.get(stream.session.session)
                if reading is None:
                    room.dismiss(stream)
                else:
                    at, scope = reading
                    room.reread(stream, scope, at)
            todo |= room.stale
