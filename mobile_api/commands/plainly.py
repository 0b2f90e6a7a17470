"""Problems of a command as one line on standard error, without a traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

from backend.kernel.problems import Problem

P = ParamSpec("P")
T = TypeVar("T")


def plainly(command: Callable[P, T]) -> Callable[P, T]:
    """Decorates a command: what the server would answer to a request ends it with a sentence and code 1."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except Problem as problem:
            raise click.ClickException(f"{problem.code}: {problem.entry.en} {problem.entry.zh}") from None

    return run


def printable(text: str) -> str:
    """What a device or a person typed as a name, without signs that would move the cursor of whoever reads it."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
