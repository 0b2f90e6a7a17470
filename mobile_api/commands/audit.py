"""``flask audit``: verify the log, export evidence, verify a bundle of it."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from flask.cli import AppGroup

from backend.audit import witness
from backend.audit.evidence.export import Damaged, export
from backend.audit.evidence.order import NothingThere, Who, order
from backend.audit.evidence.scope import chosen
from backend.audit.evidence.told import sentence
from backend.audit.evidence.verify import pin_of
from backend.audit.evidence.verify import verify as verify_bundle
from backend.audit.verify import Broken, verify
from backend.identity import facilities, officers
from backend.storage.door import UnknownFacility
from mobile_api.commands.plainly import plainly
from mobile_api.evidence import EXPORTERS, keys
from mobile_api.services import services

group = AppGroup("audit", help="The Merkle log, and evidence from it.")


@group.command("verify")
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@click.option("--facility", help="One facility; all of them if left out.")
@click.option("--key", help="With a bundle: the server's key as you know it, its thumbprint or JWK.")
def verify_command(bundle: Path | None, facility: str | None, key: str | None) -> None:
    """Check every leaf, head, chain, operation and version; name the first thing that is wrong and exit 1.

    With a BUNDLE: check that file by itself (also: python -m backend.audit.evidence BUNDLE, without an installation).
    """
    if bundle is not None:
        _verify_bundle(bundle, key)
        return
    here = services()
    ring = here.keyring.heads
    names = [facility] if facility else [each.facility for each in facilities.everyone(here.store)]
    for name in names:
        try:
            held = verify(here.store, name, ring, witness.recall(here.settings.data / "witness", name))
        except Broken as broken:
            click.echo(f"{name}: BROKEN: {broken}")
            sys.exit(1)
        except LookupError:
            raise click.ClickException(f"there is no facility {name}") from None
        click.echo(
            f"{name}: epoch {held.epoch} holds: {held.leaves} leaves, {held.operations} operations, "
            f"{held.versions} versions, {held.heads} heads; root {held.root}"
        )


def _verify_bundle(bundle: Path, key: str | None) -> None:
    try:
        pin = None if key is None else pin_of(key)
        click.echo(sentence(verify_bundle(bundle, pin), pinned=pin is not None))
    except Broken as broken:
        click.echo(f"BROKEN: {broken}")
        sys.exit(1)
    except (ValueError, KeyError, TypeError):
        raise click.ClickException("the key is neither a thumbprint nor a JWK") from None


@group.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--facility", required=True)
@click.option("--all", "all_", is_flag=True, help="Everything.")
@click.option("--person", help="All that is kept of one person: his record's id.")
@click.option("--terminal", help="All that one terminal sent: its id.")
@click.option("--since", help="What happened from this moment on (RFC 3339, UTC, milliseconds).")
@click.option("--until", help="What happened before this moment.")
@click.option("--reason", required=True, help="Why: it stands in the log for ever.")
@click.option("--by", required=True, help="Number of the officer who takes it out: an auditor, procurator or director.")
@plainly
def export_command(file: Path, facility: str, reason: str, by: str, **scope: str | bool | None) -> None:
    """Write an evidence bundle: one SQLite FILE that is checked without this installation."""
    here = services()
    try:
        if file.exists():
            raise click.ClickException(f"there is already a file {file}")
        asked = chosen(**scope)  # type: ignore[arg-type]
        ordered = order(here.door, Who(facility, _exporter(facility, by)), asked, reason)
        size = export(here.store, keys(here, facility), ordered, file)
    except UnknownFacility:
        raise click.ClickException(f"there is no facility {facility}") from None
    except NothingThere:
        raise click.ClickException(f"{facility} has not what is asked for") from None
    except (ValueError, Damaged, OSError) as fault:
        raise click.ClickException(str(fault)) from None
    click.echo(f"{file}: {size} bytes; export {ordered.export} stands in the log as leaf {ordered.leaf}")


def _exporter(facility: str, number: str) -> str:
    """The id of an officer who may take evidence out."""
    if facility not in {each.facility for each in facilities.everyone(services().store)}:
        raise UnknownFacility(facility)
    with services().store.reading() as connection:
        known = {each.number: (each, revoked) for each, revoked in officers.everyone(connection, facility)}
    if number not in known:
        raise click.ClickException(f"there is no officer {number} in {facility}")
    officer, revoked_at = known[number]
    if revoked_at is not None or not {*EXPORTERS} & {*officer.posts}:
        raise click.ClickException(f"{number} may not take evidence out")
    return officer.officer
