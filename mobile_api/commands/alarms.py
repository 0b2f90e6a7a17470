"""``flask alarm``: what terminals report of heads that do not agree, and how it is settled (docs/operations.md)."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from backend.audit import alarms
from backend.kernel.clock import to_text
from backend.storage.door import UnknownFacility
from mobile_api.commands.plainly import plainly
from mobile_api.services import services

group = AppGroup("alarm", help="Alarms of terminals over the log's heads.")


@group.command("list")
@plainly
def list_() -> None:
    """List the alarms that nobody has settled: what each terminal held, and what it was shown."""
    found = alarms.everyone(services().store)
    for each in found:
        click.echo(f"{each.facility}  terminal {each.terminal}  {to_text(each.at)}  {each.body['why']}")
        for name in ("held", "shown"):
            head = each.body[name]
            signed = "signed by this server" if head["signed"] else "NOT signed by this server"
            click.echo(f"  {name:<5} epoch {head['epoch']}, {head['size']} leaves, root {head['root']}: {signed}")
    if not found:
        click.echo("no alarms")


@group.command("settle")
@click.option("--facility", required=True)
@click.option("--terminal", required=True)
@click.option("--reason", required=True, help="What was found: it stands in the log for ever.")
@click.option("--operator", required=True, help="Who settles it.")
@plainly
def settle(facility: str, terminal: str, reason: str, operator: str) -> None:
    """Say that an alarm was looked into. The terminal goes on when its holder says so."""
    try:
        alarms.settle(services().door, facility, terminal, reason, operator)
    except ValueError as fault:
        raise click.ClickException(str(fault)) from None
    except UnknownFacility:
        raise click.ClickException(f"there is no facility {facility}") from None
    except LookupError:
        raise click.ClickException(f"there is no alarm of terminal {terminal}") from None
    click.echo(f"{facility}: the alarm of terminal {terminal} is settled")
