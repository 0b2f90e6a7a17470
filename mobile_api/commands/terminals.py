"""``flask terminals``: one-time codes and revocation from the server's own console."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from backend.identity import terminals
from backend.kernel.clock import to_text
from backend.storage.door import UnknownFacility
from mobile_api.services import services

CONSOLE = "console"
group = AppGroup("terminals", help="Enrolment and revocation.")


@group.command("code")
@click.argument("facility")
def code(facility: str) -> None:
    """Make a one-time code that enrols one terminal in FACILITY."""
    try:
        made, expires = terminals.make_code(services().door, facility, CONSOLE)
    except UnknownFacility:
        raise click.ClickException(f"there is no facility {facility}") from None
    click.echo(f"{made}")
    click.echo(f"valid once, until {to_text(expires)}", err=True)


@group.command("revoke")
@click.argument("facility")
@click.argument("terminal")
def revoke(facility: str, terminal: str) -> None:
    """Revoke TERMINAL (its id) in FACILITY: it hands in its queue, and does nothing else."""
    try:
        terminals.revoke(services().door, facility, terminal, CONSOLE)
    except UnknownFacility:
        raise click.ClickException(f"there is no facility {facility}") from None
    except terminals.UnknownTerminal:
        raise click.ClickException(f"there is no terminal {terminal} in {facility} that could be revoked") from None
    click.echo(f"{terminal} is revoked")
