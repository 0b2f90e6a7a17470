"""The parts that routes and commands use, put together by the front door (``wsgi.create_app``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import current_app

from backend.audit.highwater import HighWater
from backend.duty.clockwork import Clockwork
from backend.duty.deliveries import Courier
from backend.duty.foresight import Foresight
from backend.duty.packs import Packs
from backend.facts.alerts import Alerts
from backend.facts.board import Board
from backend.facts.handovers import Handovers
from backend.facts.rosters import Rosters
from backend.facts.rota import Rota
from backend.files.receiving import Receiver
from backend.files.tending import Tending
from backend.files.uploads import Uploads
from backend.identity.confirmations import Confirmer
from backend.identity.contacts import Contacts
from backend.identity.keyring import Keyring
from backend.identity.proofs import Nonces
from backend.identity.rates import Throttle
from backend.identity.sessions import Sessions
from backend.identity.tokens import Tokens
from backend.imports.importer import Importer
from backend.kernel.clock import Clock
from backend.settings import Settings
from backend.storage.door import Door
from backend.storage.engine import Store
from biometrics.engines import Engine
from mobile_api.intake import Intake
from sync.news import Herald
from sync.reading.attachments import Attachments
from sync.reading.pull import Puller
from sync.reading.repair import Repairer
from sync.reading.sightings import Audience, Sightings
from sync.reading.sights import Sights
from sync.reading.snapshots import Snapshots
from sync.streaming.hub import Hub
from sync.writing.commit import Commits
from sync.writing.local import Desk
from sync.writing.outcomes import Outcomes
from sync.writing.push import Pusher

EXTENSION = "roundsman"


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a request may need."""

    settings: Settings
    clock: Clock
    store: Store
    door: Door
    highwater: HighWater
    herald: Herald
    hub: Hub
    commits: Commits
    keyring: Keyring
    nonces: Nonces
    tokens: Tokens
    throttle: Throttle
    sessions: Sessions
    confirmer: Confirmer
    pusher: Pusher
    outcomes: Outcomes
    sights: Sights
    puller: Puller
    repairer: Repairer
    snapshots: Snapshots
    sightings: Sightings
    audience: Audience
    alerts: Alerts
    board: Board
    handovers: Handovers
    packs: Packs
    rosters: Rosters
    rota: Rota
    desk: Desk
    contacts: Contacts
    clockwork: Clockwork
    foresight: Foresight
    courier: Courier
    importer: Importer
    intake: Intake
    uploads: Uploads
    receiver: Receiver
    tending: Tending
    attachments: Attachments
    faces: Engine


def services() -> Services:
    """The services of the current application."""
    return cast(Services, current_app.extensions[EXTENSION])
