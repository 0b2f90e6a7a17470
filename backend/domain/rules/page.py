"""docs/rules.md: how each line of the table of duty rules was read. Made from the pack and the table that it was read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from backend.domain.rules import model
from backend.domain.rules.model import Pack, Rule
from backend.domain.rules.reading import duration
from backend.domain.rules.telling import BASES, waits_for
from backend.domain.rules.wording import due, events_in_words, when, who

TABLE = Path(__file__).parent / "table.psv"
COLUMNS = ("id", "scope", "trigger", "who", "due", "repeat", "escalate", "source", "conf")
AREAS: Mapping[str, str] = {
    "A": "Admission and the first days",
    "L": "Terms of custody and release",
    "P": "Patrols, cells, shifts and the life of a day",
    "T": "Talks and the assessment of risk",
    "X": "Restraint",
    "S": "Confinement and single cells",
    "H": "Health, treatment outside, refused food",
    "I": "Incidents",
    "V": "Visits and complaints",
    "C": "Community correction",
    "Y": "Terminals, records and the log",
}
_HEAD = """\
# Rules of duty

Made by `make docs` from `backend/domain/rules/packs/*.toml` and the table that they were read from
(`backend/domain/rules/table.psv`).

Each line of the table stands below in its own words, and under it the rule or rules that it was read as. What a key of a
pack means is told in `backend/domain/rules/reading.py`, what the sorts of triggers do in `backend/domain/rules/model.py`.

* The pack stands as **to confirm** (待确认) until the facility's lawyer has signed it, which a leader enters as a record of
  the kind `rule.signature` with the pack's digest. V says that a text was read, not that it is in force today. A pack that
  has changed since, by a new version or by the facility itself, is to be confirmed again.
* **D** is a local default of ours, not law; values marked (local) are ours too, where the source says "at once" or
  nothing. A line with "ALL" holds in every type of facility that holds persons; the lines Y in community correction too.
* A facility changes a value by a record of the kind `rule.override`, from a day on. What may be changed, and which way is
  tighter, each rule says. A legal row (V) is only tightened. Of several changes of one value the tightest holds. Where a
  time is shortened below its reminder, or an interval below its least, that is shortened alike.
* Where two rules meet the shorter wins: a ward's interval of patrols is the shortest of all rules that hold in it, and a
  number that one rule gives another is laid over it only where it is shorter.
* Durations are written as in ISO 8601 and counted in full hours from the moment at which a thing happened, as its officer
  saw it; days, weeks, months and shifts begin and end by Beijing's clock. A duty is fulfilled when one of the
  events under "done by" come for the same subject; without such a list only the duty's own completion does it.
* "Who" names one duty that all the posts see; whoever of them does it closes it.
"""


def table() -> dict[str, dict[str, str]]:
    """The lines of the table by their ids."""
    rows = [line.split("|") for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]]
    return {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in rows}


def page(pack: Pack) -> str:
    """The document whole."""
    lines = table()
    parts = [_HEAD, *_numbers(pack)]
    for letter, title in AREAS.items():
        parts.append(f"\n## {letter}: {title}\n")
        parts += [_line(row, pack) for row in lines.values() if row["id"][0] == letter]
    return "\n".join(parts)


def _numbers(pack: Pack) -> Iterator[str]:
    yield f"\nPack `{pack.name}` {pack.version}, digest `{pack.digest}`.\n"
    yield "| confidence | rules | |\n|---|---|---|"
    for basis, text in BASES.items():
        yield f"| {basis.value} | {sum(rule.basis is basis for rule in pack.rules.values())} | {text.en} / {text.zh} |"
    waiting: dict[str, list[str]] = {}
    for key in sorted(pack.rules):
        if missing := waits_for(pack.rules[key], pack.rules):
            waiting.setdefault(f"{missing.en} / {missing.zh}", []).append(key)
    yield f"\n{sum(map(len, waiting.values()))} of {len(pack.rules)} rules wait for something:\n"
    yield "| what is missing | rules that wait for it |\n|---|---|"
    for missing_, rules in waiting.items():
        yield f"| {missing_} | {', '.join(rules)} |"


def _line(row: Mapping[str, str], pack: Pack) -> str:
    said = " · ".join(f"{name}: {row[name]}" for name in COLUMNS[1:])
    rules = sorted((rule for rule in pack.rules.values() if rule.row == row["id"]), key=lambda rule: rule.id)
    return "\n".join([f"### {row['id']}\n", f"> {said}\n", *(_rule(rule, pack) for rule in rules)])


def _rule(rule: Rule, pack: Pack) -> str:
    title = f"**{rule.id}** {rule.text.zh} / {rule.text.en}"
    notes = " · *local default, not law*" if rule.basis is model.Basis.LOCAL else ""
    notes += " · **waits**" if waits_for(rule, pack.rules) else ""
    told = {
        "when": when(rule),
        "who": who(rule.posts) + ("; it rings" if rule.loud else ""),
        "due": ""
        if isinstance(rule.trigger, model.Waiting | model.Kept | model.Gated) and due(rule) == "-"
        else due(rule),
        "done by": events_in_words(rule.done or ()),
        "then": "; ".join(f"{duration(rung.after)} after: {', '.join(rung.posts)}" for rung in rule.chain),
        "may be": ", ".join(f"{each.value} {each.direction}" for each in rule.tighter),
        "read as": f"{rule.reading.zh} / {rule.reading.en}",
    }
    said = [f"* {name}: {value}" for name, value in told.items() if value and not (name == "read as" and _same(rule))]
    return "\n".join([title + notes, "", *said, ""])


def _same(rule: Rule) -> bool:
    """Whether what it waits for, or what keeps it, is all that there is to say of its reading."""
    return isinstance(rule.trigger, model.Waiting | model.Kept) and rule.reading in (
        getattr(rule.trigger, "missing", None),
        getattr(rule.trigger, "how", None),
    )
