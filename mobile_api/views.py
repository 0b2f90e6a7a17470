"""The auditor's views (docs/audit.md). Who is shown values leaves a leaf, written before the answer goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from backend.audit.views import backlog as held
from backend.audit.views import clocks as times
from backend.audit.views import conflicts as disputes
from backend.audit.views import epochs as breaks
from backend.audit.views import kept, operations, readings, sightings
from backend.audit.views import terminals as lives
from backend.domain.posts import Post
from backend.identity.exclusions import left_out
from backend.kernel.problems import Problem
from mobile_api import view_forms as forms
from mobile_api import view_lists as lists
from mobile_api.asking import reader
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import services
from mobile_api.withheld import Sight

T = TypeVar("T")
WATCHERS = (Post.AUD, Post.LEAD, Post.DIR, Post.PROC)
"""Who may see values: posts whose scope is the whole facility. Compartments that a post is not given are kept from it."""
KEEPERS = (*WATCHERS, Post.ADM)
"""Who may see terminals: an administrator is given no records, and no values here."""
CLOCKS_BACK = 100
"""Operations of each terminal that a listing of clocks looks at; one terminal's whole history is asked for by its id."""
blueprint = Blueprint("views", __name__, url_prefix="/v1/audit", description="The auditor's views")


def _read(view: Callable[..., T], *given: Any, **options: Any) -> T:
    """A view's answer over one consistent state of the caller's facility."""
    with services().store.reading() as connection:
        return view(connection, session().officer.facility, *given, **options)


def _found(answer: T | None) -> T:
    if answer is None:
        raise Problem("route.unknown")
    return answer


def _shown(view: str, answer: T, subjects: Sequence[str], partitions: Iterable[str] = ()) -> T:
    """An answer with values, once it is noted who is shown them. ``partitions``: of which it has rows."""
    readings.note(services().door, reader(session()), view, subjects, partitions)
    return answer


def _sight() -> Sight:
    officer = session().officer
    return Sight(officer.posts, officer.officer, _read(left_out, officer.officer))


def _of_kinds(page: dict[str, Any]) -> dict[str, Any]:
    """A page of operations without those that the caller is given no rows of."""
    sight = _sight()
    shown = (each for each in page["operations"] if sight.kind(each["kind"]) and sight.record(each["record"]))
    return page | {"operations": [each for each in shown if sight.bytes_of(each["raw"])]}


def _numbers(entries: Iterable[dict[str, Any]]) -> list[str]:
    return [readings.number(each["terminal"], each["incarnation"], each["n"]) for each in entries]


@blueprint.get("/terminals")
@signed_in(*KEEPERS)
@blueprint.arguments(forms.Paged, location="query")
@blueprint.response(200, forms.Terminals)
def list_terminals(asked: dict[str, Any]) -> dict[str, Any]:
    """The facility's terminals."""
    return _read(lives.page, asked.get("after"), asked["limit"])


@blueprint.get("/terminals/<uuid:terminal>")
@signed_in(*KEEPERS)
@blueprint.problems(404)
@blueprint.response(200, forms.Life)
def terminal_life(terminal: UUID) -> dict[str, Any]:
    """One terminal's life."""
    return _found(_read(lives.life, str(terminal)))


@blueprint.get("/terminals/<uuid:terminal>/operations")
@signed_in(*WATCHERS)
@blueprint.arguments(forms.PagedTerminal, location="query")
@blueprint.problems(404)
@blueprint.response(200, forms.Operations)
def terminal_operations(asked: dict[str, Any], terminal: UUID) -> dict[str, Any]:
    """What came of a terminal's numbers, without values."""
    page = (asked.get("incarnation"), asked.get("after"), asked["limit"])
    return _found(_read(operations.page, str(terminal), *page))


@blueprint.get("/terminals/<uuid:terminal>/clock")
@signed_in(*KEEPERS)
@blueprint.arguments(forms.PagedClock, location="query")
@blueprint.problems(404)
@blueprint.response(200, lists.ClockPage)
def terminal_clock(asked: dict[str, Any], terminal: UUID) -> dict[str, Any]:
    """What a terminal's operations say of its clock, some of them at a time, by number."""
    return _found(_read(times.page, str(terminal), asked.get("after"), asked["limit"]))


@blueprint.get("/clocks")
@signed_in(*KEEPERS)
@blueprint.arguments(forms.PagedBytes, location="query")
@blueprint.response(200, lists.Clocks)
def list_clocks(asked: dict[str, Any]) -> dict[str, Any]:
    """What each terminal's last hundred operations say of its clock."""
    return _read(times.listing, asked.get("after"), asked["limit"], CLOCKS_BACK)


@blueprint.get("/operations")
@signed_in(*WATCHERS)
@blueprint.arguments(forms.Number, location="query")
@blueprint.problems(404)
@blueprint.response(200, forms.Path)
def operation_of_number(asked: dict[str, Any]) -> dict[str, Any]:
    """The path of the operation on a number, whether its id was legible or not."""
    return _path(_read(operations.of_number, asked["terminal"], asked["incarnation"], asked["n"]))


@blueprint.get("/operations/<uuid:op>")
@signed_in(*WATCHERS)
@blueprint.problems(404)
@blueprint.response(200, forms.Path)
def operation_path(op: UUID) -> dict[str, Any]:
    """One operation from its capture to the terminals that saw what it made."""
    return _path(_read(operations.of_op, str(op)))


def _path(found: operations.Path | None) -> dict[str, Any]:
    path = _found(found)
    seen = None if path.made is None else _read(_seen, *path.made)
    sight = _sight()
    if not (all(map(sight.partition, path.partitions)) and sight.bytes_of(path.told["bytes"]["raw"])):
        raise Problem("route.unknown")
    word = _read(kept.spoken, [path.told["op"]]) if path.told["op"] else {}
    more = {"word": word.get(path.told["op"]), "seen_by": seen}
    return _shown("operation", path.told | more, [path.subject], path.partitions)


def _seen(connection: Any, facility: str, partition: str, seq: int) -> dict[str, Any]:
    here = services()
    now = here.clock.now()

    def holding(connection: Any, officers: Iterable[str]) -> set[str]:
        return here.audience.holding(connection, facility, officers, partition, now)

    return sightings.of_row(connection, facility, seq, holding)


@blueprint.get("/backlog")
@signed_in(*WATCHERS)
@blueprint.arguments(forms.PagedBacklog, location="query")
@blueprint.response(200, lists.Backlog)
def list_backlog(asked: dict[str, Any]) -> dict[str, Any]:
    """Operations in custody with what each waits for, the nearest deadline first."""
    narrowed = {"terminal": asked.get("terminal"), "need": asked.get("need")}
    return _read(held.page, services().clock.now(), asked.get("after"), asked["limit"], **narrowed)


@blueprint.get("/backlog/terminals")
@signed_in(*KEEPERS)
@blueprint.arguments(forms.Paged, location="query")
@blueprint.response(200, lists.BacklogTerminals)
def backlog_by_terminal(asked: dict[str, Any]) -> dict[str, Any]:
    """How many of each terminal's operations wait."""
    return _read(held.by_terminal, asked.get("after"), asked["limit"])


@blueprint.get("/backlog/needs")
@signed_in(*WATCHERS)
@blueprint.arguments(forms.Paged, location="query")
@blueprint.response(200, lists.BacklogNeeds)
def backlog_by_need(asked: dict[str, Any]) -> dict[str, Any]:
    """What has not come, each with how many operations wait for it."""
    return _read(held.by_need, asked.get("after"), asked["limit"])


@blueprint.get("/conflicts")
@signed_in(*WATCHERS)
@blueprint.arguments(forms.PagedConflicts, location="query")
@blueprint.response(200, lists.Conflicts)
def list_conflicts(asked: dict[str, Any]) -> dict[str, Any]:
    """Disputes with every value, how old they are and who settled them."""
    state, now, page = asked.get("state"), services().clock.now(), (asked.get("after"), asked["limit"])
    if state in (disputes.OPEN, disputes.ROUTED):
        found = _read(disputes.unsettled, now, state, *page)
    else:
        found = _read(disputes.every, now, state, *page)
    sight = _sight()
    shown = found["conflicts"] = [each for each in found["conflicts"] if sight.partition(each["partition"])]
    return _shown("conflicts", found, [each["conflict"] for each in shown], [each["partition"] for each in shown])


@blueprint.get("/escrow")
@signed_in(*WATCHERS)
@blueprint.arguments(forms.PagedBytes, location="query")
@blueprint.response(200, lists.Escrow)
def list_escrow(asked: dict[str, Any]) -> dict[str, Any]:
    """Operations whose right had been lost, with their bytes and the leader's word, the last received first."""
    found = _of_kinds(_read(kept.escrow, asked.get("after"), asked["limit"]))
    return _shown("escrow", found, _numbers(found["operations"]))


@blueprint.get("/quarantine")
@signed_in(*WATCHERS)
@blueprint.arguments(forms.PagedBytes, location="query")
@blueprint.response(200, lists.Quarantine)
def list_quarantine(asked: dict[str, Any]) -> dict[str, Any]:
    """What could not be read as an operation, with its bytes and the reason, the last received first."""
    found = _of_kinds(_read(kept.quarantine, asked.get("after"), asked["limit"]))
    return _shown("quarantine", found, _numbers(found["operations"]))


@blueprint.get("/forks")
@signed_in(*WATCHERS)
@blueprint.arguments(forms.PagedBytes, location="query")
@blueprint.response(200, lists.Forks)
def list_forks(asked: dict[str, Any]) -> dict[str, Any]:
    """Bytes that came on a number or link that others had taken, by terminal and number."""
    found = _read(kept.forks, asked.get("after"), asked["limit"])
    sight = _sight()
    found["forks"] = [each for each in found["forks"] if sight.bytes_of(each["raw"])]
    flat = [each | {"terminal": each["terminal"]["id"]} for each in found["forks"]]
    return _shown("forks", found, _numbers(flat))


@blueprint.get("/epochs")
@signed_in(*KEEPERS)
@blueprint.response(200, lists.Epochs)
def list_epochs() -> dict[str, Any]:
    """The log's epochs: where each ended, why, and what witnesses prove that it lost."""
    return breaks.page(services().store, session().officer.facility)
