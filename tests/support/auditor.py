"""An officer who asks the auditor's views, from a terminal of his own."""

from __future__ import annotations

from typing import Any

import orjson

from tests.support import store
from tests.support.caller import Caller, is_problem
from tests.support.world import World

REPORT = {
    "app": "0.3.1",
    "platform": "Android 13",
    "battery": 81,
    "charging": False,
    "storage_used": 4096,
    "storage_quota": None,
    "persisted": True,
    "queue": 2,
    "oldest_waiting": None,
}
"""What a terminal says of itself, but for its clock."""


class Auditor:
    """Asks ``/v1/audit/…``; by default as the auditor of the sync."""

    def __init__(self, world: World, name: str = "AUD") -> None:
        self.world = world
        self.caller = Caller.of(world, name)

    def see(self, view: str, **query: Any) -> dict[str, Any]:
        """The answer of a view."""
        response = self.caller.ask("GET", f"/v1/audit/{view}", query_string=query)
        assert response.status_code == 200, (view, response.data)
        found: dict[str, Any] = orjson.loads(response.data)
        return found

    def refused(self, view: str, **query: Any) -> str:
        """The code of the problem that a view answers."""
        return is_problem(self.caller.ask("GET", f"/v1/audit/{view}", query_string=query))

    def pages(self, view: str, name: str, **query: Any) -> list[dict[str, Any]]:
        """All entries of a view, page by page; every page but the last says where to go on."""
        found: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            page = self.see(view, **query, **after)
            found += page[name]
            if page["after"] is None:
                return found
            after = {"after": page["after"]}

    def readings(self) -> list[dict[str, Any]]:
        """The leaves that say who was shown values."""
        return [leaf for leaf in store.leaves(self.world) if leaf["act"] == "view.read"]
