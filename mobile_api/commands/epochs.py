"""``flask epoch``: open an epoch after a restore or a failover, and list them (docs/operations.md)."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from backend.audit import epochs
from backend.audit.epochs import Epoch
from backend.kernel.clock import to_text
from backend.storage.door import UnknownFacility
from mobile_api.commands.plainly import plainly
from mobile_api.services import services

group = AppGroup("epoch", help="Epochs of a facility's log.")


@group.command("open")
@click.option("--facility", required=True)
@click.option("--reason", required=True, help="Why: it stands in the log for ever.")
@click.option("--operator", required=True, help="Who does it.")
@plainly
def open_(facility: str, reason: str, operator: str) -> None:
    """End the present epoch where the database has it, and open the next; say what is proved to be lost."""
    here = services()
    try:
        opened = epochs.open_epoch(here.door, here.highwater, facility, reason, operator)
    except ValueError as fault:
        raise click.ClickException(str(fault)) from None
    except UnknownFacility:
        raise click.ClickException(f"there is no facility {facility}") from None
    click.echo(f"{facility}: epoch {opened.epoch} is open; terminals offer again what it lacks")
    for each in epochs.epochs(here.store, facility):
        _tell(each)


@group.command("list")
@click.option("--facility", required=True)
@plainly
def list_(facility: str) -> None:
    """List the epochs: where each ended, why the next was opened, what is proved to be lost."""
    try:
        found = epochs.epochs(services().store, facility)
    except LookupError:
        raise click.ClickException(f"there is no facility {facility}") from None
    for each in found:
        _tell(each)


def _tell(epoch: Epoch) -> None:
    opened = (
        "" if epoch.opened_at is None else f", opened {to_text(epoch.opened_at)} by {epoch.operator}: {epoch.reason}"
    )
    lost = f"; at least {epoch.lost} leaves lost, shown by {', '.join(epoch.shown_by)}" if epoch.lost else ""
    state = "present" if epoch.present else "ended"
    click.echo(f"epoch {epoch.epoch}: {state}, {epoch.size} leaves{opened}{lost}")
