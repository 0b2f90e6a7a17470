"""Puts the synthetic facility into an empty installation, through the same doors as everybody else.

Officers are added as an administrator adds them; places and persons are desk acts on the server's own chain; the week
of rounds is written by terminals in memory and pushed over HTTP into the application in this process, while its clock
is moved through that week. The installation is built in a folder beside its own and moved there when it is complete:
a start that was interrupted leaves nothing half seeded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import httpx

from backend.domain.posts import Post
from backend.identity import facilities, officers, terminals
from backend.identity.officers import NewOfficer, Officer
from backend.kernel.clock import ManualClock, to_text
from backend.settings import Settings
from demo import roster
from demo.facility import Facility, build
from demo.rounds import LOCAL, PlannedRound, week_of_rounds
from headless import patrol
from headless.chain import uuid7
from headless.scribe import Scribe
from headless.wire import Wire
from mobile_api.services import EXTENSION, Services
from sync.writing.local import Act
from wsgi import create_app

SECRET = "xunan-demo-2026"
"""The secret of every officer of the demo. It is public: the facility is synthetic."""
SEED = 20261122
_PUSH_EVERY = 200
_DAY = timedelta(days=1)
_DAY_MS = 24 * 3_600_000
_BEFORE = timedelta(hours=15)
"""The facility is founded so long before its first round. What is asked every half day is then due nine hours after the end
of its history: neither at once nor in the first shift."""


class _Past:
    """The clock of a terminal in the demo's past: it shows what the server's clock shows."""

    boot = "00000000-0000-4000-8000-000000000000"

    def __init__(self, server: ManualClock) -> None:
        self._server = server

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._server.now() / 1000, UTC)

    def monotonic(self) -> int:
        return self._server.now()

    def sleep(self, seconds: float) -> None:
        self._server.advance(int(seconds * 1000))


@dataclass(frozen=True)
class Seeded:
    """What was put in."""

    places: int
    persons: int
    officers: int
    rounds: int
    visits: int


def seed(settings: Settings, end: datetime, *, days: int = 7) -> Seeded:
    """Seeds an installation so that its history ends at `end`. Raises FacilityExists when there is one already."""
    facility = build(SEED)
    clock = ManualClock(_ms(end - days * _DAY - _BEFORE))
    app = create_app(replace(settings, terminal_app=None), clock)
    services: Services = app.extensions[EXTENSION]
    facilities.found(services.door, facility.id, facility.name, facility.type, services.keyring.head)
    _add_officers(services, facility)
    _add_records(services, facility)
    wire = Wire("http://localhost", _Past(clock), httpx.WSGITransport(app))
    rounds, visits = _write_week(services, facility, clock, wire, end, days)
    services.store.close()
    return Seeded(len(facility.places), len(facility.persons), len(facility.officers), rounds, visits)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _add_officers(services: Services, facility: Facility) -> None:
    new = [
        NewOfficer(o.id, o.number, o.name, tuple(Post(post) for post in o.posts), SECRET, o.wards)
        for o in facility.officers
    ]
    officers.add(services.door, facility.id, new)


def _add_records(services: Services, facility: Facility) -> None:
    places = [
        Act("place", "create", p.id, {
            "type": p.type, "code": p.code, "name": p.name, "parent": p.parent,
            "position": p.position, "tags": list(p.tags),
        })
        for p in facility.places
    ]  # fmt: skip
    founded = services.clock.now()
    persons = [
        Act("person", "create", p.id, {
            "number": p.number, "name": p.name, "sex": p.sex, "cell": p.cell, "state": p.state,
            "admitted_at": to_text(founded - p.days * _DAY_MS),
            **({"risk": p.risk} if p.risk else {}),
        })
        for p in facility.persons
    ]  # fmt: skip
    for post, acts in ((Post.ADM, places), (Post.INT, persons), (Post.LEAD, _roster(services, facility))):
        outcomes = services.desk.act(_first(facility, post), acts)
        if any(outcome["status"] != "applied" for outcome in outcomes):
            raise RuntimeError(f"not applied: {[o for o in outcomes if o['status'] != 'applied'][0]}")


def _roster(services: Services, facility: Facility) -> list[Act]:
    """Patterns and who is on them, from the day on which the facility begins."""
    since = datetime.fromtimestamp(services.clock.now() / 1000, LOCAL).date().isoformat()
    made = [
        Act("shift.pattern", "create", p.id, {
            "name": p.name, "cycle": list(p.cycle), "worked": p.worked, "anchor": p.anchor,
            "shifts": [dict(zip(("code", "name", "starts", "ends"), shift, strict=True)) for shift in p.shifts],
            "main_from": since if p.main else None,
        })
        for p in roster.patterns(SEED)
    ]  # fmt: skip
    placed = [
        Act("shift.roster", "assign", r.id, {
            "officer": r.officer, "post": r.post, "pattern": r.pattern, "offset": r.offset, "places": list(r.places),
            "since": since, "until": None,
        })
        for r in roster.rows(facility, SEED)
    ]  # fmt: skip
    return made + placed


def _first(facility: Facility, post: Post) -> Officer:
    found = next(o for o in facility.officers if post in o.posts)
    return Officer(facility.id, found.id, found.number, found.name, tuple(found.posts))


def _write_week(
    services: Services, facility: Facility, clock: ManualClock, wire: Wire, end: datetime, days: int
) -> tuple[int, int]:
    """One terminal a ward writes the ward's rounds in their order. Returns how many rounds and visits."""
    scribes = {ward.id: _scribe(services, facility, clock, wire, ward.code) for ward in facility.wards()}
    sessions: dict[tuple[str, str, int], tuple[str, str]] = {}
    rounds = visits = 0
    for planned in week_of_rounds(facility, end.astimezone(LOCAL), SEED, days):
        scribe = scribes[planned.ward.id]
        clock.set(max(clock.now(), _ms(planned.opened_at)))
        shift = (planned.ward.id, planned.officer.id, _ms(planned.opened_at) // (8 * 3_600_000))
        if shift not in sessions:
            answer = scribe.sign_in(planned.officer.number, SECRET)
            sessions[shift] = (answer["officer"]["id"], answer["session"])
        scribe.use(*sessions[shift])
        _write_round(scribe, planned)
        rounds, visits = rounds + 1, visits + len(planned.visits)
        if scribe.waiting >= _PUSH_EVERY:
            clock.set(max(clock.now(), _ms(planned.closed_at)))
            scribe.push()
    clock.set(max(clock.now(), _ms(end)))
    for scribe in scribes.values():
        if scribe.waiting:
            scribe.push()
    return rounds, visits


def _scribe(services: Services, facility: Facility, clock: ManualClock, wire: Wire, ward: str) -> Scribe:
    code, _ = terminals.make_code(services.door, facility.id, "demo")
    scribe = Scribe(wire, _Past(clock))
    scribe.enrol(code, f"demo-{ward}")
    return scribe


def _write_round(scribe: Scribe, planned: PlannedRound) -> None:
    record = uuid7()
    fields = {"area": planned.ward.id, "companions": [c.id for c in planned.companions]}
    opened = scribe.write("patrol.round", "open", record, fields, observed_at=planned.opened_at)
    for visit in planned.visits:
        tag = None if visit.tag is None else {"uid": visit.tag, "medium": "nfc", "counter": None}
        cell = None if visit.cell is None else vars(visit.cell)
        looked = {"round": record, "place": visit.place.id, "tag": tag, "cell": cell, "note": visit.note}
        scribe.write("patrol.visit", "record", uuid7(), looked, after=[opened], observed_at=visit.observed_at)
    closed = {"result": planned.result, "reason": planned.reason, "visits": len(planned.visits)}
    scribe.write(
        "patrol.round", "close", record, closed, base=1, after=[opened],
        signoff=patrol.BY_SESSION, observed_at=planned.closed_at,
    )  # fmt: skip
