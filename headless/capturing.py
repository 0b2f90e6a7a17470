"""What an officer does and sees at the terminal, with or without signal: captures, edits, disputes, his view of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from headless import chain
from headless.core import Core
from headless.errors import Refused
from headless.outbox import HELD, WAITING
from headless.store import Place, Queued

SCHEMA = 1  # of a kind that this terminal has not read from GET /v1/kinds
UNSETTLED = ("open", "routed")
Seen = Mapping[str, Any]


class Capturing(Core):
    """Operations into the queue; rows as their officer sees them."""

    def capture(
        self,
        kind: str,
        verb: str,
        record: str,
        fields: dict[str, Any],
        *,
        base: int = 0,
        after: Sequence[str] | None = None,
        seen: Seen | None = None,
        signoff: dict[str, Any] | None = None,
        attachments: Sequence[str] = (),
        observed_at: datetime | None = None,
        officer: str | None = None,
        session: str | None = None,
        schema: int = SCHEMA,
    ) -> str:
        """Queue an operation (protocol section 5); needs no signal. Returns its id (`op`).

        `after` gets this terminal's previous operation on the record added; officer and session are those of the
        current sign-in unless given; `seen` is left out when None. Where the verb's `confirm` is true, `signoff` has the
        `confirmation` that `Terminal.confirm` returned for the same record, base and fields. Raises Refused for what
        cannot be an operation; no number is used then.
        """
        if officer is None or session is None:
            current = self._session()
            officer, session = officer or current.officer, session or current.session
        op, terminal = chain.uuid7(), self.store.identity().terminal
        said = {
            "kind": kind,
            "schema": schema,
            "verb": verb,
            "record": record,
            "base": base,
            "officer": officer,
            "session": session,
            "signoff": signoff,
            "attachments": list(attachments),
            "fields": fields,
        }
        if seen is not None:
            said["seen"] = dict(seen)

        def build(place: Place) -> bytes:
            where = {"op": op, "terminal": terminal, "incarnation": place.incarnation, "n": place.n}
            needed = {"after": _after(after or (), place.previous), "anchor": place.anchor.anchor()}
            return chain.canonical(where | said | needed | self._times(observed_at))

        self.store.enqueue(op, kind, verb, record, officer, build)
        return op

    def _times(self, observed_at: datetime | None) -> dict[str, Any]:
        """The device's clocks at this moment. Read while the number is given, so that they rise with the numbers."""
        now = self.clock.now()
        return {
            "observed_at": chain.rfc3339(observed_at or now),
            "recorded_at": chain.rfc3339(now),
            "clock": {"boot": self.clock.boot, "monotonic": self.clock.monotonic()},
        }

    def edit(
        self,
        kind: str,
        verb: str,
        record: str,
        changes: dict[str, Any],
        *,
        after: Sequence[str] | None = None,
        seen: Seen | None = None,
        signoff: dict[str, Any] | None = None,
        observed_at: datetime | None = None,
        schema: int | None = None,
    ) -> str:
        """Queue a change of a record: `base` is the version held here, `seen` what its officer has before him.

        That is the server's row with his own operations upon it that it does not show yet. What the verb compares, its
        kind says (`learn_kinds`); without its word, the fields that change. `seen` adds to that or replaces it: a state
        to which his own unsent operation has brought the record is known to nobody but him. What was confirmed of
        the version held is captured before the next pull, which may bring another. Raises Refused when no such row is held.
        """
        row = self.view(record)
        if row is None:
            raise Refused(f"record {record} is not held here")
        form = self._form(kind, verb)
        compared = [*(changes if form.get("edits", True) else ()), *form.get("watches", ())]
        return self.capture(
            kind,
            verb,
            record,
            changes,
            base=row["version"],
            seen={name: _shown(row, name) for name in compared} | dict(seen or {}),
            after=after,
            signoff=signoff,
            observed_at=observed_at,
            schema=form.get("schema", SCHEMA) if schema is None else schema,
        )

    # Disputes

    def conflicts(self) -> list[dict[str, Any]]:
        """The conflicts held that nobody has settled, as rows (protocol section 10)."""
        return [row for row in self.store.rows("conflict") if row["doc"]["state"] in UNSETTLED]

    def settle(self, conflict: str, choice: dict[str, str], reason: str) -> str:
        """Settle a conflict held here, in whole or in part; needs no signal. Returns the operation's id.

        `choice`: field -> "server", or the `op` of the candidate whose value shall stand. Raises Refused when no such
        conflict is held, or a choice is none of its values.
        """
        row = next((row for row in self.store.rows("conflict", conflict)), None)
        if row is None:
            raise Refused(f"conflict {conflict} is not held here")
        server = row["doc"]["server"]
        offered = {each["op"]: each["fields"] for each in row["doc"]["candidates"]}
        for field, chosen in choice.items():
            if field not in server or (chosen != "server" and field not in offered.get(chosen, {})):
                raise Refused(f"choice: {field}: {chosen} is none of the values in dispute")
        fields = {"saw": list(offered), "server": server, "choice": choice, "reason": reason}
        schema = self._form("conflict", "settle").get("schema", SCHEMA)
        return self.capture("conflict", "settle", conflict, fields, base=row["version"], schema=schema)

    # What the officer sees

    def rows(self, kind: str | None = None, *, pending: bool = False) -> list[dict[str, Any]]:
        """The rows held, in the server's order (protocol section 7), or those of a kind.

        With `pending`, as their officer sees them: his own operations that the server's rows do not show yet stand upon
        them. Such a row has the key `pending`, a list of operations; one that only the queue knows comes last.
        """
        held = self.store.rows(kind)
        if not pending:
            return held
        laid: dict[str, list[Queued]] = {}
        for queued in self._unseen(kind):
            laid.setdefault(queued.record, []).append(queued)
        shown = [_overlaid(row, laid.pop(row["id"], [])) for row in held]
        made = [_overlaid(None, operations) for operations in laid.values()]
        return [row for row in [*shown, *made] if row is not None]

    def view(self, record: str) -> dict[str, Any] | None:
        """One record as `rows(pending=True)` shows it; None when neither the server's rows nor the queue have it."""
        held = self.store.rows(record=record)
        laid = [queued for queued in self._unseen(None, record) if queued.record == record]
        return _overlaid(held[0] if held else None, laid)

    def _unseen(self, kind: str | None, record: str | None = None) -> list[Queued]:
        """The officer's own operations that the rows held do not show: not judged yet, or judged since the last pull.

        Another officer's are none of his business: he did not see those values.
        """
        reader = self.store.identity().reader
        _, at = self.store.pulled()
        found = self.store.queue(kind=kind, record=record, officer=reader)
        return [queued for queued in found if queued.status in (WAITING, HELD) or _newer(queued, at)]

    # Kinds

    def learn_kinds(self) -> dict[str, Any]:
        """Fetch the kinds (`GET /v1/kinds`) and keep them for captures without signal. Returns them by name."""
        told = self.wire.ask_open("/v1/kinds")
        kinds = {kind["name"]: kind for kind in told["kinds"]}
        self.store.note("kinds", kinds)
        return kinds

    def _form(self, kind: str, verb: str) -> dict[str, Any]:
        """The verb as the server described it, with its kind's schema; empty when the kinds were never fetched."""
        known = self.store.fact("kinds", {}).get(kind)
        if known is None:
            return {}
        return {**known["verbs"].get(verb, {}), "schema": known["schema"]}


def _shown(row: dict[str, Any], field: str) -> Any:
    """What a row shows of a field (protocol section 14): null where it is absent; the state is the row's own."""
    return row["doc"].get(field, row["state"] if field == "state" else None)


def _newer(queued: Queued, at: int) -> bool:
    return queued.outcome is not None and queued.outcome.get("seq", 0) > at


def _overlaid(row: dict[str, Any] | None, operations: list[Queued]) -> dict[str, Any] | None:
    """The server's row with these operations upon it, in their order. The version stays the server's: 1 before it has one."""
    if row is None and not operations:
        return None
    version, doc = (row["version"], dict(row["doc"])) if row else (1, {})
    shown = []
    for queued in operations:
        if row is not None and (queued.outcome or {}).get("version", version + 1) <= version:
            continue  # the row shows it already
        operation = queued.operation
        if operation["base"] == 0 or set(operation["fields"]) <= set(operation.get("seen", {})):
            doc |= operation["fields"]
        shown.append(queued.op)
    if not shown:
        return row
    made = row or {"id": operations[0].record, "kind": operations[0].kind, "seq": None, "state": None}
    return {**made, "version": version, "doc": doc, "pending": shown}


def _after(named: Sequence[str], previous: str | None) -> list[str]:
    """The operations needed, each once. Raises Refused beyond the protocol's number."""
    needed = list(dict.fromkeys([*named, *([previous] if previous else [])]))
    if len(needed) > chain.MAX_AFTER:
        raise Refused(f"after: {len(needed)} operations are more than {chain.MAX_AFTER}")
    return needed
