"""The terminal on a command line: `python -m headless --db FILE --server URL COMMAND`.

Capturing works without signal; nothing is said to have been sent before the server's word is stored.
"""

from __future__ import annotations

import mimetypes
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from headless import duties, handing, patrol
from headless.errors import Frozen, HeadlessError, NotSignedIn, Offline, Problem, Wiped
from headless.store import Queued
from headless.terminal import Pulled, Terminal


@contextmanager
def _said() -> Iterator[None]:
    """Turn what went wrong into one sentence and exit code 1; the queue is kept in each case."""
    try:
        yield
    except Offline as error:
        raise click.ClickException(f"没有应答 no answer: {error}. What is captured stays queued.") from error
    except Problem as problem:
        again = "" if problem.retry_after is None else f" (again in {problem.retry_after} s)"
        words = " ".join(word for word in (problem.zh, problem.en) if word)
        raise click.ClickException(f"{problem.code}: {words}{again}") from problem
    except Frozen as error:
        raise click.ClickException(
            f"{error}: the server knows another chain of this terminal. The queue is kept; `renew` asks for a new one."
        ) from error
    except Wiped as error:
        raise click.ClickException(f"已清除 wiped: {error}. Nothing is left here but this note.") from error
    except HeadlessError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _terminal(context: click.Context) -> Iterator[Terminal]:
    with _said(), Terminal(context.obj["db"], context.obj["server"]) as terminal:
        yield terminal


@click.group(help=__doc__)
@click.option("--db", envvar="ROUNDSMAN_DB", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--server", envvar="ROUNDSMAN_SERVER", help="Base URL; remembered at enrolment.")
@click.pass_context
def main(context: click.Context, db: Path, server: str | None) -> None:
    """Remember the options for the command that follows."""
    context.obj = {"db": db, "server": server}


@main.command()
@click.argument("code")
@click.option("--label", required=True, help="What is written on the device.")
@click.option("--asset", help="Its inventory number: what it was before is closed.")
@click.pass_context
def enrol(context: click.Context, code: str, label: str, asset: str | None) -> None:
    """Enrol with a one-time CODE; may be repeated when the answer was lost."""
    with _terminal(context) as terminal:
        identity = terminal.enrol(code, label, asset)
        click.echo(f"已登记 enrolled at {identity.facility}: {identity.label}, terminal {identity.terminal}")


@main.command()
@click.pass_context
def fingerprint(context: click.Context) -> None:
    """Show the fingerprint of this terminal's key, which an administrator compares before he approves it."""
    with _terminal(context) as terminal:
        click.echo(terminal.fingerprint())


@main.command("sign-in")
@click.argument("number")
@click.option("--secret", envvar="ROUNDSMAN_SECRET", prompt=True, hide_input=True)
@click.pass_context
def sign_in(context: click.Context, number: str, secret: str) -> None:
    """Sign the officer NUMBER in."""
    with _terminal(context) as terminal:
        session = terminal.sign_in(number, secret)
        click.echo(f"已登录 signed in: {session.name} {session.number}, until {session.refresh_expires_at}")
        if session.must_change:
            click.echo("请先修改密码 change the secret first: change-secret")


@main.command("change-secret")
@click.option("--old", prompt=True, hide_input=True)
@click.option("--new", prompt=True, hide_input=True, confirmation_prompt=True)
@click.pass_context
def change_secret(context: click.Context, old: str, new: str) -> None:
    """Change the secret of the officer signed in; his other sessions end."""
    with _terminal(context) as terminal:
        terminal.change_secret(old, new)
        click.echo("已修改密码 secret changed")


@main.command("sign-out")
@click.pass_context
def sign_out(context: click.Context) -> None:
    """Sign the officer out, with or without signal."""
    with _terminal(context) as terminal:
        told = terminal.sign_out()
        click.echo("已退出 signed out" + ("" if told else "; the server could not be told, its token runs out"))


@main.command()
@click.pass_context
def places(context: click.Context) -> None:
    """List the places held by this terminal."""
    with _terminal(context) as terminal:
        held = patrol.places(terminal)
        for row in held:
            doc = row["doc"]
            click.echo(f"{doc['code']:<12} {doc['type']:<10} {doc['name']}")
        if not held:
            click.echo("no places held: sign in and pull")


@main.group("round")
def rounds() -> None:
    """A round: open, visit, close. Works without signal."""


@rounds.command("open")
@click.argument("ward_code")
@click.option("--with", "companions", multiple=True, help="Another officer's id.")
@click.pass_context
def round_open(context: click.Context, ward_code: str, companions: tuple[str, ...]) -> None:
    """Open a round in the ward WARD_CODE."""
    with _terminal(context) as terminal:
        _officer(terminal)
        if patrol.current_round(terminal) is not None:
            raise click.ClickException("a round is open: close it first")
        area = _place(terminal, ward_code)
        patrol.open_round(terminal, area["id"], companions)
        click.echo(f"巡视开始 round opened: {area['doc']['name']}. {_backlog(terminal)}")


@rounds.command("visit")
@click.argument("place_code")
@click.option("--headcount", type=click.IntRange(0, 200))
@click.option("--response", type=click.Choice(patrol.RESPONSES))
@click.option("--observation", type=click.Choice(patrol.OBSERVATIONS))
@click.option("--tag", help="The tag's UID.")
@click.option("--medium", type=click.Choice(patrol.MEDIA), default="typed", show_default=True)
@click.option("--counter", type=int, help="The tag's own count of readings.")
@click.option("--note", help="Needed without a tag, and with the observation 'other'.")
@click.option(
    "--attach",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A file that belongs to it.",
)
@click.pass_context
def round_visit(
    context: click.Context,
    place_code: str,
    headcount: int | None,
    response: str | None,
    observation: str | None,
    tag: str | None,
    medium: str,
    counter: int | None,
    note: str | None,
    attach: tuple[Path, ...],
) -> None:
    """Record a visit to PLACE_CODE; in a cell, say what you saw: there are no defaults."""
    with _terminal(context) as terminal:
        round_id = _round(terminal)
        place = _place(terminal, place_code)
        cell = _cell(place["doc"]["type"] == "cell", headcount, response, observation)
        if tag is None and note is None:
            raise click.UsageError("without a tag, a --note says why")
        if observation == "other" and note is None:
            raise click.UsageError("the observation 'other' needs a --note")
        patrol.visit(
            terminal,
            round_id,
            place["id"],
            tag=None if tag is None else {"uid": tag, "medium": medium, "counter": counter},
            cell=cell,
            note=note,
            attachments=[terminal.attach(each.read_bytes(), _type_of(each)) for each in attach],
        )
        click.echo(f"已记录 recorded: {place['doc']['name']}. {_backlog(terminal)}")


@rounds.command("close")
@click.option("--interrupted", "reason", metavar="REASON", help="The round was interrupted: why.")
@click.pass_context
def round_close(context: click.Context, reason: str | None) -> None:
    """Close the open round."""
    with _terminal(context) as terminal:
        round_id = _round(terminal)
        count = len(patrol.visits(terminal, round_id))
        result = "completed" if reason is None else "interrupted"
        patrol.close_round(terminal, round_id, result=result, reason=reason)
        click.echo(f"巡视结束 round closed ({result}, {count} visits). {_backlog(terminal)}")


@main.command("duties")
@click.option("--ringing", is_flag=True, help="Only what rings now.")
@click.pass_context
def duties_due(context: click.Context, ringing: bool) -> None:
    """List what is to be done now and within 24 hours, by this terminal's clock. Works without signal."""
    with _terminal(context) as terminal:
        _officer(terminal)
        found = duties.ringing(terminal) if ringing else duties.agenda(terminal)
        click.echo("\n".join(map(duties.line, found)) or "无待办 nothing to be done")


@main.command("since")
@click.pass_context
def since_last_here(context: click.Context) -> None:
    """Show what has happened since the officer was last here, on one page. Needs signal."""
    with _terminal(context) as terminal:
        _officer(terminal)
        click.echo("\n".join(handing.page(terminal)))


@main.command()
@click.pass_context
def push(context: click.Context) -> None:
    """Send what is queued."""
    with _terminal(context) as terminal:
        _pushed(terminal, terminal.push())


@main.command()
@click.pass_context
def pull(context: click.Context) -> None:
    """Fetch the rows of the officer's scope."""
    with _terminal(context) as terminal:
        _officer(terminal)
        _pulled(terminal.pull())


@main.command()
@click.pass_context
def sync(context: click.Context) -> None:
    """Push, then pull when an officer is signed in; renew or evacuate when that is what the server asks for."""
    with _terminal(context) as terminal:
        incarnation = terminal.identity.incarnation
        learnt, pulled = terminal.sync()
        _pushed(terminal, learnt)
        if terminal.identity.incarnation != incarnation:
            click.echo(f"新代次 renewed: incarnation {terminal.identity.incarnation}; sign in again")
        elif pulled is None:
            click.echo("not pulled: nobody is signed in")
        else:
            _pulled(pulled)


@main.command()
@click.pass_context
def report(context: click.Context) -> None:
    """Tell the server how this terminal is: what waits, storage, clock."""
    with _terminal(context) as terminal:
        terminal.report()
        click.echo("报告已送达 reported")


@main.command()
@click.pass_context
def renew(context: click.Context) -> None:
    """After a fork, or on an older copy of the database: ask for a new incarnation."""
    with _terminal(context) as terminal:
        before = terminal.identity.incarnation
        identity = terminal.renew()
        told = "nothing to renew" if identity.incarnation == before else "新代次 renewed; sign in again"
        click.echo(f"{told}: incarnation {identity.incarnation}. {_backlog(terminal)}")


@main.command()
@click.pass_context
def evacuate(context: click.Context) -> None:
    """After this terminal was revoked: hand in its queue, and destroy key, rows and queue when told to."""
    with _terminal(context) as terminal:
        done = terminal.evacuate()
        click.echo(f"上交 handed in {len(done.outcomes)}")
        if done.receipt is None:
            click.echo("NOT wiped: the server misses operations that are not here; report it")
        else:
            click.echo(f"已清除 wiped at {done.receipt['at']}: {done.receipt['captured']} operations had been captured")


@main.command()
@click.pass_context
def repair(context: click.Context) -> None:
    """Compare every partition held with the server's, and fetch what differs."""
    with _terminal(context) as terminal:
        _officer(terminal)
        done = terminal.repair()
        if not done.partitions:
            click.echo("一致 all partitions are as the server has them")
            return
        for partition in done.partitions:
            click.echo(f"  {partition}")
        click.echo(f"已修复 repaired: {done.fetched} rows fetched, {done.removed} removed")


@main.command()
@click.pass_context
def prune(context: click.Context) -> None:
    """Forget operations that have a final outcome and that a verified backup of the server covers."""
    with _terminal(context) as terminal:
        click.echo(f"forgotten {terminal.prune()}; safe up to {terminal.store.safe_upto()}")


@main.command()
@click.pass_context
def conflicts(context: click.Context) -> None:
    """List the disputes held here that nobody has settled."""
    with _terminal(context) as terminal:
        found = terminal.conflicts()
        for row in found:
            doc = row["doc"]
            click.echo(f"{row['id']} {doc['state']} {doc['kind']} {doc['record']}")
            for field, value in doc["server"].items():
                click.echo(f"  {field}: server {_value(value)}")
                for each in doc["candidates"]:
                    if field in each["fields"]:
                        click.echo(f"    {each['op']} {each['officer']['name']}: {_value(each['fields'][field])}")
        if not found:
            click.echo("no disputes")


@main.command()
@click.argument("conflict")
@click.argument("choices", nargs=-1, required=True, metavar="FIELD=server|OP …")
@click.option("--reason", required=True, help="Why these values shall stand.")
@click.pass_context
def settle(context: click.Context, conflict: str, choices: tuple[str, ...], reason: str) -> None:
    """Settle the dispute CONFLICT: for each FIELD the server's value, or that of the operation OP. Works without signal."""
    with _terminal(context) as terminal:
        _officer(terminal)
        terminal.settle(conflict, dict(_choice(choice) for choice in choices), reason)
        click.echo(f"已处置 settled, not yet sent. {_backlog(terminal)}")


@main.command()
@click.pass_context
def status(context: click.Context) -> None:
    """Say who this terminal is and what became of its operations."""
    with _terminal(context) as terminal:
        known = terminal.status()
        officer, head, operations = known["officer"], known["head"], known["operations"]
        click.echo(f"terminal  {known['label']} ({known['terminal']}, incarnation {known['incarnation']})")
        click.echo(f"facility  {known['facility']} at {known['server']}")
        click.echo(f"officer   {officer['name']} {officer['number']}" if officer else "officer   nobody")
        click.echo(f"round     {patrol.current_round(terminal) or 'none open'}")
        click.echo(f"queue     {_counted(operations) or 'nothing captured yet'}")
        click.echo(f"head      epoch {head['epoch']}, size {head['size']}, {head['at']}")
        if known["safe_upto"]:
            click.echo(f"safe      up to {known['safe_upto']}")
        if disputes := terminal.conflicts():
            click.echo(f"disputes  {len(disputes)}; see: conflicts")
        if known["frozen"]:
            click.echo(f"FROZEN    {known['frozen'].get('code')}: nothing is pushed; see: renew")
        if known["alarm"]:
            click.echo(f"ALARM     {known['alarm']['why']}: the server's log is not what it was; see: alarm")
        if known["order"]:
            click.echo(f"ORDER     {known['order']}: see: evacuate")


@main.command()
@click.option("--dismiss", is_flag=True, help="Somebody has looked into it: go on, from the head that was taken.")
@click.pass_context
def alarm(context: click.Context, dismiss: bool) -> None:
    """Show the two heads of the server that do not agree; nothing is sent or fetched while the alarm stands."""
    with _terminal(context) as terminal:
        found = terminal.store.alarm()
        if found is None:
            click.echo("no alarm")
            return
        told = "reported to the server" if found["reported"] else "NOT yet reported"
        click.echo(f"{found['why']} ({told})\n  held  {found['held']}\n  shown {found['shown']}")
        if dismiss:
            terminal.dismiss_alarm()
            click.echo("已解除 dismissed")


@main.command()
@click.option("--all", "everything", is_flag=True, help="Applied ones too.")
@click.pass_context
def outbox(context: click.Context, everything: bool) -> None:
    """List the officer's operations that wait, or that the server did not simply apply; of others their number."""
    with _terminal(context) as terminal:
        session, queue = terminal.session, terminal.queue()
        mine = [queued for queued in queue if session is not None and queued.officer == session.officer]
        shown = [queued for queued in mine if everything or queued.status not in ("applied", "merged")]
        for queued in shown:
            click.echo(_line(queued))
        others = sum(not queued.final for queued in queue) - sum(not queued.final for queued in mine)
        if others:
            click.echo(f"{others} of other officers wait to be sent or judged")
        if not shown and not others:
            click.echo("nothing waits, nothing was refused")


def _line(queued: Queued) -> str:
    what = f"{queued.n:>6} {queued.status:<12} {queued.kind}.{queued.verb} {queued.op}"
    return f"{what} {_why(queued.outcome or {})}".rstrip()


def _value(value: Any) -> str:
    return "–" if value is None else str(value)


def _choice(text: str) -> tuple[str, str]:
    field, separator, chosen = text.partition("=")
    if not separator:
        raise click.UsageError(f"{text}: a choice is FIELD=server or FIELD=OP")
    return field, chosen


def _officer(terminal: Terminal) -> None:
    if terminal.session is None:
        raise NotSignedIn("nobody is signed in: sign-in NUMBER")


def _round(terminal: Terminal) -> str:
    _officer(terminal)
    current = patrol.current_round(terminal)
    if current is None:
        raise click.ClickException("no round is open: round open WARD_CODE")
    return current


def _place(terminal: Terminal, code: str) -> dict[str, Any]:
    place = patrol.place_by_code(terminal, code)
    if place is None:
        raise click.ClickException(f"no place {code} is held here; see: places")
    return place


def _type_of(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _cell(is_cell: bool, headcount: int | None, response: str | None, observation: str | None) -> patrol.Cell | None:
    seen = (headcount, response, observation)
    if not is_cell:
        if any(value is not None for value in seen):
            raise click.UsageError("this place is no cell: no --headcount, --response, --observation")
        return None
    if headcount is None or response is None or observation is None:
        raise click.UsageError("in a cell, --headcount, --response and --observation are all needed")
    return {"headcount": headcount, "response": response, "observation": observation}


def _pushed(terminal: Terminal, learnt: list[dict[str, Any]]) -> None:
    told = _counted(Counter(outcome["status"] for outcome in learnt))
    click.echo(f"上传 pushed {len(learnt)}" + (f": {told}" if told else ""))
    for outcome in learnt:
        if outcome["status"] not in ("applied", "merged"):
            click.echo(f"  {outcome['n']} {outcome['status']} {_why(outcome)}".rstrip())
    click.echo(_backlog(terminal))


def _pulled(pulled: Pulled) -> None:
    left = f", {len(pulled.gone)} partitions left the scope" if pulled.gone else ""
    mended = f", {len(pulled.repaired)} partitions repaired" if pulled.repaired else ""
    click.echo(f"下载 pulled {pulled.rows} rows{left}{mended}")


def _why(outcome: dict[str, Any]) -> str:
    problem = outcome.get("problem")
    if not problem:
        return ""
    words = (problem.get("code"), problem.get("field"), problem.get("zh"), problem.get("en"))
    return " ".join(word for word in words if word)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts[status]} {status}" for status in sorted(counts))


def _backlog(terminal: Terminal) -> str:
    waiting, held = len(terminal.waiting()), len(terminal.held())
    custody = f"; 收存 {held} in the server's custody" if held else ""
    kept = f"; {len(terminal.unsupported)} kept until the server takes their schema" if terminal.unsupported else ""
    return ("无待传 nothing waits" if waiting == 0 else f"待传 {waiting} not yet known to the server") + custody + kept


if __name__ == "__main__":
    main(prog_name="python -m headless")
