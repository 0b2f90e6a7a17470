"""The front door and composition root: the only module that names all parts."""

from __future__ import annotations

import gc
import logging
import os
import sys
from functools import partial
from typing import Any

import structlog
from flask import Flask
from flask.json.provider import DefaultJSONProvider

from backend.audit.highwater import HighWater
from backend.audit.log import HeadSealer, signed_at
from backend.duty.clockwork import Clockwork, Sources
from backend.duty.companions import companions
from backend.duty.deliveries import Courier
from backend.duty.foresight import Foresight
from backend.duty.packs import Packs
from backend.facts.alerts import Alerts
from backend.facts.board import Board
from backend.facts.duties import Duties
from backend.facts.handovers import Handovers
from backend.facts.nearest import Nearest
from backend.facts.rosters import Rosters
from backend.facts.rota import Rota
from backend.files.receiving import Receiver
from backend.files.shelf import Shelf
from backend.files.tending import Tending
from backend.files.uploads import Uploads
from backend.identity import facilities, rates, replays
from backend.identity.confirmations import Confirmer
from backend.identity.contacts import Contacts
from backend.identity.keyring import Keyring
from backend.identity.proofs import Nonces
from backend.identity.rates import Throttle
from backend.identity.sessions import Sessions
from backend.identity.tokens import Tokens
from backend.imports.importer import Importer
from backend.kernel.clock import Clock, RisingClock, SystemClock
from backend.kernel.framing import MAX_BODY
from backend.kernel.ids import uuid7
from backend.kernel.stopping import at_the_end, when_stopping
from backend.records.registry import kinds
from backend.settings import Settings
from backend.storage import schema
from backend.storage.channel import Channel
from backend.storage.door import Door
from backend.storage.engine import Store
from biometrics.engines import find_engine
from mobile_api import (
    alerts,
    approvals,
    audit,
    board,
    confirmations,
    evidence,
    factors,
    files,
    guard,
    handovers,
    health,
    imports,
    install,
    officers,
    problems,
    pull,
    push,
    repair,
    reports,
    rules,
    secret,
    sessions,
    snapshots,
    stream,
    terminal_app,
    terminals,
    views,
)
from mobile_api import duties as duties_api
from mobile_api import facilities as facilities_api
from mobile_api import kinds as kinds_api
from mobile_api import rosters as rosters_api
from mobile_api.commands import register_commands
from mobile_api.front import Front
from mobile_api.intake import Intake
from mobile_api.services import EXTENSION, Services
from sync.judging.accept import Acceptance
from sync.news import Herald
from sync.reading.attachments import Attachments
from sync.reading.pull import Puller
from sync.reading.repair import Repairer
from sync.reading.sightings import Audience, Sightings
from sync.reading.sights import Sights
from sync.reading.snapshots import Snapshots
from sync.reading.tombstones import prune
from sync.streaming.hub import Hub
from sync.streaming.lookout import Lookout
from sync.streaming.relay import Relay
from sync.writing.commit import Commits
from sync.writing.local import Desk
from sync.writing.outcomes import Outcomes
from sync.writing.push import Pusher
from tasks import schedule
from tasks.jobs import Chore, keep_high_water

CUSTODY_SECONDS = 30
"""How often it is asked whether held operations have waited too long."""
VOLATILE_SECONDS = 600
"""How often proofs and counts are forgotten that are over."""
REMOVALS_SECONDS = 3600
"""How often it is asked whether removals have been listed long enough."""
FILES_SECONDS = 1800
"""How often uploads that have run out, and files that nothing names, are seen to."""
PATIENCE = 2_000
"""Milliseconds for each second between ticks: how long a process leaves the duties to one that has just seen to them."""
COLLECT_AFTER = 50_000
"""Objects that are new before garbage is looked for. A batch makes thousands that go by themselves, and to look through
them each time there are seven hundred is a tenth of its work."""


class PlainJson(DefaultJSONProvider):
    """Compact answers in the order in which they were written, Chinese as it is."""

    ensure_ascii = False
    sort_keys = False
    compact = True


BLUEPRINTS = (
    health,
    imports,
    install,
    terminals,
    approvals,
    reports,
    sessions,
    secret,
    factors,
    confirmations,
    officers,
    facilities_api,
    push,
    pull,
    repair,
    snapshots,
    files,
    stream,
    kinds_api,
    audit,
    views,
    evidence,
    alerts,
    rosters_api,
    board,
    duties_api,
    handovers,
    rules,
)


def _reached(store: Store, highwater: HighWater) -> int:
    """The latest moment of which this installation has signed, in a database that was restored or beside it."""
    signed = [head for each in facilities.everyone(store) for head in (each.head, *highwater.heads(each.facility))]
    return max(map(signed_at, signed), default=0)


def make_services(settings: Settings, clock: Clock) -> Services:
    """Puts the parts together. Brings an embedded store to the present schema; refuses a foreign one."""
    settings.data.mkdir(parents=True, exist_ok=True)
    keyring = Keyring.open(settings.data / "keys")
    store = Store(settings.database)
    schema.prepare(store)
    highwater = HighWater(store, keyring.heads, settings.data / "witness")
    clock = RisingClock(clock, _reached(store, highwater))
    door = Door(store, clock, HeadSealer(keyring.heads), highwater)
    acceptance = Acceptance(kinds())
    sights, shelf = Sights(store), Shelf(settings.data / "files")
    uploads = Uploads(door, shelf)
    herald = Herald()
    hub = _make_hub(settings, store, clock, herald)
    commits = Commits(door, acceptance, herald)
    desk = Desk(door, commits, acceptance)
    return Services(
        settings=settings,
        clock=clock,
        store=store,
        door=door,
        highwater=highwater,
        herald=herald,
        hub=hub,
        commits=commits,
        keyring=keyring,
        nonces=Nonces(keyring.nonce, clock),
        tokens=Tokens(keyring.token, settings.token_minutes),
        throttle=Throttle(settings.requests),
        sessions=Sessions(store),
        confirmer=Confirmer(door, keyring.factor),
        pusher=Pusher(store, commits, acceptance, highwater, keyring.seals),
        outcomes=Outcomes(store, clock),
        sights=sights,
        puller=Puller(store, sights),
        repairer=Repairer(store, sights),
        snapshots=Snapshots(store, sights, settings.data / "snapshots", clock),
        sightings=Sightings(door),
        audience=Audience(store, sights),
        alerts=Alerts(store),
        desk=desk,
        **_of_duties(settings, door, desk, hub, keyring),
        importer=Importer(door, desk.make),
        intake=Intake(settings.readers),
        uploads=uploads,
        receiver=Receiver(door, shelf, uploads),
        tending=Tending(door, shelf, uploads),
        attachments=Attachments(store, sights, shelf, clock),
        faces=find_engine(),
    )


def _of_duties(settings: Settings, door: Door, desk: Desk, hub: Hub, keyring: Keyring) -> dict[str, Any]:
    """The parts that know who is on duty and what is due, by their names in ``Services``."""
    store = door.store
    packs, rosters, duties, contacts = Packs(store), Rosters(store), Duties(store), Contacts(hub.listening)
    sources = Sources(packs, rosters, contacts, keyring.nonce, companions())
    clockwork = Clockwork(door, sources, desk.serve, PATIENCE * settings.tick_seconds)
    return {
        "packs": packs,
        "rosters": rosters,
        "rota": Rota(store, rosters, Nearest(store, rosters)),
        "contacts": contacts,
        "clockwork": clockwork,
        "foresight": Foresight(store, rosters, clockwork),
        "courier": Courier(store, duties, rosters, desk.serve),
        "board": Board(store, duties, rosters),
        "handovers": Handovers(store, duties, rosters),
    }


def _make_hub(settings: Settings, store: Store, clock: Clock, herald: Herald) -> Hub:
    """On PostgreSQL its thread has connections of its own: those of the pool may all be waiting to write."""
    front = Lookout(store)
    back = front if store.sqlite else Lookout(Store(settings.database))
    hub = Hub(front, back, clock, settings.streams, settings.heartbeat_seconds)
    herald.listen(hub.hear)
    return hub


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> Flask:
    """The application. Without arguments: settings from the environment, the machine's clock."""
    settings = settings or Settings.read()
    _log_to_stderr(settings.log_level)
    app = Flask("roundsman", static_folder=None)
    app.config.update(
        API_TITLE="Roundsman 巡安",
        API_VERSION="v1",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/v1",
        MAX_CONTENT_LENGTH=MAX_BODY,
    )
    app.json = PlainJson(app)
    app.extensions[EXTENSION] = make_services(settings, clock or SystemClock())
    api = problems.ProblemApi(app, spec_kwargs={"components": {"securitySchemes": guard.SECURITY_SCHEMES}})
    for module in BLUEPRINTS:
        api.register_blueprint(module.blueprint)
    if settings.terminal_app is not None:
        app.register_blueprint(terminal_app.make_blueprint(settings.terminal_app))
    problems.register(app)
    guard.register(app)
    register_commands(app)
    app.wsgi_app = Front(app.wsgi_app, app.extensions[EXTENSION])  # type: ignore[method-assign,assignment]
    return app


def serve() -> Flask:
    """The application of a serving process: what the HTTP server loads."""
    app = create_app()
    services: Services = app.extensions[EXTENSION]
    if not services.store.sqlite:
        lookout = Lookout(Store(services.settings.database))  # as the hub's: not behind those who wait to write
        relay = Relay(Channel(services.store), lookout, services.hub, uuid7(services.clock.now()))
        services.herald.listen(relay.hear)
        relay.start()
    when_stopping(partial(_stop, services))
    chores: tuple[Chore, ...] = (
        Chore("custody", CUSTODY_SECONDS, services.commits.end_custody),
        Chore("removals", REMOVALS_SECONDS, partial(prune, services.door)),
        Chore("files", FILES_SECONDS, services.tending.tend),
        Chore("volatile", VOLATILE_SECONDS, partial(_forget, services)),
    )
    if services.settings.tick_seconds:
        chores += (Chore("duties", services.settings.tick_seconds, partial(_tick, services)),)
    scheduler = schedule.start(services.store, services.settings, services.sightings, chores)
    at_the_end(partial(scheduler.shutdown, wait=False), priority=1)
    at_the_end(partial(_write_down, services))
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    return app


def _tick(services: Services, facility: str) -> None:
    """What is due, and what has not been received."""
    services.clockwork.tick(facility)
    services.courier.tend(facility, services.clock.now())


def _forget(services: Services, _facility: str) -> None:
    now = services.clock.now()
    replays.forget(services.store, now)
    rates.forget(services.store, now)


def _stop(services: Services) -> None:
    """When the process is told to go: its streams end, and what it knows besides the database is written down."""
    services.hub.close()
    _write_down(services)


def _write_down(services: Services) -> None:
    services.sightings.flush()
    keep_high_water(services.store, services.settings.data / "witness")


def _log_to_stderr(level: str) -> None:
    """Structured lines on standard error; they hold codes and ids, never names, faces or tokens."""
    logging.basicConfig(level=os.environ.get("ROUNDSMAN_LIBRARY_LOG", "WARNING"))
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
