"""Columns by their titles in either language, and rows as what their cells say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize

from backend.imports.findings import Findings, of_problem
from backend.imports.table import Line, Table, Value, is_private
from backend.imports.words import Parser, line
from backend.kernel.problems import Problem

_SIGNS = re.compile(r"[\s*_＊（）()【】\[\]：:.]+")
"""What people put around a title: a star for what is needed, brackets, blanks."""


@dataclass(frozen=True, slots=True)
class Column:
    """``key``: its title for programs. ``titles``: how people call it. ``needed``: it is there, and no cell is empty."""

    key: str
    titles: tuple[str, ...]
    parser: Parser = line
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row that could be read: key → value, empty cells left out."""

    number: int
    said: Mapping[str, Any]


@dataclass(slots=True)
class Reader:
    """Reads a table by columns. ``named``: key → title as it stands in the file."""

    columns: Sequence[Column]
    findings: Findings
    named: dict[str, str] = field(default_factory=dict)

    def rows(self, table: Table) -> Iterator[Row]:
        """Rows without errors of their own; what is wrong goes to the findings. None at all where titles are wrong."""
        order = self._order(table)
        if self.findings.errors:
            return
        for each in table.lines:
            row = self._row(each, order)
            if row is not None:
                yield row

    def blame(self, row: int, key: str | None, problem: Problem, value: Value = "") -> None:
        """An error in a column."""
        self.findings.error(of_problem(row, self.title(key), problem, value))

    def doubt(self, row: int, key: str | None, problem: Problem, value: Value = "") -> None:
        """A warning about a column."""
        self.findings.warn(of_problem(row, self.title(key), problem, value))

    def title(self, key: str | None) -> str | None:
        """A column's title in this file, or its key where it has none."""
        return None if key is None else self.named.get(key, key)

    def _order(self, table: Table) -> list[Column | None]:
        """The column of each title; None where a title is empty."""
        known = {_plain(name): column for column in self.columns for name in (column.key, *column.titles)}
        order: list[Column | None] = []
        for title in table.titles:
            column = known.get(_plain(title))
            if column is None and title:
                self.findings.error(of_problem(table.at, title, Problem("column.unknown")))
            elif column is not None and column.key in self.named:
                self.findings.error(of_problem(table.at, title, Problem("column.repeated")))
            elif column is not None:
                self.named[column.key] = title
            order.append(column)
        for column in self.columns:
            if column.needed and column.key not in self.named:
                self.findings.error(of_problem(table.at, column.titles[0], Problem("column.missing")))
        return order

    def _row(self, given: Line, order: Sequence[Column | None]) -> Row | None:
        said: dict[str, Any] = {}
        before = self.findings.error_count
        for column, cell in zip(order, given.cells, strict=False):
            if column is not None:
                self._cell(given.number, column, cell, said)
            elif cell:
                self.findings.error(of_problem(given.number, None, Problem("row.wide"), cell))
        if len(given.cells) > len(order):
            self.findings.error(of_problem(given.number, None, Problem("row.wide"), given.cells[-1]))
        for column in self.columns:
            if column.needed and column.key not in said and self.findings.error_count == before:
                self.blame(given.number, column.key, Problem("field.missing"))
        return Row(given.number, said) if self.findings.error_count == before else None

    def _cell(self, row: int, column: Column, cell: Value, said: dict[str, Any]) -> None:
        if isinstance(cell, Problem):
            self.blame(row, column.key, cell)
            return
        if not cell:
            return
        value = column.parser(cell)
        if isinstance(value, Problem):
            self.blame(row, column.key, value, cell)
            return
        said[column.key] = value
        if any(map(is_private, (cell,) if isinstance(cell, str) else cell)):
            self.doubt(row, column.key, Problem("cell.private"), cell)


def _plain(title: str) -> str:
    return _SIGNS.sub("", normalize("NFKC", title)).casefold()
