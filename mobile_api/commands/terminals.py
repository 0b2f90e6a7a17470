"""``flask terminals``: one-time codes from the server's own console."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from backend.identity import terminals
from backend.kernel.clock import to_text
from backend.storage.door import UnknownFacility
from mobile_api.services import services

group = AppGroup("terminals", help="Enrolment.")


@group.command("code")
@click.argument("facility")
def code(facility: str) -> None:
    """Make a one-time code that enrols one terminal in FACILITY."""
    try:
        made, expires = terminals.make_code(services().door, facility, "console")
    except UnknownFacility:
        raise click.ClickException(f"there is no facility {facility}") from None
    click.echo(f"{made}")
    click.echo(f"valid once, until {to_text(expires)}", err=True)
