"""A pull: the rows of a scope after the caller's cursors, from one consistent view (docs/protocol.md §7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, select

from backend.identity.officers import Officer
from backend.identity.scopes import Scopes
from backend.kernel import failpoints
from backend.kernel.clock import to_text
from backend.storage import tables
from backend.storage.engine import Store

MOST_ROWS = 2000
_P, _R, _F = tables.partitions.c, tables.records.c, tables.facilities.c


class News(NamedTuple):
    """A partition that has rows after the caller's cursor; sorts into the order in which partitions are given."""

    cursor: int
    partition: str
    newest: int
    records: int


class Puller:
    """Answers pulls. Bodies are stored as they are sent, so that a page is joined, not encoded."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._scopes = Scopes(store)
        here: Any = bindparam("f")
        facility = select(_F.seq, _F.epoch, _F.head).where(_F.facility == here)
        named = store.among(_P.partition, "names")
        news = select(_P.partition, _P.seq, _P.count).where(_P.facility == here, named)
        rows = select(_R.partition, _R.seq, _R.body).where(_R.facility == here, _R.seq > bindparam("cursor"))
        whole = rows.where(store.among(_R.partition, "names")).order_by(_R.partition, _R.seq)
        part = rows.where(_R.partition == bindparam("name")).order_by(_R.seq).limit(bindparam("most"))
        self._facility, self._news, self._whole, self._part = map(store.prepare, (facility, news, whole, part))

    def pull(self, officer: Officer, cursors: Mapping[str, int], limit: int, now: int) -> bytes:
        """The answer's JSON: at most ``limit`` rows. Raises Problem ``server.busy``."""
        with self._store.reading() as connection:
            key = {"f": officer.facility}
            state = self._facility.all(connection, key)[0]
            scope = self._scopes.read(connection, officer, now)
            news = self._with_news(connection, officer.facility, scope, cursors)
            parts, more = self._page(connection, officer.facility, news, limit)
        gone = sorted(cursors.keys() - set(scope))
        begin = {"epoch": state.epoch, "at": state.seq, "more": more, "gone": gone}
        end = {"head": state.head, "time": to_text(now)}
        failpoints.hit("pull.before_send")
        return orjson.dumps(begin)[:-1] + b',"partitions":[' + b",".join(parts) + b"]," + orjson.dumps(end)[1:]

    def _with_news(
        self, connection: Connection, facility: str, scope: list[str], cursors: Mapping[str, int]
    ) -> list[News]:
        rows = self._news.tuples(connection, {"f": facility, "names": self._store.listed(scope)})
        known = cursors.get
        return sorted(
            [News(known(name, 0), name, newest, count) for name, newest, count in rows if newest > known(name, 0)]
        )

    def _page(self, connection: Connection, facility: str, news: list[News], limit: int) -> tuple[list[bytes], bool]:
        """Partitions whole while they fit, asked for together; one that may not fit is asked for alone and cut."""
        parts: list[bytes] = []
        left, rest = limit, news
        while rest and left > 0:
            group = _fitting(rest, left)
            if group:
                found = self._read_whole(connection, facility, group)
            else:
                group = rest[:1]
                found, cut = self._read_part(connection, facility, group[0], left)
                if cut is not None:
                    return [*parts, _part(group[0].partition, cut, found[group[0].partition])], True
            for each in group:
                bodies = found.get(each.partition, [])
                left -= len(bodies)
                parts.append(_part(each.partition, each.newest, bodies))
            rest = rest[len(group) :]
        return parts, bool(rest)

    def _read_whole(self, connection: Connection, facility: str, group: list[News]) -> dict[str, list[bytes]]:
        names = self._store.listed(each.partition for each in group)
        asked = {"f": facility, "cursor": group[0].cursor, "names": names}
        found: dict[str, list[bytes]] = {}
        for partition, _, body in self._whole.tuples(connection, asked):
            found.setdefault(partition, []).append(body)
        return found

    def _read_part(
        self, connection: Connection, facility: str, news: News, most: int
    ) -> tuple[dict[str, list[bytes]], int | None]:
        """Up to ``most`` rows of one partition, and the cursor at which it had to be cut, if it had."""
        asked = {"f": facility, "cursor": news.cursor, "name": news.partition, "most": most}
        rows = self._part.tuples(connection, asked)
        last = rows[-1][1] if len(rows) == most else news.newest
        return {news.partition: [body for _, _, body in rows]}, None if last == news.newest else last


def _fitting(news: list[News], left: int) -> list[News]:
    """The longest beginning of equal cursors that is sure to fit: a partition has at most ``count`` new rows."""
    fitting: list[News] = []
    for each in news:
        left -= each.records
        if left < 0 or each.cursor != news[0].cursor:
            break
        fitting.append(each)
    return fitting


def _part(partition: str, cursor: int, bodies: list[bytes]) -> bytes:
    begin = orjson.dumps({"partition": partition, "cursor": cursor})
    return begin[:-1] + b',"rows":[' + b",".join(bodies) + b"]}"
