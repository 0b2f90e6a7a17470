"""``flask keys``: list, rotate, back up and restore the server's keys (docs/operations.md)."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import AppGroup

from backend.audit import witness
from backend.audit.log import read_head
from backend.identity import facilities, keybackup, rotation
from backend.identity.keybackup import Unreadable
from backend.kernel.keys import thumbprint
from mobile_api.commands.plainly import plainly
from mobile_api.services import Services, services

group = AppGroup("keys", help="The server's own keys.")
_PASSPHRASE = "ROUNDSMAN_PASSPHRASE"  # noqa: S105 - the name of a variable


@group.command("list")
@plainly
def list_() -> None:
    """List the keys that sign heads: which facility is at which, and what each retired one has signed last."""
    here = services()
    click.echo(f"present  {here.keyring.head.thumbprint}")
    for each in here.keyring.heads.rotations:
        click.echo(f"retired  {each.old_thumbprint}  at {each.at}, followed by {thumbprint(each.new)}")
        for facility in sorted(each.statements):
            epoch, size = each.last(facility)
            click.echo(f"         {facility}: heads up to epoch {epoch}, {size} leaves")
    for found in facilities.everyone(here.store):
        click.echo(f"facility {found.facility}  {here.keyring.heads.of(found.facility).thumbprint}")
    click.echo(f"seal     {here.keyring.seals.present.thumbprint}")


@group.command("rotate")
@plainly
def rotate() -> None:
    """Make a new key for heads, beside running servers; the old one states it, and is destroyed."""
    here = services()
    done = rotation.rotate(here.door, here.keyring.heads)
    click.echo(
        f"{done.old} is retired and destroyed; {done.new} signs: {', '.join(done.facilities) or 'no facility yet'}"
    )
    click.echo("make a new backup of the keys, and destroy those that have the old one: flask keys backup --to FILE")


@group.command("backup")
@click.option(
    "--to", "target", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A file that is not there."
)
@click.option("--passphrase", envvar=_PASSPHRASE, prompt=True, hide_input=True, confirmation_prompt=True)
@plainly
def backup(target: Path, passphrase: str) -> None:
    """Write all keys into one file, encrypted with a passphrase; keep both apart from the copies of the database."""
    try:
        names = keybackup.make(services().settings.data / "keys", target, passphrase)
    except FileExistsError:
        raise click.ClickException(f"{target} is there already") from None
    except (ValueError, OSError) as fault:
        raise click.ClickException(str(fault)) from None
    click.echo(f"{target}: {', '.join(names)}")


@group.command("restore")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--passphrase", envvar=_PASSPHRASE, prompt=True, hide_input=True)
@plainly
def restore(source: Path, passphrase: str) -> None:
    """Bring the keys of a backup (SOURCE) back, with the server stopped. Keys that have signed anything here stay."""
    here = services()
    signed = _signed(here)
    if signed:
        raise click.ClickException(f"the keys that are here have signed the log of {signed}: they are not overwritten")
    try:
        names = keybackup.restore(here.settings.data / "keys", source, passphrase)
    except (Unreadable, OSError) as fault:
        raise click.ClickException(str(fault)) from None
    click.echo(f"restored: {', '.join(names)}")


def _signed(here: Services) -> str | None:
    """A facility of which the keys that are here have signed a head: in the database, or in a witness file."""
    heads = [(each.facility, each.head) for each in facilities.everyone(here.store)]
    heads += [(kept.facility, kept.head) for kept in witness.everything(here.settings.data / "witness")]
    for facility, head in heads:
        try:
            read_head(head, here.keyring.heads)
        except (ValueError, KeyError):
            continue
        return facility
    return None
