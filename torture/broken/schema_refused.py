"""A form that the server does not know yet is refused for good, with the rest of its push taken."""

from dataclasses import replace

from sync.judging.accept import Acceptance
from torture.broken import instead


def _make(real):
    def of_kind(self, frame, said, times):
        found = real(self, frame, said, times)
        return replace(found, status="rejected") if found.status == "unsupported" else found

    return of_kind


instead(Acceptance, "_of_kind", _make)
