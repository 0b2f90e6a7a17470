"""The parts that routes and commands use, put together by the front door (``wsgi.create_app``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import current_app

from backend.identity.keyring import Keyring
from backend.identity.proofs import Nonces
from backend.identity.sessions import Sessions, Tokens
from backend.kernel.clock import Clock
from backend.settings import Settings
from backend.storage.door import Door
from backend.storage.engine import Store
from biometrics.engines import Engine
from mobile_api.intake import Intake
from sync.local import Desk
from sync.pull import Puller
from sync.push import Pusher

EXTENSION = "roundsman"


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a request may need."""

    settings: Settings
    clock: Clock
    store: Store
    door: Door
    keyring: Keyring
    nonces: Nonces
    tokens: Tokens
    sessions: Sessions
    pusher: Pusher
    puller: Puller
    desk: Desk
    intake: Intake
    faces: Engine


def services() -> Services:
    """The services of the current application."""
    return cast(Services, current_app.extensions[EXTENSION])
