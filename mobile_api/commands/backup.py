"""``flask backup``: copy an embedded store, and prove that a copy can be restored (docs/operations.md)."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import AppGroup

from backend.audit import backups
from backend.audit.backups import Unfit
from backend.storage.engine import sqlite_url
from mobile_api.commands.plainly import plainly
from mobile_api.services import services

group = AppGroup("backup", help="Backups.")


@group.command("make")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file that is not there yet.",
)
@plainly
def make(target: Path) -> None:
    """Copy the embedded store into a file, as it is at one moment, beside a server under load."""
    try:
        size = backups.make(services().store, target)
    except FileExistsError:
        raise click.ClickException(f"{target} is there already") from None
    except (ValueError, OSError) as fault:
        raise click.ClickException(str(fault)) from None
    click.echo(f"{target}: {size} bytes; it counts once it is confirmed: flask backup confirm {target}")


@group.command("confirm")
@click.argument("copy")
@plainly
def confirm(copy: str) -> None:
    """Read a COPY back (a file, or the URL of a database), verify all of it, and let terminals forget what it covers."""
    here = services()
    url = copy if "://" in copy else sqlite_url(Path(copy).resolve())
    try:
        found = backups.confirm(here.door, here.keyring.heads, url)
    except Unfit as unfit:
        raise click.ClickException(str(unfit)) from None
    for each in found:
        held = each.verified
        click.echo(
            f"{held.facility}: epoch {held.epoch}, {held.size} leaves, {held.operations} operations hold; "
            f"{len(each.safe)} terminals may forget what has its outcome"
        )
