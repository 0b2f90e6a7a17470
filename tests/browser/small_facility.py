"""A facility of one ward, four stops and five officers."""

from __future__ import annotations

from dataclasses import dataclass

from backend.domain.posts import Post
from backend.identity import facilities, officers, terminals
from backend.identity.officers import NewOfficer, Officer
from backend.settings import Settings
from headless.chain import uuid7
from mobile_api.services import EXTENSION, Services
from sync.writing.local import Act
from wsgi import create_app

SECRET = "s3cret"
PATROL, COLLEAGUE, AUDITOR, DESK, ADMIN = "100007", "100008", "100030", "100020", "100001"
_CODES = 40


@dataclass(frozen=True)
class Place:
    """A place of the small facility."""

    id: str
    type: str
    code: str
    tag: str | None


@dataclass
class Site:
    """The running server, its ward in walking order, and one-time codes that are still good."""

    url: str
    ward: Place
    stops: list[Place]
    codes: list[str]

    def code(self) -> str:
        return self.codes.pop()


def furnish(settings: Settings) -> tuple[Place, list[Place], list[str]]:
    """Founds DEMO with one ward, four stops and three persons in each cell."""
    app = create_app(settings)
    services: Services = app.extensions[EXTENSION]
    facilities.found(services.door, "DEMO", "示范看守所", "KSS", services.keyring.head)
    ward = Place(uuid7(), "ward", "A", None)
    kinds = (("checkpoint", "A-CP1"), ("cell", "A-01"), ("cell", "A-02"), ("checkpoint", "A-CP2"))
    stops = [Place(uuid7(), kind, code, f"04A1B2C3D4E5F{n}") for n, (kind, code) in enumerate(kinds)]
    staff = [
        NewOfficer(uuid7(), ADMIN, "管理", (Post.ADM,), SECRET),
        NewOfficer(uuid7(), DESK, "收押", (Post.INT,), SECRET),
        NewOfficer(uuid7(), PATROL, "巡控甲", (Post.PAT,), SECRET, (ward.id,)),
        NewOfficer(uuid7(), COLLEAGUE, "巡控乙", (Post.PAT,), SECRET, (ward.id,)),
        NewOfficer(uuid7(), AUDITOR, "审计", (Post.AUD,), SECRET),
    ]
    officers.add(services.door, "DEMO", staff)
    _act(services, staff[0], [_place(ward, None, 1), *(_place(stop, ward.id, n) for n, stop in enumerate(stops, 1))])
    cells = [stop for stop in stops if stop.type == "cell"]
    _act(services, staff[1], [_person(n, cell) for cell in cells for n in range(3)])
    codes = [terminals.make_code(services.door, "DEMO", "test")[0] for _ in range(_CODES)]
    services.store.close()
    return ward, stops, codes


def _place(place: Place, parent: str | None, position: int) -> Act:
    fields = {"type": place.type, "code": place.code, "name": place.code, "parent": parent, "position": position}
    return Act("place", "create", place.id, {**fields, "tags": [place.tag] if place.tag else []})


def _person(n: int, cell: Place) -> Act:
    fields = {"number": f"{cell.code}-{n}", "name": "某", "sex": "m", "cell": cell.id, "state": "held"}
    return Act("person", "create", uuid7(), fields)


def _act(services: Services, who: NewOfficer, acts: list[Act]) -> None:
    officer = Officer("DEMO", who.officer, who.number, who.name, tuple(who.posts))
    outcomes = services.desk.act(officer, acts)
    assert {outcome["status"] for outcome in outcomes} == {"applied"}
