"""One module a folder of ``backend/records``: whatever the contract suite must know of a kind to prove it.

A module's ``SAMPLES`` are found here, as kinds are by ``backend.records.registry``. A kind without one fails the suite,
unless ``sync`` itself judges its verbs.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from backend.kernel.kind import Kind, Verb, by_sync
from backend.records.registry import kinds
from headless.chain import rfc3339, uuid7
from headless.patrol import BY_SESSION
from headless.terminal import Terminal
from tests.support.confirming import signed_at
from tests.support.world import SECRET, World

Doc = dict[str, Any]


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

    def now(self) -> str:
        """The terminal's time."""
        return rfc3339(self.terminal.clock.now())

    def officer(self) -> str:
        """Who is signed in at the terminal."""
        assert self.terminal.session is not None
        return self.terminal.session.officer

    def first(self, name: str, kind: str, verb: str, fields: dict[str, Any]) -> None:
        """Captures a record that the sample needs."""
        self.made[name] = uuid7()
        self.needed.append(self.terminal.capture(kind, verb, self.made[name], fields))


Fields = Callable[[Stage], dict[str, Any]]
Effect = Callable[[Stage, Doc, dict[str, Any]], Doc]
"""(stage, document before, fields) → the document after."""


def _nothing(_stage: Stage) -> None:
    """For samples that need no other record."""


def _as_said(_stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    """What creates and edits says the document's own fields."""
    return doc | fields


@dataclass(frozen=True)
class Wrong:
    """Fields that are refused: ``verb`` with ``fields`` gives problem ``code`` at ``field``. With ``operation.held`` they are
    not, but wait for a record that nobody has seen yet."""

    what: str
    verb: str
    fields: Fields
    code: str
    field: str | None


@dataclass(frozen=True)
class Sample:
    """How one kind is used. ``verbs``: valid fields a verb, the one that creates first. ``outsider``: who is given records,
    but not this one; None: all who are given any are given it.

    ``stories``: orders in which verbs follow each other on one record (none: all of them, in their order); ``makes``: what
    a verb makes of the document where that is not its fields laid over it; ``passes``: milliseconds that go by before a
    verb; ``leaves``: verbs after which nobody is given it any more; ``posts``: who may use a verb, where not all writers
    may; ``by``: whose hand a verb is in a story, where it is not the writer's. For records that are edited apart: ``apart``
    are edits that do not touch each other, ``against`` two values of one field, ``strict`` an edit of a field that touches
    safety, ``rivals`` verbs of which the second finds that the first came before it.
    """

    kind: str
    writer: str
    reader: str
    outsider: str | None
    verbs: Mapping[str, Fields]
    wrong: tuple[Wrong, ...]
    first: Callable[[Stage], None] = _nothing
    stories: tuple[tuple[str, ...], ...] = ()
    makes: Mapping[str, Effect] = field(default_factory=dict)
    passes: Mapping[str, int] = field(default_factory=dict)
    leaves: frozenset[str] = frozenset()
    posts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    by: Mapping[str, str] = field(default_factory=dict)
    apart: tuple[Fields, Fields] | None = None
    against: tuple[Fields, Fields] | None = None
    strict: Fields | None = None
    rivals: tuple[tuple[str, str], ...] = ()

    @property
    def of(self) -> Kind:
        return kinds()[self.kind]

    @property
    def creating(self) -> str:
        return next(iter(self.verbs))

    @property
    def served(self) -> frozenset[str]:
        """Verbs of the server alone, which no terminal can play."""
        return frozenset(name for name, verb in self.of.verbs.items() if verb.served)

    @property
    def editing(self) -> str | None:
        return next((name for name, verb in self.of.verbs.items() if verb.edits), None)

    @property
    def removing(self) -> str | None:
        return next((name for name, verb in self.of.verbs.items() if verb.removes), None)

    def told(self) -> tuple[tuple[str, ...], ...]:
        return self.stories or (tuple(self.verbs),)

    def before(self, verb: str) -> tuple[str, ...]:
        """What must have happened before a verb: the beginning of the first story that has it."""
        if verb in self.served:
            return (self.creating,)
        story = next(each for each in self.told() if verb in each)
        return story[: story.index(verb)]

    def hand(self, verb: str) -> str:
        """Whose hand a verb is in a story."""
        return self.by.get(verb, self.writer)

    def may(self, verb: str) -> frozenset[str]:
        return frozenset() if verb in self.served else self.posts.get(verb, self.of.writers)


def but(valid: Fields, *gone: str, **changes: Any) -> Fields:
    """Valid fields with some changed and some left out."""
    return lambda stage: {key: value for key, value in (valid(stage) | changes).items() if key not in gone}


def judged_by_sync(kind: str) -> bool:
    """Kinds that speak of other records: their tests are those of conflicts and escrow."""
    return all(verb.judge is by_sync for verb in kinds()[kind].verbs.values())


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


@dataclass
class Record:
    """A record that is being written: its documents, version by version, and the operations that made them."""

    stage: Stage
    sample: Sample
    id: str = field(default_factory=uuid7)
    docs: list[Doc] = field(default_factory=list)
    ops: list[str] = field(default_factory=list)

    @property
    def doc(self) -> Doc:
        """As it stands now; of one that was removed, as it was before."""
        return self.docs[-1] if self.docs else {}

    @property
    def removed(self) -> bool:
        return len(self.ops) > len(self.docs)

    def write(
        self,
        verb: str,
        fields: dict[str, Any] | None = None,
        *,
        base: int | None = None,
        terminal: Terminal | None = None,
        doc: Doc | None = None,
    ) -> str:
        """Captures a verb on it, as one who sees ``doc`` (else: its present one); returns the operation's id."""
        of, sample = self.sample.of.verbs[verb], self.sample
        said = sample.verbs[verb](self.stage) if fields is None else fields
        shown = {"state": "open", **(self.doc if doc is None else doc)}
        compared = of.compared(said)
        at = (0 if of.creates else len(self.ops)) if base is None else base
        return (terminal or self.stage.terminal).capture(
            sample.kind,
            verb,
            self.id,
            said,
            base=at,
            after=self.stage.needed,
            signoff=self._signoff(of, terminal or self.stage.terminal, verb, said, at),
            **({"seen": {name: shown.get(name) for name in compared}} if compared else {}),
        )

    def _signoff(
        self, of: Verb, terminal: Terminal, verb: str, said: dict[str, Any], base: int
    ) -> dict[str, Any] | None:
        if not of.confirm:
            return BY_SESSION if of.signoff else None
        return signed_at(self.stage.world, terminal, self.sample.kind, verb, self.id, base, said)

    def step(self, verb: str, fields: dict[str, Any] | None = None) -> str:
        """Captures a verb that is to take effect, and takes note of what it makes of the document."""
        stage, sample = self.stage, self.sample
        stage.world.clock.advance(sample.passes.get(verb, 0))
        self.pass_to(sample.hand(verb))
        said = sample.verbs[verb](stage) if fields is None else fields
        op = self.write(verb, said)
        self.ops.append(op)
        if not sample.of.verbs[verb].removes:
            self.docs.append(sample.makes.get(verb, _as_said)(stage, dict(self.doc), said))
        return op

    def pass_to(self, officer: str) -> None:
        """Signs another officer in at the terminal, if it is not he already."""
        stage, by = self.stage, self.sample.by
        if by and stage.officer() != stage.world.ids[officer]:
            stage.terminal.sign_in(officer, SECRET)

    def play(self, story: Iterable[str]) -> Record:
        for verb in story:
            self.step(verb)
        return self


def create(stage: Stage, sample: Sample) -> Record:
    """Captures a new record of the sample's kind."""
    return Record(stage, sample).play([sample.creating])
