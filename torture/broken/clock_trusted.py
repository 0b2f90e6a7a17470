"""Who edited later by his device's clock wins."""

import orjson

from backend.kernel.clock import from_text
from sync.judging.plan import Planner
from torture.broken import instead


def _make(real):
    def changed(self, weighing, head, right):
        operation = weighing.operation
        if weighing.verb.edits and operation.observed_at > from_text(orjson.loads(head.body)["observed_at"]):
            object.__setattr__(operation, "seen", {name: head.doc.get(name) for name in operation.fields})
            object.__setattr__(weighing, "said", {**weighing.said, "base": head.version})
        return real(self, weighing, head, right)

    return changed


instead(Planner, "_changed", _make)
