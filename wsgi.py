"""The front door and composition root: the only module that names all parts."""

from __future__ import annotations

import atexit
import logging
import os
import sys

import structlog
from flask import Flask
from flask.json.provider import DefaultJSONProvider

from backend.audit.log import HeadSealer
from backend.identity.keyring import Keyring
from backend.identity.proofs import Nonces
from backend.identity.sessions import Sessions, Tokens
from backend.kernel.clock import Clock, SystemClock
from backend.kernel.framing import MAX_BODY
from backend.records.registry import kinds
from backend.settings import Settings
from backend.storage import schema
from backend.storage.door import Door
from backend.storage.engine import Store
from biometrics.engines import find_engine
from mobile_api import audit, guard, health, problems, sessions, sync, terminal_app, terminals
from mobile_api import kinds as kinds_api
from mobile_api.commands import register_commands
from mobile_api.intake import Intake
from mobile_api.services import EXTENSION, Services
from sync.accept import Acceptance
from sync.commit import Commits
from sync.local import Desk
from sync.pull import Puller
from sync.push import Pusher
from tasks import schedule


class PlainJson(DefaultJSONProvider):
    """Compact answers in the order in which they were written, Chinese as it is."""

    ensure_ascii = False
    sort_keys = False
    compact = True


BLUEPRINTS = (health, terminals, sessions, sync, kinds_api, audit)


def make_services(settings: Settings, clock: Clock) -> Services:
    """Puts the parts together. Brings an embedded store to the present schema; refuses a foreign one."""
    settings.data.mkdir(parents=True, exist_ok=True)
    keyring = Keyring.open(settings.data / "keys")
    store = Store(settings.database)
    schema.prepare(store)
    door = Door(store, clock, HeadSealer(keyring.head))
    acceptance = Acceptance(kinds())
    commits = Commits(door)
    return Services(
        settings=settings,
        clock=clock,
        store=store,
        door=door,
        keyring=keyring,
        nonces=Nonces(keyring.nonce, clock),
        tokens=Tokens(keyring.token),
        sessions=Sessions(store),
        pusher=Pusher(store, commits, acceptance),
        puller=Puller(store),
        desk=Desk(door, commits, acceptance),
        intake=Intake(settings.readers),
        faces=find_engine(),
    )


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
    return app


def serve() -> Flask:
    """The application of a serving process: what the HTTP server loads."""
    app = create_app()
    services: Services = app.extensions[EXTENSION]
    scheduler = schedule.start(services.store, services.settings)
    atexit.register(scheduler.shutdown, wait=False)
    return app


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
