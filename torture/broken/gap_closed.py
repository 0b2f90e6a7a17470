"""A gap is taken for filled: the next number wanted lies behind it."""

from dataclasses import replace

from sync.writing.chains import Chains
from torture.broken import instead


def _make(real):
    def advance(self, transaction, jobs, parts):
        told = real(self, transaction, jobs, parts)
        for at, (standing, job, part) in enumerate(zip(told, jobs, parts, strict=True)):
            if standing is not None and standing.missing:
                top = max(part.end.top_n, job.operations(part.end)[-1].frame.n)
                told[at] = replace(standing, next=top + 1, missing=[])
        return told

    return advance


instead(Chains, "advance", _make)
