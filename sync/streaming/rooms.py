"""The streams of one facility, found by partition.

Streams with the same scope stand in one group, so that a facility-wide scope of thousands of partitions is indexed
once, however many leaders listen, and news are looked up once for all of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sync.streaming.stream import SERVER, SESSION, Position, Stream, Tidings, alarm_event

Alarm = tuple[str, bytes]
"""Partition, and the row as it is sent."""
MOST_DEFERRED = MOST_RECENT = 256


@dataclass(eq=False, slots=True)
class Group:
    """Streams of one scope."""

    scope: frozenset[str]
    streams: set[Stream] = field(default_factory=set)


class Room:
    """Not guarded: the hub does that.

    A scope that was read at a position is right for all that was committed up to there. A stream whose scope was read
    before ``moved`` is *stale*: it is told news, but alarms, which carry a row, wait until its scope is read again.
    """

    def __init__(self) -> None:
        self.heard: Position = (0, 0)
        """The newest position of which this process has told its streams."""
        self.polled: Position | None = None
        self.told: dict[str, int] = {}
        """Partition → up to where it was told since the last look at the store."""
        self.subjects: set[str] = set()
        """Persons and places with news whose own record may have changed: not yet looked at."""
        self.moved: Position = (0, 0)
        self.stale: dict[Stream, None] = {}
        self.assigned: object = None
        self.reread_due = 0.0
        self._groups: dict[frozenset[str], Group] = {}
        self._index: dict[str, set[Group]] = {}
        self._of: dict[Stream, Group] = {}
        self._by_terminal: dict[str, Stream] = {}
        self._deferred: list[Alarm] = []
        self._recent: deque[tuple[Position, frozenset[str]]] = deque(maxlen=MOST_RECENT)

    @property
    def streams(self) -> list[Stream]:
        return list(self._of)

    def of_terminal(self, terminal: str) -> Stream | None:
        return self._by_terminal.get(terminal)

    def covers(self, at: Position) -> bool:
        """Whether it is known what was told after a position."""
        return self.heard <= at or len(self._recent) < MOST_RECENT or self._recent[0][0] <= at

    def enter(self, stream: Stream, scope: frozenset[str], read_at: Position) -> None:
        """A new stream, with the news since its scope was read, which ``covers`` knows; one that its terminal had ends."""
        before = self._by_terminal.get(stream.session.terminal)
        if before is not None:
            before.mailbox.end(SERVER)
        self._by_terminal[stream.session.terminal] = stream
        self._join(stream, scope)
        self.heard = max(self.heard, read_at)  # news of other processes may be behind what the stream is greeted with
        stream.read_at = read_at
        if read_at < self.moved:
            self.stale[stream] = None
        missed = {name for at, names in self._recent if at > read_at for name in names & scope}
        if missed:
            stream.mailbox.tell(Tidings(self.heard, frozenset(missed)))

    def dismiss(self, stream: Stream) -> None:
        """Its session is over."""
        stream.mailbox.end(SESSION)
        self.stale.pop(stream, None)

    def leave(self, stream: Stream) -> None:
        """Does nothing for one that has left."""
        if self._by_terminal.get(stream.session.terminal) is stream:
            del self._by_terminal[stream.session.terminal]
        self.stale.pop(stream, None)
        self._part(stream)

    def reread(self, stream: Stream, scope: frozenset[str], read_at: Position) -> None:
        """A stream's scope, read again: it is told if it has changed, and gets the alarms that waited for this."""
        if stream not in self._of:
            return
        if scope != self._of[stream].scope:
            self._part(stream)
            self._join(stream, scope)
            stream.mailbox.change_scope()
        stream.read_at = read_at
        if read_at < self.moved:
            return
        waited = stream in self.stale
        self.stale.pop(stream, None)
        if waited and (mine := [each for each in self._deferred if each[0] in scope]):
            names = frozenset(partition for partition, _ in mine)
            stream.mailbox.tell(Tidings(self.heard, names), [alarm_event(*each) for each in mine])
        if not self.stale:
            self._deferred.clear()

    def move(self, at: Position) -> None:
        """A person or place changed at this position: scopes read before are stale."""
        if at > self.moved:
            self.moved = at
            self.stale |= {stream: None for stream in self._of if stream.read_at < at}

    def reopen(self, at: Position) -> None:
        """A new epoch: everyone pulls, and learns of it there."""
        self.move(at)
        self.heard = max(self.heard, at)
        for stream in self._of:
            stream.mailbox.change_scope()

    def spread(self, at: Position, partitions: Collection[str], alarms: Sequence[Alarm] = ()) -> None:
        """Tells those whose scope it touches."""
        self.heard = max(self.heard, at)
        self._recent.append((at, frozenset(partitions)))
        touched: dict[Group, set[str]] = {}
        for partition in partitions:
            for group in self._index.get(partition, ()):
                touched.setdefault(group, set()).add(partition)
        encoded = [(partition, alarm_event(partition, row)) for partition, row in alarms]
        for group, names in touched.items():
            tidings = Tidings(self.heard, frozenset(names))
            rows = [event for partition, event in encoded if partition in group.scope]
            for stream in group.streams:
                stream.mailbox.tell(tidings, () if stream in self.stale else rows)
        if self.stale and alarms:
            self._deferred = [*self._deferred, *alarms][-MOST_DEFERRED:]

    def _join(self, stream: Stream, scope: frozenset[str]) -> None:
        group = self._groups.get(scope)
        if group is None:
            group = self._groups[scope] = Group(scope)
            for partition in scope:
                self._index.setdefault(partition, set()).add(group)
        group.streams.add(stream)
        self._of[stream] = group

    def _part(self, stream: Stream) -> None:
        group = self._of.pop(stream, None)
        if group is None:
            return
        group.streams.discard(stream)
        if not group.streams:
            del self._groups[group.scope]
            for partition in group.scope:
                holders = self._index[partition]
                holders.discard(group)
                if not holders:
                    del self._index[partition]
