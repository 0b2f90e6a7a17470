"""A resend is not recognised: what was known is taken as new, and judged again."""

from sqlalchemy import delete

from backend.storage import tables
from sync.writing import chains
from torture.broken import instead

_O = tables.operations.c


def _make(real):
    def read_known(self, transaction, run):
        end = run.end
        here = (_O.facility == end.facility, _O.terminal == end.terminal, _O.incarnation == end.incarnation)
        transaction.execute(delete(tables.operations).where(*here, _O.n >= run.first, _O.n <= run.last))
        return {n: row for n, row in real(self, transaction, run).items() if n < run.first}

    return read_known


instead(chains.Chains, "_read_known", _make)
