"""What is wrong or remarkable in a file, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from backend.imports.table import Value
from backend.kernel.kind import Mark, Text
from backend.kernel.problems import Problem

MOST_LISTED = 1_000
"""Of errors and of warnings each; whoever has more has a wrong column, and sees it in these."""
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in one place. ``row`` as the file's own program counts it, ``column`` a title as it stands there."""

    row: int
    column: str | None
    code: str
    text: Text
    value: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """``{row, column, code, zh, en, value?, detail?}``."""
        said: dict[str, Any] = {"row": self.row, "column": self.column, "code": self.code}
        said |= {"zh": self.text.zh, "en": self.text.en}
        if self.value is not None:
            said["value"] = self.value
        return said | ({"detail": self.detail} if self.detail else {})


def of_problem(row: int, column: str | None, problem: Problem, value: Value = "") -> Finding:
    """A problem of the closed set, with the beginning of what stands in the cell."""
    text = Text(problem.entry.zh, problem.entry.en)
    shown = "、".join(value) if isinstance(value, tuple) else value if isinstance(value, str) else ""
    return Finding(row, column, problem.code, text, shown[:_SHOWN] or None, problem.detail)


def of_mark(row: int, column: str | None, mark: Mark, text: Text) -> Finding:
    """What a kind finds remarkable: the record will bear this mark."""
    return Finding(row, column, mark.code, text)


@dataclass(slots=True)
class Findings:
    """Errors, which stop an import, and warnings, which do not; all are counted, the first ones kept."""

    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    bad: set[int] = field(default_factory=set)
    error_count: int = 0
    warning_count: int = 0

    def error(self, finding: Finding) -> None:
        """Takes an error; its row is not good."""
        self.bad.add(finding.row)
        self.error_count += 1
        if len(self.errors) < MOST_LISTED:
            self.errors.append(finding)

    def warn(self, finding: Finding) -> None:
        """Takes a warning."""
        self.warning_count += 1
        if len(self.warnings) < MOST_LISTED:
            self.warnings.append(finding)
