"""News as they happen (docs/protocol.md §9)."""

from __future__ import annotations

from flask import Response

from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import services

EVENTS = "text/event-stream"
blueprint = Blueprint("stream", __name__, url_prefix="/v1/sync", description="News as they happen")


@blueprint.get("/stream")
@signed_in()
@blueprint.response(200, {"type": "string"}, content_type=EVENTS)
@blueprint.problems(503)
def stream() -> Response:
    """Hear at once of news in the caller's scope, and of alarms with their row. The answer lasts as long as the session."""
    # Handed through as it is: the HTTP server asks it for each chunk, and closes it.
    events = services().hub.open(session())
    headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
    return Response(events, content_type=EVENTS, headers=headers, direct_passthrough=True)
