"""A stream names every partition that has news, whoever listens."""

from sync.streaming.rooms import Room
from sync.streaming.stream import Tidings
from torture.broken import instead


def _make(real):
    def spread(self, at, partitions, alarms=()):
        real(self, at, partitions, alarms)
        for stream in self.streams:
            stream.mailbox.tell(Tidings(at, frozenset(partitions)))

    return spread


instead(Room, "spread", _make)
