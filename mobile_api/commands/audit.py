"""``flask audit``: verify the log."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup

from backend.audit import witness
from backend.audit.verify import Broken, verify
from backend.identity import facilities
from backend.kernel.keys import load_jwk
from mobile_api.services import services

group = AppGroup("audit", help="The Merkle log.")


@group.command("verify")
@click.option("--facility", help="One facility; all of them if left out.")
def verify_command(facility: str | None) -> None:
    """Check every leaf, head, chain, operation and version; name the first thing that is wrong and exit 1."""
    here = services()
    key = load_jwk(here.keyring.head.jwk)
    names = [facility] if facility else [each.facility for each in facilities.everyone(here.store)]
    for name in names:
        try:
            held = verify(here.store, name, key, witness.recall(here.settings.data / "witness", name))
        except Broken as broken:
            click.echo(f"{name}: BROKEN: {broken}")
            sys.exit(1)
        except LookupError:
            raise click.ClickException(f"there is no facility {name}") from None
        click.echo(
            f"{name}: epoch {held.epoch} holds: {held.leaves} leaves, {held.operations} operations, "
            f"{held.versions} versions, {held.heads} heads; root {held.root}"
        )
