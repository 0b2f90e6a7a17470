"""A revoked terminal is told to wipe itself as soon as everything has come, whether a backup has it or not."""

from sync.writing import leaving
from torture.broken import instead

instead(leaving, "_covered", lambda _real: lambda _transaction, _end: True)
