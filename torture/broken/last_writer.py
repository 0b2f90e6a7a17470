"""Two edits of one field: the last one to arrive wins."""

from sync.judging import plan
from sync.judging.merge import Meeting
from torture.broken import instead


def _make(real):
    def meet(*rest):
        found = real(*rest)
        return Meeting({}, found.moved, found.agreed)

    return meet


instead(plan, "meet", _make)
