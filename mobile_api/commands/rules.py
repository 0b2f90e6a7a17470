"""``flask rules``: the rules of duty, how each was read, and whether a pack of them can be (docs/rules.md)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click
from flask.cli import AppGroup

from backend.domain.rules import reading
from backend.domain.rules.happenings import FACTS
from backend.domain.rules.model import Pack, Rule
from backend.domain.rules.telling import BASES, TO_CONFIRM, waits_for
from backend.domain.rules.wording import lines
from backend.duty import companions
from backend.identity import facilities, officers
from backend.identity.officers import Officer
from backend.records.registry import kinds
from backend.storage.door import UnknownFacility
from mobile_api.commands.plainly import plainly
from mobile_api.services import services

group = AppGroup("rules", help="Rules of duty.")
_FACILITY = click.option("--facility", help="As it is in force there; left out: as the product brings it.")


def pack_of(facility: str | None) -> Pack:
    """The pack that is in force in a facility at this moment, or the product's."""
    if facility is None:
        return reading.base()
    here = services()
    try:
        with here.store.reading() as connection:
            return here.packs.in_force(connection, facility, here.clock.now())
    except UnknownFacility:
        raise click.ClickException(f"there is no facility {facility}") from None


@group.command("list")
@_FACILITY
@plainly
def list_(facility: str | None) -> None:
    """List the rules: what waits for something that is missing is marked with *."""
    pack = pack_of(facility)
    click.echo(f"{pack.name} {pack.version}  {pack.digest}  {pack.signed or TO_CONFIRM.en}")
    for rule in _in_order(pack):
        mark = "*" if waits_for(rule, pack.rules) else " "
        click.echo(f"{rule.id:<16}{mark}{rule.basis.value}  {'+'.join(rule.posts):<20} {rule.text.zh}  {rule.text.en}")


@group.command("explain")
@click.argument("rule")
@_FACILITY
@plainly
def explain(rule: str, facility: str | None) -> None:
    """Say what RULE asks, of whom and by when, what it rests on, and how its line of the table was read."""
    pack = pack_of(facility)
    found = [each for each in _in_order(pack) if rule in (each.id, each.row)]
    if rule in (steps := companions.asks()):
        text, source = steps[rule]
        click.echo(f"{rule}  {text.zh} / {text.en}\n    {source}")
        return
    if not found:
        raise click.ClickException(f"there is no rule {rule}" + (f" in force in {facility}" if facility else ""))
    for each in found:
        click.echo("\n".join(lines(each, pack, reading.base().rules[each.id])))


@group.command("due")
@click.option("--facility", help="Left out: the only one of this installation.")
@click.option("--at", "at", help="A moment as RFC 3339 text, past or to come; left out: now.")
@click.option("--for", "number", required=True, help="The officer's number.")
@plainly
def due(facility: str | None, at: str | None, number: str) -> None:
    """List what is open for an officer at a moment, each with its rule and the article behind it.

    Of a moment to come: what would be, if nothing more happened.
    """
    here = services()
    now = here.clock.now()
    facility = facility or only_one()
    try:
        moment = now if at is None else read_moment(at)
        officer = next(each for each in everyone_of(facility) if each.number == number)
        found = here.foresight.due(facility, moment, officer, now)
    except ValueError:
        raise click.ClickException(f"{at} is not a moment like 2026-11-22T03:14:15Z") from None
    except StopIteration:
        raise click.ClickException(f"there is no officer {number} in {facility}") from None
    for each in found:
        said, asks = each.said, each.said["asks"]
        what = f"{asks['zh']} / {asks['en']}" if asks else said["directive"]
        about = next((f"{sort} {said[sort]}" for sort in ("person", "place") if said[sort]), facility)
        click.echo(f"{said['due_at']}  {said['rule'] or '-':<16} {each.state:<12} {'+'.join(said['posts'])}  {about}")
        click.echo(f"    {what}")
        click.echo(f"    {said['source'] or '-'}")


def only_one() -> str:
    """The facility of an installation that has one alone."""
    every = facilities.everyone(services().store)
    if len(every) != 1:
        raise click.ClickException(f"there are {len(every)} facilities here; choose one by --facility")
    return every[0].facility


def everyone_of(facility: str) -> list[Officer]:
    """The officers of a facility; none where there is no such facility."""
    with services().store.reading() as connection:
        return [officer for officer, _ in officers.everyone(connection, facility)]


def read_moment(text: str) -> int:
    """RFC 3339 text with any offset → milliseconds. Raises ValueError."""
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError("a moment needs its offset")
    return int(read.timestamp() * 1000)


@group.command("check")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=reading.FOLDER)
@plainly
def check(folder: Path) -> None:
    """Read the pack in FOLDER (the product's, if left out) and say what is wrong with it."""
    try:
        pack = reading.read(reading.files_of(folder))
    except reading.Broken as fault:
        raise click.ClickException(str(fault)) from None
    if strange := sorted(set(FACTS) - raised()):
        raise click.ClickException(f"no kind raises {', '.join(strange)}")
    waiting = sum(waits_for(rule, pack.rules) is not None for rule in pack.rules.values())
    rows = len({rule.row for rule in pack.rules.values()})
    click.echo(
        f"{pack.name} {pack.version}: {len(pack.rules)} rules of {rows} lines, {waiting} of them wait for something"
    )
    for basis, text in BASES.items():
        click.echo(f"  {basis.value}  {sum(rule.basis is basis for rule in pack.rules.values()):>3}  {text.en}")


def raised() -> set[str]:
    """Names of all events that there are: those of kinds, of marks, and of the clock."""
    return {"record.marked", "shift.began", "day.began"}.union(*(kind.raises for kind in kinds().values()))


def _in_order(pack: Pack) -> Iterator[Rule]:
    return (pack.rules[key] for key in sorted(pack.rules))
