"""What was ever in a scope stays in it: who moved away is still served."""

from backend.identity.scopes import Scopes
from torture.broken import instead

_ever: dict[str, set[str]] = {}


def _make(real):
    def read(self, connection, officer, now):
        mine = _ever.setdefault(officer.officer, set())
        mine |= set(real(self, connection, officer, now))
        return sorted(mine)

    return read


instead(Scopes, "read", _make)
