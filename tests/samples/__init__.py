"""One module a folder of ``backend/records``: whatever the contract suite must know of a kind to prove it.

A module's ``SAMPLES`` are found here, as kinds are by ``backend.records.registry``. A kind without one fails the suite.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from backend.records.registry import kinds
from headless.chain import rfc3339, uuid7
from headless.patrol import BY_SESSION
from headless.terminal import Terminal
from tests.support.world import SECRET, World


@dataclass
class Stage:
    """Where a sample is played: a terminal in a world, and the records that were made first, by short names."""

    world: World
    terminal: Terminal
    made: dict[str, str] = field(default_factory=dict)
    needed: list[str] = field(default_factory=list)
    """Operations that made them: what the sample's own operations name in ``after``."""
    began: str = ""
    """The time at which it was set up."""

    def id(self, name: str) -> str:
        """The id of something by its short name."""
        return self.made[name] if name in self.made else self.world.ids[name]

    def first(self, name: str, kind: str, verb: str, fields: dict[str, Any]) -> None:
        """Captures a record that the sample needs."""
        self.made[name] = uuid7()
        self.needed.append(self.terminal.capture(kind, verb, self.made[name], fields))


Fields = Callable[[Stage], dict[str, Any]]


def _nothing(_stage: Stage) -> None:
    """For samples that need no other record."""


@dataclass(frozen=True)
class Wrong:
    """Fields that are refused: ``verb`` with ``fields`` gives problem ``code`` at ``field``."""

    what: str
    verb: str
    fields: Fields
    code: str
    field: str


@dataclass(frozen=True)
class Sample:
    """How one kind is used. ``verbs``: valid fields a verb, the one that creates first; ``doc``: what they come to."""

    kind: str
    writer: str
    reader: str
    outsider: str
    verbs: Mapping[str, Fields]
    doc: Fields
    wrong: tuple[Wrong, ...]
    first: Callable[[Stage], None] = _nothing

    @property
    def creating(self) -> str:
        return next(iter(self.verbs))


def but(valid: Fields, *gone: str, **changes: Any) -> Fields:
    """Valid fields with some changed and some left out."""
    return lambda stage: {key: value for key, value in (valid(stage) | changes).items() if key not in gone}


@cache
def samples() -> Mapping[str, Sample]:
    """All samples by kind."""
    found: dict[str, Sample] = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        for sample in importlib.import_module(f"{__package__}.{module.name}").SAMPLES:
            assert sample.kind not in found, f"two samples of {sample.kind}"
            found[sample.kind] = sample
    return found


def set_up(world: World, sample: Sample, terminal: Terminal | None = None) -> Stage:
    """A stage on which the sample's needs are captured by its writer."""
    terminal = terminal or world.terminal()
    terminal.sign_in(sample.writer, SECRET)
    stage = Stage(world, terminal, began=rfc3339(terminal.clock.now()))
    sample.first(stage)
    return stage


def write(
    stage: Stage,
    sample: Sample,
    verb: str,
    record: str,
    *,
    fields: dict[str, Any] | None = None,
    base: int | None = None,
    terminal: Terminal | None = None,
) -> str:
    """Captures one verb of the sample's kind; returns the operation's id."""
    of = kinds()[sample.kind].verbs[verb]
    return (terminal or stage.terminal).capture(
        sample.kind,
        verb,
        record,
        sample.verbs[verb](stage) if fields is None else fields,
        base=(0 if of.creates else 1) if base is None else base,
        after=stage.needed,
        signoff=BY_SESSION if of.signoff else None,
    )


def create(stage: Stage, sample: Sample) -> str:
    """Captures a new record of the sample's kind; returns its id."""
    record = uuid7()
    write(stage, sample, sample.creating, record)
    return record


def play(stage: Stage, sample: Sample) -> tuple[str, list[str]]:
    """Captures every verb of the sample's kind on one new record, in order; returns its id and the operations'."""
    record = uuid7()
    return record, [write(stage, sample, verb, record, base=at) for at, verb in enumerate(sample.verbs)]
