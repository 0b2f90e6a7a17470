"""A ward's officer is given the next ward too."""

from backend.identity.scopes import Scopes
from torture.broken import instead


def _make(real):
    def everything(self, connection, officer, now):
        mine = set(real(self, connection, officer, now))
        rows = connection.exec_driver_sql("SELECT partition FROM partitions WHERE partition LIKE 'place/%'")
        return sorted(mine | {row[0] for row in rows} if mine else mine)

    return everything


instead(Scopes, "read", _make)
