"""Who asks, as leaves of readings name him."""

from __future__ import annotations

from backend.audit.views.readings import Reader
from backend.identity.sessions import Session


def reader(caller: Session) -> Reader:
    """The officer of a session."""
    return Reader(caller.officer.facility, caller.officer.officer, caller.session, caller.terminal)
