"""The administrator's process, ``python -m torture.desk``: one JSON request a line in, one JSON answer a line out.

It holds the application open beside the servers and takes its turn at the store's lock like any command, but without
a command's start. ``{"do": "flask", "words": […]}`` is exactly a ``flask`` command.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any

import orjson
from argon2 import PasswordHasher

from backend.domain.custody import GROUNDS
from backend.domain.posts import Post
from backend.identity import facilities, officers, terminals
from backend.identity.officers import NewOfficer, Officer
from backend.kernel.ids import uuid7
from backend.records.registry import kinds
from mobile_api.services import EXTENSION, Services
from sync.writing.local import Act
from torture import town
from torture.entry import create

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Desk:
    """Does what it is asked, one thing after the other."""

    def __init__(self) -> None:
        self._app = create()
        self._services: Services = self._app.extensions[EXTENSION]

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """``{"ok": …, …}``."""
        return dict(getattr(self, f"_{asked.pop('do')}")(**asked))

    def _found(self) -> dict[str, Any]:
        """Founds the facility with its officers, places and persons; returns the ids and the server's abilities."""
        here = self._services
        facilities.found(here.door, town.FACILITY, "刑具测试看守所", "KSS", here.keyring.head)
        names = [*town.OFFICERS, *town.places(), *town.persons()]
        ids = {name: uuid7(here.clock.now()) for name in names}
        new = [
            NewOfficer(
                ids[number], number, f"officer {number}", (Post(town.post(number)),), town.SECRET,
                tuple(ids[ward] for ward in wards),
            )
            for number, wards in town.OFFICERS.items()
        ]  # fmt: skip
        officers.add(here.door, town.FACILITY, new, CHEAP)
        self._act(ids, "ADM1", [self._place(ids, code) for code in town.places()])
        self._act(ids, "INT1", [self._person(ids, name) for name in town.persons()])
        return {"ids": ids} | self._abilities()

    def _act(self, ids: dict[str, str], number: str, acts: list[Act]) -> None:
        who = Officer(town.FACILITY, ids[number], number, f"officer {number}", (town.post(number),))
        outcomes = self._services.desk.act(who, acts)
        refused = [outcome for outcome in outcomes if outcome["status"] != "applied"]
        if refused:
            raise RuntimeError(f"not applied: {refused[0]}")

    def _place(self, ids: dict[str, str], code: str) -> Act:
        kind, ward = town.places()[code]
        fields = {
            "type": kind, "code": code, "name": f"处所{code}", "parent": ids[ward] if ward else None,
            "position": 1, "tags": [] if kind == "ward" else [town.tag(code)],
        }  # fmt: skip
        return Act("place", "create", ids[code], fields)

    def _person(self, ids: dict[str, str], name: str) -> Act:
        cell = ids[town.persons()[name]]
        fields = {"number": f"2026-{name}", "name": f"测试{name}", "sex": "m", "cell": cell, "state": "held"}
        return Act("person", "create", ids[name], fields)

    def _abilities(self) -> dict[str, Any]:
        verbs = {
            kind.name: {
                name: {
                    "creates": verb.creates, "signoff": verb.signoff,
                    "edits": verb.edits, "watches": list(verb.watches), "removes": verb.removes,
                }
                for name, verb in kind.verbs.items()
            }
            for kind in kinds().values()
        }  # fmt: skip
        commands = {name: sorted(getattr(group, "commands", {})) for name, group in self._app.cli.commands.items()}
        routes = sorted({rule.rule for rule in self._app.url_map.iter_rules()})
        return {"verbs": verbs, "routes": routes, "commands": commands, "ground": next(iter(GROUNDS))}

    def _code(self) -> dict[str, Any]:
        return {"code": terminals.make_code(self._services.door, town.FACILITY, "torture")[0]}

    def _flask(self, words: list[str]) -> dict[str, Any]:
        done = self._app.test_cli_runner().invoke(args=words)
        fault = "".join(traceback.format_exception(done.exception)) if done.exception else ""
        return {"exit": done.exit_code, "said": done.output, "fault": "" if done.exit_code in (1, 2) else fault}


def main() -> None:
    """Answers until the input ends."""
    desk = Desk()
    print('{"ready":true}', flush=True)
    for line in sys.stdin:
        try:
            told = {"ok": True} | desk.answer(orjson.loads(line))
        except Exception as fault:  # noqa: BLE001 - the driver is told, whatever it was
            told = {"ok": False, "fault": "".join(traceback.format_exception(fault))}
        sys.stdout.write(orjson.dumps(told).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
