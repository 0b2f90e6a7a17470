"""A dispute keeps who came first; later candidates are dropped."""

from sync.judging import disputes
from torture.broken import instead


def _make(_real):
    def opened(record, kind, server, candidate):
        emptied = {**candidate, "fields": {}, "seen": {}}
        return {
            "record": record, "kind": kind, "state": "open", "server": dict(server), "candidates": [emptied],
            "settlements": [],
        }  # fmt: skip

    return opened


instead(disputes, "opened", _make)
