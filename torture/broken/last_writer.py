"""Two edits of one field: the last one to arrive wins."""

from dataclasses import replace

from sync.judging import plan
from torture.broken import instead


def _make(real):
    def meet(*rest, **named):
        return replace(real(*rest, **named), disputed={})

    return meet


instead(plan, "meet", _make)
