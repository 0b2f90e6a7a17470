"""Removals are never listed in a pull."""

from sync.reading.pull import Puller
from torture.broken import instead


def _make(real):
    def read(self, connection, facility, group, limit):
        for due, cursor, bodies in real(self, connection, facility, group, limit):
            yield due, cursor, [body for body in bodies if b'"state":"removed"' not in body]

    return read


instead(Puller, "_read", _make)
