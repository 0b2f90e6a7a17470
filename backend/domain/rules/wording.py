"""A rule in words: at the command line and in docs/rules.md. Durations as ISO 8601."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from backend.domain.posts import POST_NAMES, Post
from backend.domain.rules import model
from backend.domain.rules.model import Match, Pack, Rule
from backend.domain.rules.reading import NULL, duration
from backend.domain.rules.sources import in_both
from backend.domain.rules.telling import BASES, TO_CONFIRM, changes
from backend.kernel.kind import Text


def events_in_words(matches: Iterable[Match]) -> str:
    """``talk.recorded (occasion = follow_up or request), …``"""
    return ", ".join(_event_in_words(each) for each in matches)


def _event_in_words(match: Match) -> str:
    facts = [f"{name} = {' or '.join(map(_word, values))}" for name, values in match.where.items()]
    return match.event + (f" ({'; '.join(facts)})" if facts else "")


def _word(value: object) -> str:
    return NULL if value is None else str(value).lower() if isinstance(value, bool) else str(value)


WHO: Mapping[str, Text] = {
    **POST_NAMES,
    Post.PROC: Text("驻所检察", "stationed procuratorate"),
    Post.SYS: Text("系统", "the server"),
}


def lines(rule: Rule, pack: Pack, own: Rule) -> list[str]:
    """A rule in words, a line each, in both languages: what ``flask rules explain`` prints."""
    source = in_both(rule.source)
    found = [
        f"{rule.id}  {rule.text.zh}",
        f"{'':<{len(rule.id)}}  {rule.text.en}",
        f"  source    {source.zh} / {source.en}  [{rule.basis.value}: {BASES[rule.basis].zh} / {BASES[rule.basis].en}]",
        f"  pack      {pack.name} {pack.version}, in force from {rule.effective.isoformat()}: {pack.signed or _unsigned()}",
        f"  scope     {', '.join(sorted(rule.scope))}",
        f"  who       {who(rule.posts)}" + ("; it rings" if rule.loud else ""),
        f"  when      {when(rule)}",
        f"  due       {due(rule)}",
    ]
    if rule.done is not None:
        found.append(f"  done by   {events_in_words(rule.done)}")
    found += [f"  then      {duration(rung.after)} after it was due: {who(rung.posts)}" for rung in rule.chain]
    found += [f"  may be    {each.value} {each.direction}" for each in rule.tighter]
    for value, change in changes(own, rule).items():
        found.append(f"  changed   {value}: {change['own']} by the product, {change['here']} here")
    return [*found, f"  reading   {rule.reading.zh}", f"            {rule.reading.en}"]


def _unsigned() -> str:
    return f"{TO_CONFIRM.zh} / {TO_CONFIRM.en}"


def who(posts: Iterable[str]) -> str:
    """Posts with their names: ``DISC (管教岗, cell officer)``."""
    return ", ".join(f"{post} ({WHO[post].zh}, {WHO[post].en})" for post in map(str, posts))


def due(rule: Rule) -> str:
    """How long there is, in words."""
    trigger, local = rule.trigger, " (local)" if rule.local & {"within", "until"} else ""
    ends = [] if rule.within is None else [f"within {duration(rule.within)}{local}"]
    ends += [] if rule.until is None else [f"by the end of the {rule.until.value}{local}"]
    if isinstance(trigger, model.Counted):
        ends.append(f"by the end of the {trigger.period.value}")
    if isinstance(trigger, model.Before):
        ends.append("at that moment")
    if isinstance(trigger, model.Windows):
        ends.append("by the end of each window")
    said = ", ".join(ends) or "-"
    said += "" if rule.warn is None else f"; reminded after {duration(rule.warn)}"
    return said + ("" if rule.repeats is None else f"; asked again every {duration(rule.repeats)}")


def when(rule: Rule) -> str:
    """Its trigger in words."""
    teller = _WHEN[type(rule.trigger)]
    return teller(rule.trigger)


def _on_event(of: Any) -> str:
    return f"each of {events_in_words(of.on)}, for each {of.each.value}"


def _lasting(of: Any) -> str:
    ends = events_in_words(of.ends) or "nothing"
    said = f"from {events_in_words(of.begins)} to {ends}, for each {of.each.value}: once it has lasted {duration(of.after)}"
    said += "" if of.every is None else f", again {duration(of.every)} after it was done"
    return said + ("" if of.lasts is None else f", for {duration(of.lasts)} at most")


def _before(of: Any) -> str:
    ends = f", unless {events_in_words(of.ends)}" if of.ends else ""
    return f"{duration(of.lead)} before the moment `{of.moment}` of {events_in_words(of.on)}, for each {of.each.value}{ends}"


def _counted(of: Any) -> str:
    what = f"times {events_in_words(of.on)}" if of.sum is None else f"{of.sum} of {events_in_words(of.on)} in all"
    whole = f", counted from {events_in_words(of.begins)} to {events_in_words(of.ends)}" if of.begins else ""
    least = f"fewer than {of.least} {what}"
    return f"{least}, {duration(of.by)} into each {of.period.value}, for each {of.each.value}{whole}"


def _scheduled(of: Any) -> str:
    drawn = f", at a moment drawn within {duration(of.spread)} after that" if of.spread else ""
    return f"{duration(of.at)} into each {of.period.value}, for each {of.each.value}{drawn}"


def _windows(of: Any) -> str:
    where = f"wards with {' or '.join(of.risks)}" if of.risks else "every ward"
    return f"windows from {duration(of.least)} to {duration(of.most)} apart, staggered, in {where}; the shortest interval wins"


def _gated(of: Any) -> str:
    return f"refused where it is planned, by {', '.join(of.kinds)}"


_WHEN: Mapping[type[Any], Callable[[Any], str]] = {
    model.OnEvent: _on_event,
    model.Lasting: _lasting,
    model.Before: _before,
    model.Counted: _counted,
    model.Scheduled: _scheduled,
    model.Windows: _windows,
    model.Gated: _gated,
    model.Waiting: lambda of: f"waits for: {of.missing.zh} / {of.missing.en}",
    model.Gives: lambda of: f"gives {of.to} its time",
    model.Kept: lambda of: f"always: {of.how.zh} / {of.how.en}",
}
