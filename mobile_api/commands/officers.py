"""``flask officers``: wards and rights of officers from the server's own console."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask.cli import AppGroup

from backend.identity import assignments, officers
from backend.identity.assignments import Assignments
from backend.identity.officers import UnknownOfficer
from backend.kernel.clock import to_text
from backend.storage.door import UnknownFacility
from mobile_api.commands.plainly import plainly
from mobile_api.services import services

CONSOLE = "console"
group = AppGroup("officers", help="Wards and rights of officers.")


def _do(facility: str, number: str, act: Callable[[str], None]) -> None:
    """Does something for the officer of a number; says so in a sentence when there is none."""
    try:
        act(officers.by_number(services().store, facility, number))
    except UnknownFacility:
        raise click.ClickException(f"there is no facility {facility}") from None
    except UnknownOfficer:
        raise click.ClickException(f"there is no officer {number} in {facility}") from None


@group.command("assign")
@click.argument("facility")
@click.argument("number")
@click.argument("place")
@plainly
def assign(facility: str, number: str, place: str) -> None:
    """Give the officer of NUMBER in FACILITY a PLACE (its id) with all that is in it."""
    _do(facility, number, lambda officer: assignments.assign(services().door, facility, officer, place, CONSOLE))
    click.echo(f"{number} is responsible for {place}")


@group.command("unassign")
@click.argument("facility")
@click.argument("number")
@click.argument("place")
@plainly
def unassign(facility: str, number: str, place: str) -> None:
    """Take a PLACE (its id) from the officer of NUMBER in FACILITY."""
    _do(facility, number, lambda officer: assignments.unassign(services().door, facility, officer, place, CONSOLE))
    click.echo(f"{number} is not responsible for {place}")


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
    store = services().store
    with store.reading() as connection:
        found = officers.everyone(connection, facility)
        given = Assignments(store).read(connection, facility, [officer.officer for officer, _ in found])
    for officer, revoked_at in found:
        places = [each.place for each in given.get(officer.officer, []) if each.until is None]
        state = f"revoked {to_text(revoked_at)}" if revoked_at is not None else " ".join(places) or "-"
        click.echo(f"{officer.number}\t{officer.officer}\t{' '.join(officer.posts)}\t{state}")
