"""``flask import``: rosters and registers from the server's own console."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from flask.cli import with_appcontext

from backend.identity import officers
from backend.identity.officers import Officer
from backend.imports.importer import SORTS, File, Preview
from backend.imports.reading import type_of
from backend.kernel.problems import Problem
from mobile_api.commands.plainly import plainly
from mobile_api.services import services


def _by(sort: str, facility: str, number: str) -> Officer:
    """The officer in whose name it is done. Raises Problem ``role.forbidden`` where his post may not."""
    with services().store.reading() as connection:
        found = [each for each, revoked in officers.everyone(connection, facility) if revoked is None]
    for each in found:
        if each.number == number:
            if SORTS[sort].post not in each.posts:
                raise Problem("role.forbidden")
            return each
    raise click.ClickException(f"there is no officer {number} in {facility}")


def _tell(found: Preview) -> None:
    told = found.document()
    for sort in ("errors", "warnings"):
        for each in told[sort]:
            where = f"row {each['row']}" + (f", {each['column']}" if each["column"] else "")
            value = f" [{each['value']}]" if "value" in each else ""
            click.echo(f"{sort[:-1]}: {where}: {each['code']}: {each['en']} {each['zh']}{value}", err=True)
    click.echo(
        f"{told['rows']} rows, {told['good']} good, {told['error_count']} errors, {told['warning_count']} warnings",
        err=True,
    )


@click.command("import")
@click.argument("sort", type=click.Choice(list(SORTS)))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--facility", required=True)
@click.option("--by", required=True, help="Number of the officer in whose name it is done.")
@click.option("--charset", help="What a CSV file is in, where the file itself does not tell.")
@click.option("--apply", is_flag=True, help="Write it; else it is only looked at.")
@with_appcontext
@plainly
def group(sort: str, file: Path, facility: str, by: str, charset: str | None, apply: bool) -> None:
    """Look at the officers, places, persons or rosters in FILE (.xlsx, .csv, .json), or write them (docs/imports.md)."""
    officer = _by(sort, facility, by)
    given = File(file.read_bytes(), type_of(file), charset)
    found = services().importer.preview(sort, facility, given)
    _tell(found)
    if found.findings.errors:
        sys.exit(1)
    if apply:
        for each in services().importer.apply(sort, officer, given, given.digest).document()["made"]:
            click.echo("\t".join([each["number"], each["id"], *([each["secret"]] if "secret" in each else [])]))
