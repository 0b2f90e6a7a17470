"""``flask facility``: found a facility and its first administrator."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from backend.domain.posts import FACILITY_TYPES, Post
from backend.identity import credentials, facilities, staff
from backend.identity.officers import NewOfficer
from backend.kernel.ids import uuid7
from backend.kernel.problems import Problem
from mobile_api.commands.plainly import plainly
from mobile_api.services import services

group = AppGroup("facility", help="Facilities of this installation.")


@group.command("found")
@click.argument("facility")
@click.option("--name", required=True)
@click.option("--type", "type_", type=click.Choice(FACILITY_TYPES), default="KSS", show_default=True)
@click.option("--admin", required=True, help="Number of the first administrator.")
@click.password_option("--secret", help="The administrator's secret; asked for if left out.")
@plainly
def found(facility: str, name: str, type_: str, admin: str, secret: str) -> None:
    """Found FACILITY (2 to 16 of A-Z 0-9 -) with an administrator who can enrol terminals."""
    here = services()
    if not staff.NUMBER.fullmatch(admin):
        raise Problem("field.invalid", "admin")
    credentials.check_strength(secret, admin)
    new = NewOfficer(uuid7(here.clock.now()), admin, admin, (Post.ADM,), secret)
    try:
        facilities.found(here.door, facility, name, type_, here.keyring.head, new)
    except facilities.FacilityExists:
        raise click.ClickException(f"{facility} exists already") from None
    except ValueError as fault:
        raise click.ClickException(str(fault)) from None
    click.echo(f"{facility} founded; administrator {admin}")


@group.command("list")
def list_() -> None:
    """List the facilities."""
    for each in facilities.everyone(services().store):
        click.echo(f"{each.facility}  {each.type}  {each.name}  epoch {each.epoch}, {each.size} leaves")
