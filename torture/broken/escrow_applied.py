"""What a revoked terminal hands in takes effect."""

from dataclasses import replace

from sync.judging.plan import Planner
from torture.broken import instead


def _make(real):
    def judge(self, origin, operation, **rest):
        return real(self, replace(origin, evacuated=False), operation, **rest)

    return judge


instead(Planner, "_judge", _make)
