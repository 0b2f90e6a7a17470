"""``flask terminals``: one-time codes, approval and revocation from the server's own console."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import AppGroup

from backend.identity import facilities, terminals
from backend.identity.officers import CONSOLE
from backend.kernel.clock import to_text
from backend.storage.door import UnknownFacility
from mobile_api import pictures
from mobile_api.commands.plainly import plainly, printable
from mobile_api.services import services

_AT_ONCE = 200
group = AppGroup("terminals", help="Enrolment, approval and revocation.")


@contextmanager
def _known(facility: str, terminal: str = "") -> Iterator[None]:
    """Says in a sentence that there is no such facility or terminal."""
    try:
        yield
    except UnknownFacility:
        raise click.ClickException(f"there is no facility {facility}") from None
    except terminals.UnknownTerminal:
        raise click.ClickException(f"there is no such terminal as {terminal} in {facility}") from None


@group.command("code")
@click.argument("facility")
@click.option("--approval", is_flag=True, help="The terminal waits until it is approved.")
@click.option("--qr", is_flag=True, help="Show it as a QR code too.")
@click.option("--server", help="https://host:port for the QR code; the public origin if left out.")
def code(facility: str, approval: bool, qr: bool, server: str | None) -> None:
    """Make a one-time code that enrols one terminal in FACILITY."""
    here = services()
    origin = server or here.settings.public_origin
    if qr and (origin is None or not pictures.fits(origin)):
        raise click.ClickException("a QR code says where the server is: give --server https://host:port")
    with _known(facility):
        made, expires = terminals.make_code(here.door, facility, CONSOLE, approved=not approval)
    click.echo(f"{made}")
    if qr and origin is not None:
        click.echo(pictures.in_terminal(pictures.enrolment(origin, made)), err=True)
    waits = "; the terminal waits for approval" if approval else ""
    click.echo(f"valid once, until {to_text(expires)}{waits}", err=True)


@group.command("list")
@click.argument("facility")
@click.option("--state", type=click.Choice(terminals.STATES), help="Those of one state alone.")
def list_(facility: str, state: str | None) -> None:
    """Show the terminals of FACILITY: id, state, fingerprint of the key, asset, and what each calls itself."""
    store, after, more = services().store, None, True
    with _known(facility):
        facilities.one(store, facility)
    while more:
        with store.reading() as connection:
            found, after = terminals.page(connection, facility, state, after, _AT_ONCE)
        for each, _ in found:
            named = f"{printable(each.asset or '-')}\t{printable(each.label)}"
            click.echo(f"{each.terminal}\t{each.state}\t{each.fingerprint}\t{named}")
        more = after is not None


@group.command("approve")
@click.argument("facility")
@click.argument("terminal")
@plainly
def approve(facility: str, terminal: str) -> None:
    """Let TERMINAL (its id) in, which waits in FACILITY. Compare its fingerprint with what the device shows before."""
    with _known(facility, terminal):
        terminals.approve(services().door, facility, terminal, CONSOLE)
    click.echo(f"{terminal} is approved")


@group.command("refuse")
@click.argument("facility")
@click.argument("terminal")
@plainly
def refuse(facility: str, terminal: str) -> None:
    """Turn TERMINAL (its id), which waits in FACILITY, away for good."""
    with _known(facility, terminal):
        terminals.refuse(services().door, facility, terminal, CONSOLE)
    click.echo(f"{terminal} is refused")


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
