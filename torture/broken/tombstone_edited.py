"""An edit of a record that was removed brings it back."""

from dataclasses import replace

from sync.judging.plan import Planner
from torture.broken import instead


def _make(real):
    def changed(self, weighing, head, right):
        alive = replace(head, state="open") if head.state == "removed" and weighing.verb.edits else head
        return real(self, weighing, alive, right)

    return changed


instead(Planner, "_changed", _make)
