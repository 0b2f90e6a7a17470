"""What stands behind a refused operation in a push is refused with it."""

from backend.kernel.problems import Problem
from sync.judging.plan import Planner
from sync.judging.verdict import refused
from torture.broken import instead

_stopped: set[tuple[str, int]] = set()


def _take(real):
    def take(self, origin, operations, **rest):
        _stopped.discard((origin.terminal, id(self)))
        return real(self, origin, operations, **rest)

    return take


def _judge(real):
    def judge(self, origin, operation, **rest):
        key = (origin.terminal, id(self))
        if key in _stopped:
            return refused(Problem("field.invalid", "op"))
        verdict = real(self, origin, operation, **rest)
        if verdict.status in ("rejected", "quarantined"):
            _stopped.add(key)
        return verdict

    return judge


instead(Planner, "take", _take)
instead(Planner, "_judge", _judge)
