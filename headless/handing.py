"""Handing over (protocol section 14, `handover`): signed on one terminal by both, or taken over by a code, without signal."""

from __future__ import annotations

from typing import Any

import orjson

from headless import chain
from headless.errors import Refused
from headless.patrol import BY_SESSION
from headless.terminal import Terminal

CODE = "roundsman-handover:1"
SINCE = "/v1/since"


def offer(terminal: Terminal, fields: dict[str, Any], second: dict[str, str] | None = None) -> tuple[str, str]:
    """Sign what is handed over. `second`: `{officer, session}` of who takes over and signs at this terminal. Returns the
    handover's id, and what the code for his own terminal shows."""
    record = chain.uuid7()
    signoff = BY_SESSION if second is None else BY_SESSION | {"second": second | {"method": "session"}}
    op = terminal.capture("handover", "sign", record, fields, signoff=signoff)
    return record, ":".join((CODE, record, op, digest_of(fields)))


def take(terminal: Terminal, code: str) -> str:
    """Take over what a code shows: sign its digest here. Returns the operation's id; raises Refused for another code."""
    begin, _, rest = code.rpartition(f"{CODE}:")
    parts = rest.split(":")
    if begin or len(parts) != 3:
        raise Refused("not the code of a handover")
    record, op, digest = parts
    fields = {"digest": digest}
    return terminal.capture("handover", "receive", record, fields, base=1, after=[op], signoff=BY_SESSION)


def digest_of(fields: dict[str, Any]) -> str:
    """SHA-256 over the fields of `sign` as canonical JSON (RFC 8785), base64url."""
    return chain.b64u(chain.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)))


def since(terminal: Terminal) -> dict[str, Any]:
    """What has happened since the officer was last here, on one page. Needs signal; raises Offline."""
    return terminal.ask("GET", SINCE)


def page(terminal: Terminal) -> list[str]:
    """The same as lines of text."""
    told = since(terminal)
    moved = told["persons"]
    lines = [
        f"{told['since']} – {told['until']}",
        f"人员 persons: {moved['came']} came, {moved['left']} left, {moved['changed']} changed",
        f"勤务 duties: {len(told['open'])} open, {len(told['missed'])} missed",
    ]
    lines += [
        f"交接班 handover {each['state']}: {each['since']} – {each['until']} {each['words'] or ''}".rstrip()
        for each in told["handovers"]
    ]
    return lines + [
        f"  {each['at']} {each['kind']:<14} {each['state']:<12} {each['by']['name']} {each['record']}"
        for each in told["changes"]
    ]
