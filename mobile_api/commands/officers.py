"""``flask officers``: officers, their wards and rights from the server's own console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from flask.cli import AppGroup

from backend.domain.posts import HELD
from backend.identity import assignments, factors, officers, staff
from backend.identity.assignments import Assignment, Assignments, Period
from backend.identity.officers import CONSOLE, UnknownOfficer
from backend.identity.staff import Candidate
from backend.kernel.clock import from_text, to_text
from backend.storage.door import UnknownFacility
from mobile_api.commands.plainly import plainly, printable
from mobile_api.services import services

POSTS = [post.value for post in HELD]
group = AppGroup("officers", help="Officers, their wards and rights.")


@contextmanager
def _known(facility: str, number: str) -> Iterator[None]:
    """Says in a sentence that there is no such facility or officer."""
    try:
        yield
    except UnknownFacility:
        raise click.ClickException(f"there is no facility {facility}") from None
    except UnknownOfficer:
        raise click.ClickException(f"there is no officer {number} in {facility}") from None


def _do(facility: str, number: str, act: Callable[[str], None]) -> None:
    """Does something for the officer of a number."""
    with _known(facility, number):
        act(officers.by_number(services().store, facility, number))


def _moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    try:
        return None if text is None else from_text(text)
    except ValueError:
        raise click.BadParameter("a time is written like 2026-11-22T03:14:15.000Z") from None


@group.command("add")
@click.argument("facility")
@click.argument("number")
@click.option("--name", required=True)
@click.option("--post", "posts", type=click.Choice(POSTS), multiple=True, required=True, help="Several are allowed.")
@click.option("--place", "places", multiple=True, help="A place (its id) that he is responsible for from now on.")
@plainly
def add(facility: str, number: str, name: str, posts: tuple[str, ...], places: tuple[str, ...]) -> None:
    """Add an officer of NUMBER to FACILITY; his temporary secret is shown once, on standard output."""
    with _known(facility, number):
        made = staff.register(services().door, facility, Candidate(number, name, posts, places), CONSOLE)
    click.echo(made.secret)
    click.echo(f"{number} is added; the secret above must be changed at the first sign-in", err=True)


@group.command("change")
@click.argument("facility")
@click.argument("number")
@click.option("--name")
@click.option("--post", "posts", type=click.Choice(POSTS), multiple=True, help="All posts that he has from now on.")
@plainly
def change(facility: str, number: str, name: str | None, posts: tuple[str, ...]) -> None:
    """Correct the name of the officer of NUMBER in FACILITY, or give him other posts."""
    door = services().door
    _do(
        facility,
        number,
        lambda officer: staff.change(door, facility, officer, CONSOLE, name=name, posts=posts or None),
    )
    click.echo(f"{number} is changed")


@group.command("reset")
@click.argument("facility")
@click.argument("number")
@plainly
def reset(facility: str, number: str) -> None:
    """Give the officer of NUMBER in FACILITY a temporary secret, shown once on standard output; his sessions are over."""
    door = services().door
    _do(facility, number, lambda officer: click.echo(officers.reset_secret(door, facility, officer, CONSOLE)))
    click.echo("it must be changed at the next sign-in", err=True)


@group.command("assign")
@click.argument("facility")
@click.argument("number")
@click.argument("place")
@click.option("--since", callback=_moment, help="When it begins (2026-11-22T03:14:15.000Z); from now on if left out.")
@click.option("--until", callback=_moment, help="When it ends; never if left out.")
@plainly
def assign(facility: str, number: str, place: str, since: int | None, until: int | None) -> None:
    """Give the officer of NUMBER in FACILITY a PLACE (its id) with all that is in it."""
    door, period = services().door, Period(since, until)
    _do(facility, number, lambda officer: assignments.assign(door, facility, officer, place, CONSOLE, period))
    if period == assignments.ALWAYS:
        click.echo(f"{number} is responsible for {place}")
    else:
        click.echo(f"{number} is responsible for {place}, {_ends(since)} to {_ends(until)}")


def _ends(moment: int | None) -> str:
    return "…" if moment is None else to_text(moment)


@group.command("unassign")
@click.argument("facility")
@click.argument("number")
@click.argument("place")
@plainly
def unassign(facility: str, number: str, place: str) -> None:
    """Take a PLACE (its id) from the officer of NUMBER in FACILITY, now and for periods that have not begun."""
    _do(facility, number, lambda officer: assignments.unassign(services().door, facility, officer, place, CONSOLE))
    click.echo(f"{number} is not responsible for {place}")


@group.command("assignments")
@click.argument("facility")
@click.argument("number")
@plainly
def assignments_(facility: str, number: str) -> None:
    """Show what the officer of NUMBER in FACILITY was, is and will be responsible for."""

    def show(officer: str) -> None:
        for each in assignments.of_officer(services().store, facility, officer):
            click.echo(f"{each.place}\t{to_text(each.since)}\t{_ends(each.until)}")

    _do(facility, number, show)


@group.command("factors")
@click.argument("facility")
@click.argument("number")
@plainly
def factors_(facility: str, number: str) -> None:
    """Show the second factors of the officer of NUMBER in FACILITY: id, sort, when added, when last used, label."""

    def show(officer: str) -> None:
        for each in factors.listed(services().store, facility, officer):
            used = "-" if each.used_at is None else to_text(each.used_at)
            click.echo(f"{each.factor}\t{each.sort}\t{to_text(each.added_at)}\t{used}\t{printable(each.label)}")

    _do(facility, number, show)


@group.command("forget-factor")
@click.argument("facility")
@click.argument("number")
@click.argument("factor")
@plainly
def forget_factor(facility: str, number: str, factor: str) -> None:
    """Take away a second factor (its id) that the officer of NUMBER in FACILITY has lost; he adds another himself."""

    def forget(officer: str) -> None:
        try:
            factors.remove(services().door, facility, factor, CONSOLE, officer)
        except LookupError:
            raise click.ClickException(f"{number} has no second factor {factor}") from None

    _do(facility, number, forget)
    click.echo(f"the second factor {factor} is taken from {number}")


@group.command("revoke")
@click.argument("facility")
@click.argument("number")
@plainly
def revoke(facility: str, number: str) -> None:
    """End all rights of the officer of NUMBER in FACILITY; his sessions are over."""
    _do(facility, number, lambda officer: assignments.revoke(services().door, facility, officer, CONSOLE))
    click.echo(f"{number} is revoked")


@group.command("list")
@click.argument("facility")
def list_(facility: str) -> None:
    """Show the officers of FACILITY: number, id, posts, and the places that each has now."""
    here = services()
    now = here.clock.now()
    with here.store.reading() as connection:
        found = officers.everyone(connection, facility)
        given = Assignments(here.store).read(connection, facility, [officer.officer for officer, _ in found])
    for officer, revoked_at in found:
        places = [each.place for each in given.get(officer.officer, []) if _lasts(each, now)]
        state = f"revoked {to_text(revoked_at)}" if revoked_at is not None else " ".join(sorted(set(places))) or "-"
        click.echo(f"{officer.number}\t{officer.officer}\t{' '.join(officer.posts)}\t{state}")


def _lasts(given: Assignment, now: int) -> bool:
    return given.since <= now and (given.until is None or given.until > now)
