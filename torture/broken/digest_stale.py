"""A partition's digest forgets to take out the version before."""

from sync.writing import partitions
from torture.broken import instead

instead(partitions.Partitions, "enter", lambda real: lambda self, transaction, changes: real(
    self, transaction, [(None if before is not None and before.version % 2 else before, after) for before, after in changes]
))  # fmt: skip
