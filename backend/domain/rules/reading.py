"""Reads packs of rules: TOML files with a table a rule, durations as ISO 8601, nothing guessed and nothing left over.

A rule's table (``?``: may be absent)::

    [A09]                          or ["T11.grade1"]: one of several rules that a line was read as
    scope = ["KSS"]                types of facilities, or "held": those that hold persons, or "all"
    zh, en                         what is to be done, as it stands in a duty
    source, basis                  article or practice; V, P, R, M or D (model.Basis)
    effective?                     a date; else the pack's
    posts = ["DISC"]               whose duty it is
    loud? = true                   it rings
    within?, until?, warn?, repeats?   "PT24H"; day, shift, week, month; "PT18H"; "P1D"
    done? = [match, …]             "talk.recorded" or {event = "talk.recorded", where = {occasion = ["admission"]}}
    chain? = [{after = "PT0S", posts = ["LEAD"]}, …]
    tighter? = {within = "shorter"}    what a facility may change, and which way is tighter
    local? = ["within"]            values that its source does not name
    reading_zh, reading_en         how the line was read (for "waiting" and "kept" what they say themselves)
    [A09.when]
    sort = "on_event"              a trigger of model.Trigger, with its fields

A fact's value "-" stands for null. Months and years are no durations here: their length depends on the day.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import isodate

from backend.domain.posts import FACILITY_TYPES, Post
from backend.domain.rules import model
from backend.domain.rules.happenings import FACTS
from backend.domain.rules.model import Basis, Match, Pack, Rule, Rung, Tightening
from backend.kernel.ids import b64, sha256
from backend.kernel.kind import Text

FOLDER = Path(__file__).parent / "packs"
HEADER = "pack.toml"
DIRECTIONS = ("shorter", "longer", "more", "fewer")
OF_RULE = ("within", "warn", "repeats")
"""Values of a rule itself that a facility may change; the others are its trigger's."""
OF_TRIGGER = ("after", "every", "lasts", "lead", "least", "most", "by", "at", "spread")
HELD = tuple(sorted(set(FACILITY_TYPES) - {"SJ"}))
"""Types that hold persons; community correction does not."""
NULL = "-"

_E = TypeVar("_E", bound=Enum)
_T = TypeVar("_T")


class Broken(ValueError):
    """A pack that cannot be read. Its text names the file, the rule, the key and what is wrong."""


class _Table:
    """A TOML table that is read key by key; what is left over is an error."""

    def __init__(self, where: str, given: object) -> None:
        if not isinstance(given, dict):
            raise Broken(f"{where}: a table is wanted")
        self.where, self._left = where, dict(given)

    def fault(self, key: str, wrong: str) -> Broken:
        return Broken(f"{self.where}: {key}: {wrong}")

    def get(self, key: str) -> Any:
        """The value of a key that may be absent: then None."""
        return self._left.pop(key, None)

    def need(self, key: str) -> Any:
        if key not in self._left:
            raise self.fault(key, "is missing")
        return self._left.pop(key)

    def peek(self, key: str) -> Any:
        """A value that is yet to be read."""
        return self._left.get(key)

    def text(self, key: str) -> str:
        found = self.need(key)
        if not isinstance(found, str) or not found.strip():
            raise self.fault(key, "words are wanted")
        return found

    def words(self, key: str, among: Iterable[str]) -> tuple[str, ...]:
        found, known = self.need(key), set(among)
        if not isinstance(found, list) or not found or len(set(map(str, found))) < len(found):
            raise self.fault(key, "a list of different words is wanted")
        for word in found:
            if word not in known:
                raise self.fault(key, f"{word!r} is none of {', '.join(sorted(known))}")
        return tuple(found)

    def tables(self, key: str) -> list[Any]:
        found = self.get(key)
        if found is not None and not isinstance(found, list):
            raise self.fault(key, "a list is wanted")
        return found or []

    def whole(self, key: str) -> int:
        found = self.need(key)
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise self.fault(key, "a whole number is wanted")
        return found

    def span(self, key: str, *, absent: bool = False) -> int | None:
        """Milliseconds of a duration in ISO 8601."""
        found = self.get(key) if absent else self.need(key)
        if found is None:
            return None
        try:
            return milliseconds(found)
        except ValueError as fault:
            raise self.fault(key, str(fault)) from None

    def length(self, key: str) -> int:
        found = self.span(key)
        assert found is not None
        return found

    def one(self, key: str, among: type[_E], *, absent: bool = False) -> _E | None:
        found = self.get(key) if absent else self.need(key)
        if found is None:
            return None
        try:
            return among(found)
        except ValueError:
            raise self.fault(key, f"{found!r} is none of {', '.join(str(each.value) for each in among)}") from None

    def chosen(self, key: str, among: type[_E]) -> _E:
        found = self.one(key, among)
        assert found is not None
        return found

    def end(self, made: _T) -> _T:
        """Whatever was made of it, once nothing is left over."""
        if self._left:
            raise self.fault(sorted(self._left)[0], "is not known here")
        return made


def milliseconds(said: object) -> int:
    """A duration in ISO 8601 (``PT24H``, ``P7D``) in milliseconds. Raises ValueError: it is none, or has months or years."""
    try:
        found = isodate.parse_duration(said) if isinstance(said, str) else None
    except isodate.ISO8601Error:
        found = None
    if not isinstance(found, timedelta):
        raise ValueError(f"{said!r} is no duration in weeks, days, hours, minutes or seconds (ISO 8601)")
    if found < timedelta(0):
        raise ValueError(f"{said!r} is less than nothing")
    return found // timedelta(milliseconds=1)


def duration(span: int) -> str:
    """Milliseconds as ISO 8601: what ``milliseconds`` reads."""
    return str(isodate.duration_isoformat(timedelta(milliseconds=span))) if span else "PT0S"


def _matches(table: _Table, key: str) -> tuple[Match, ...]:
    return tuple(_match(f"{table.where}: {key}", each) for each in table.tables(key))


def _match(where: str, given: object) -> Match:
    if isinstance(given, str):
        given = {"event": given}
    table = _Table(where, given)
    event = table.text("event")
    if event not in FACTS:
        raise table.fault("event", f"no kind raises {event!r}")
    facts = table.get("where") or {}
    for fact, values in facts.items():
        if fact not in FACTS[event]:
            raise table.fault("where", f"{event} has no fact {fact!r}")
        if not isinstance(values, list) or not values:
            raise table.fault("where", f"{fact}: a list of values is wanted")
    read = {fact: tuple(None if value == NULL else value for value in values) for fact, values in facts.items()}
    return table.end(Match(event, read))


def _on_event(table: _Table) -> model.OnEvent:
    return model.OnEvent(_some(table, "on"), table.chosen("each", model.Each))


def _some(table: _Table, key: str) -> tuple[Match, ...]:
    found = _matches(table, key)
    if not found:
        raise table.fault(key, "at least one event is wanted")
    return found


def _lasting(table: _Table) -> model.Lasting:
    return model.Lasting(
        _some(table, "begins"), _matches(table, "ends"), table.chosen("each", model.Each), table.length("after"),
        table.span("every", absent=True), table.span("lasts", absent=True),
    )  # fmt: skip


def _before(table: _Table) -> model.Before:
    on, moment = _some(table, "on"), table.text("moment")
    if any(moment not in FACTS[each.event] for each in on):
        raise table.fault("moment", f"not all of its events have the fact {moment!r}")
    return model.Before(on, _matches(table, "ends"), table.chosen("each", model.Each), moment, table.length("lead"))


def _counted(table: _Table) -> model.Counted:
    on, total = _some(table, "on"), table.get("sum")
    if total is not None and any(total not in FACTS[each.event] for each in on):
        raise table.fault("sum", f"not all of its events have the fact {total!r}")
    return model.Counted(
        on, _matches(table, "begins"), _matches(table, "ends"), table.chosen("each", model.Each),
        table.chosen("period", model.Period), table.whole("least"), total, table.length("by"),
    )  # fmt: skip


def _scheduled(table: _Table) -> model.Scheduled:
    period, each = table.chosen("period", model.Period), table.chosen("each", model.Each)
    return model.Scheduled(period, each, table.length("at"), table.span("spread", absent=True) or 0)


def _windows(table: _Table) -> model.Windows:
    found = model.Windows(table.length("least"), table.length("most"), tuple(table.tables("risks")))
    if not 0 < found.least <= found.most:
        raise table.fault("least", "must be more than nothing and at most as long as most")
    return found


def _gated(table: _Table) -> model.Gated:
    return model.Gated(tuple(table.tables("kinds")))


def _waiting(table: _Table) -> model.Waiting:
    return model.Waiting(Text(table.text("zh"), table.text("en")))


def _kept(table: _Table) -> model.Kept:
    return model.Kept(Text(table.text("zh"), table.text("en")))


def _gives(table: _Table) -> model.Gives:
    return model.Gives(table.text("to"))


SORTS: Mapping[str, Callable[[_Table], model.Trigger]] = {
    "on_event": _on_event,
    "lasting": _lasting,
    "before": _before,
    "counted": _counted,
    "scheduled": _scheduled,
    "windows": _windows,
    "gated": _gated,
    "waiting": _waiting,
    "gives": _gives,
    "kept": _kept,
}


def _trigger(table: _Table) -> model.Trigger:
    when = _Table(f"{table.where}: when", table.need("when"))
    sort = when.text("sort")
    if sort not in SORTS:
        raise when.fault("sort", f"{sort!r} is none of {', '.join(SORTS)}")
    return when.end(SORTS[sort](when))


def _chain(table: _Table) -> tuple[Rung, ...]:
    rungs = []
    for each in table.tables("chain"):
        rung = _Table(f"{table.where}: chain", each)
        rungs.append(rung.end(Rung(rung.length("after"), rung.words("posts", Post))))
    if any(later.after < earlier.after for earlier, later in zip(rungs, rungs[1:], strict=False)):
        raise table.fault("chain", "its rungs are not in the order of their times")
    return tuple(rungs)


def _tighter(table: _Table) -> tuple[Tightening, ...]:
    found = table.get("tighter") or {}
    for value, direction in found.items():
        if value not in OF_RULE + OF_TRIGGER or direction not in DIRECTIONS:
            raise table.fault("tighter", f"{value} = {direction!r} is nothing that can be changed")
    return tuple(Tightening(value, direction) for value, direction in found.items())


def value_of(rule: Rule, name: str) -> int | None:
    """A value of a rule that a facility may change: milliseconds, or how often (``is_count``); None: it has none."""
    found = getattr(rule if name in OF_RULE else rule.trigger, name, None)
    return found if isinstance(found, int) else None


def is_count(rule: Rule, name: str) -> bool:
    """Whether the value is a number of times and no duration."""
    return name == "least" and isinstance(rule.trigger, model.Counted)


def _rule(where: str, key: str, given: object, effective: date) -> Rule:
    table = _Table(where, given)
    since = table.get("effective") or effective
    if type(since) is not date:
        raise table.fault("effective", "a date is wanted")
    trigger = _trigger(table)
    rule = Rule(
        id=key,
        scope=_scope(table),
        text=Text(table.text("zh"), table.text("en")),
        source=table.text("source"),
        basis=table.chosen("basis", Basis),
        effective=since,
        posts=table.words("posts", Post),
        loud=_flag(table, "loud"),
        trigger=trigger,
        within=table.span("within", absent=True),
        until=table.one("until", model.End, absent=True),
        warn=table.span("warn", absent=True),
        done=_matches(table, "done") or None,
        repeats=table.span("repeats", absent=True),
        chain=_chain(table),
        tighter=_tighter(table),
        reading=_reading(table, trigger),
        local=frozenset(table.tables("local")),
    )
    _sensible(table, rule)
    return table.end(rule)


def _scope(table: _Table) -> frozenset[str]:
    named = {"held": HELD, "all": FACILITY_TYPES}.get(str(table.peek("scope")))
    if named is None:
        return frozenset(table.words("scope", FACILITY_TYPES))
    table.get("scope")
    return frozenset(named)


def _reading(table: _Table, trigger: model.Trigger) -> Text:
    """Where nothing is asked yet, what the trigger says of itself is how the line was read."""
    own = {model.Waiting: "missing", model.Kept: "how"}.get(type(trigger))
    if own is None or table.peek("reading_en") is not None:
        return Text(table.text("reading_zh"), table.text("reading_en"))
    said: Text = getattr(trigger, own)
    return said


def _flag(table: _Table, key: str) -> bool:
    found = table.get(key)
    if found not in (None, True, False):
        raise table.fault(key, "true or false is wanted")
    return bool(found)


_OWN_TIME = (model.Waiting, model.Kept, model.Gated, model.Windows, model.Gives, model.Counted, model.Before)
"""Triggers that need not say how long there is: they bring it with them, or ask nothing."""


def _sensible(table: _Table, rule: Rule) -> None:
    for each in rule.tighter:
        if value_of(rule, each.value) is None:
            raise table.fault("tighter", f"the rule has no value {each.value}")
    if unknown := rule.local - {"within", "until", "warn", "repeats", "chain", *OF_TRIGGER}:
        raise table.fault("local", f"{sorted(unknown)[0]} is no value of a rule")
    if rule.within is None and rule.until is None and not isinstance(rule.trigger, _OWN_TIME):
        raise table.fault("within", "is missing, and so is until")
    if rule.warn is not None and rule.within is not None and rule.warn > rule.within:
        raise table.fault("warn", "comes after within has run out")


def read(files: Mapping[str, bytes]) -> Pack:
    """The pack that some files make: ``pack.toml`` says its name, version and date; the rest are its rules.

    Nothing has been laid over it and nobody has signed it. Raises Broken.
    """
    header = _Table(HEADER, _toml(HEADER, files.get(HEADER, b"")))
    name, version, effective = header.text("name"), header.text("version"), header.need("effective")
    if type(effective) is not date:
        raise header.fault("effective", "a date is wanted")
    header.end(None)
    rules: dict[str, Rule] = {}
    for file in sorted(set(files) - {HEADER}):
        for key, given in _toml(file, files[file]).items():
            if key in rules:
                raise Broken(f"{file}: {key}: there is a rule of this id already")
            rules[key] = _rule(f"{file}: {key}", key, given, effective)
    _referring(rules)
    digest = sha256(b"".join(sha256(file.encode()) + sha256(files[file]) for file in sorted(files)))
    return Pack(name, version, rules, None, b64(digest))


def _referring(rules: Mapping[str, Rule]) -> None:
    for rule in rules.values():
        if not isinstance(rule.trigger, model.Gives):
            continue
        to = rules.get(rule.trigger.to)
        if to is None or isinstance(to.trigger, model.Gives):
            raise Broken(f"{rule.id}: when: to: there is no rule {rule.trigger.to!r} that asks something")


def _toml(file: str, raw: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise Broken(f"{file}: {fault}") from None


def files_of(folder: Path) -> dict[str, bytes]:
    """A folder's TOML files by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.toml"))}


@cache
def base() -> Pack:
    """The pack that comes with the product, as it was written: nothing laid over it."""
    return read(files_of(FOLDER))
