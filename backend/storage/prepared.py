"""Statements of the hot path, compiled once.

SQLAlchemy Core writes the SQL and owns the transaction. Its text is then run by the driver on the connection of that
transaction: a statement costs 5 µs instead of 60, and a push of one record has fifteen (docs/bench.md).
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Table, insert
from sqlalchemy.sql import ClauseElement

Parameters = Mapping[str, Any]


class Prepared:
    """One statement for one dialect, run with named parameters. Values pass to and from the driver as they are.

    Errors are the driver's own; ``Store.writing`` and ``Store.reading`` translate them.
    """

    def __init__(self, statement: ClauseElement, dialect: Dialect, columns: Sequence[str] | None = None) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(columns) if columns else None)
        self._sql = str(compiled)
        fixed = {name: bound.effective_value for bound, name in compiled.bind_names.items() if not bound.required}
        self._arrange = _arranger(compiled.positiontup, fixed)
        self._row = _row_type([entry.keyname for entry in getattr(compiled, "_result_columns", ())])

    def _execute(self, connection: Connection, parameters: Parameters) -> Any:
        cursor = connection.connection.cursor()
        cursor.execute(self._sql, self._arrange(parameters))
        return cursor

    def all(self, connection: Connection, parameters: Parameters) -> list[Any]:
        """All rows, as named tuples."""
        cursor = self._execute(connection, parameters)
        try:
            return list(map(self._row, cursor.fetchall()))
        finally:
            cursor.close()

    def tuples(self, connection: Connection, parameters: Parameters) -> list[tuple[Any, ...]]:
        """All rows as the driver gives them, in the order of the statement's columns: for long pages."""
        cursor = self._execute(connection, parameters)
        try:
            return cast("list[tuple[Any, ...]]", cursor.fetchall())
        finally:
            cursor.close()

    def first(self, connection: Connection, parameters: Parameters) -> Any | None:
        """The first row as a named tuple, if there is any."""
        cursor = self._execute(connection, parameters)
        try:
            row = cursor.fetchone()
            return None if row is None else self._row(row)
        finally:
            cursor.close()

    def run(self, connection: Connection, parameters: Parameters) -> None:
        """Executes once."""
        self._execute(connection, parameters).close()

    def many(self, connection: Connection, rows: Iterable[Parameters]) -> None:
        """Executes for each row."""
        cursor = connection.connection.cursor()
        try:
            cursor.executemany(self._sql, [self._arrange(row) for row in rows])
        finally:
            cursor.close()


def _arranger(positions: Sequence[str] | None, fixed: Parameters) -> Callable[[Parameters], Any]:
    """Named parameters → what the driver's style wants; ``fixed`` are literals of the statement itself."""
    if positions is None:
        return lambda given: {**fixed, **given}
    if not positions:
        return lambda _given: ()
    if len(positions) == 1:
        only = positions[0]
        return lambda given: (given[only],)
    pick = itemgetter(*positions)
    return (lambda given: pick({**fixed, **given})) if fixed else pick


def _row_type(columns: list[str]) -> Callable[[Iterable[Any]], Any]:
    if not columns:
        return tuple
    made: Any = namedtuple("Row", columns)  # type: ignore[misc] # noqa: PYI024 - its fields are known at run time
    return cast("Callable[[Iterable[Any]], Any]", made._make)


def insertion(table: Table, dialect: Dialect) -> Prepared:
    """An INSERT of whole rows of a table."""
    return Prepared(insert(table), dialect, [column.name for column in table.columns])
