"""Every fifth operation leaves no leaf in the log."""

from sync.judging.ledger import Ledger
from torture.broken import instead


def _make(real):
    def leaf(self, origin, operation, *rest):
        real(self, origin, operation, *rest)
        if operation.frame.n % 5 == 0 and len(self.rows.leaves) > 1:
            self.rows.leaves.pop()

    return leaf


instead(Ledger, "_leaf", _make)
