"""What terminals say of themselves: the newest report of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import delete, select

from backend.audit.log import append
from backend.identity.terminals import Terminal
from backend.kernel.ids import b64, sha256
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction

LEAST_SECONDS = 10
"""A terminal reports no more often than this: each report is a leaf."""
_R = tables.reports.c


def keep(door: Door, terminal: Terminal, body: Mapping[str, Any]) -> None:
    """Keeps a report in place of the one before, with a leaf ``terminal.report`` of its digest.

    Raises Problem ``terminal.busy`` when it comes too soon after that.
    """
    said = orjson.dumps(body)
    key = {"facility": terminal.facility, "terminal": terminal.terminal}

    def work(transaction: Transaction) -> None:
        mine = (_R.facility == terminal.facility, _R.terminal == terminal.terminal)
        before = transaction.connection.execute(select(_R.at).where(*mine)).scalar_one_or_none()
        if before is not None and 0 <= transaction.now - before < LEAST_SECONDS * 1000:
            raise Problem("terminal.busy", retry_after=LEAST_SECONDS)
        transaction.execute(delete(tables.reports).where(*mine))
        transaction.insert(tables.reports, [key | {"at": transaction.now, "body": said}])
        append(transaction, "terminal.report", {"terminal": terminal.terminal, "report": b64(sha256(said))})

    door.write(terminal.facility, work)
