"""The queue: numbers, hashes, outcomes, and what may be forgotten. Part of the store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from headless.chain import MAX_BODY, frame, link
from headless.errors import Broken, NotEnrolled
from headless.identities import Identities
from headless.proof import Head

WAITING, HELD = "waiting", "held"
OPEN = (WAITING, HELD)
"""Not final: the server has not judged it yet, as far as this terminal knows."""

REFUSED = ("rejected", "quarantined")
"""Final, and no version of any record came or will come of it in this epoch."""


@dataclass(frozen=True)
class Queued:
    """One operation of this terminal.

    `outcome` is None and `status` "waiting" until the server's word is known; "held" is its receipt, all others are final.
    """

    incarnation: int
    n: int
    op: str
    kind: str
    verb: str
    record: str
    officer: str
    raw: bytes
    hash: str
    status: str
    outcome: dict[str, Any] | None

    @property
    def operation(self) -> dict[str, Any]:
        """The operation, read from its bytes."""
        parsed: dict[str, Any] = orjson.loads(self.raw)
        return parsed

    @property
    def final(self) -> bool:
        """Whether the server has judged it."""
        return self.status not in OPEN


@dataclass(frozen=True)
class Place:
    """Where the next operation will stand: its number, the hash before it, what came before on its record."""

    n: int
    prior: str
    previous: str | None
    anchor: Head
    incarnation: int


@dataclass(frozen=True)
class Batch:
    """Operations with consecutive numbers for one push; `captured` is the highest number in the queue."""

    prior: str
    operations: list[Queued]
    captured: int

    @property
    def first(self) -> int:
        """The first number; of an empty batch the one that comes next."""
        return self.operations[0].n if self.operations else self.captured + 1

    @property
    def last(self) -> str:
        """The hash that the batch ends with."""
        return self.operations[-1].hash if self.operations else self.prior


@dataclass(frozen=True)
class Answer:
    """What the server said of this chain (protocol section 6), read and with its head verified."""

    epoch: int
    incarnation: int
    next: int
    missing: list[tuple[int, int]]
    safe_upto: int
    outcomes: list[dict[str, Any]]
    head: Head
    order: str | None

    def lacks(self, n: int) -> bool:
        """Whether the server says that it has not got this number. Beyond the last range of gaps it does not say."""
        return n >= self.next and (not self.missing or any(first <= n <= last for first, last in self.missing))


class Outbox(Identities):
    """The operations of the present incarnation, and what became of them."""

    def enqueue(self, op: str, kind: str, verb: str, record: str, officer: str, build: Callable[[Place], bytes]) -> int:
        """Give an operation its number and chain hash and keep its bytes, in one transaction. Returns `n`.

        `build` makes the bytes once the number is known; when it raises, the number is free again.
        """
        with self.transaction():
            anchor = self.head()
            if anchor is None:
                raise NotEnrolled("this terminal is not enrolled")
            place = Place(self._top() + 1, self._end(), self._previous(record), anchor, self.identity().incarnation)
            self._append(place.n, place.prior, op, kind, verb, record, officer, build(place))
            return place.n

    def _append(self, n: int, prior: str, op: str, kind: str, verb: str, record: str, officer: str, raw: bytes) -> str:
        hash_ = link(prior, n, raw)
        told = {"n": n, "op": op, "kind": kind, "verb": verb, "record": record, "officer": officer}
        self._db.table("queue").insert({**told, "raw": raw, "hash": hash_})
        return hash_

    def _top(self) -> int:
        """The highest number given in this incarnation, 0 before the first."""
        last = self._one("SELECT max(n) AS n FROM queue")
        return int(last["n"]) if last and last["n"] else int(self.fact("pruned", (0, ""))[0])

    def _end(self) -> str:
        """The hash that the chain ends with."""
        return self._hash(self._top())

    def _hash(self, n: int) -> str:
        """hash(n): of an operation in the queue, of the last one forgotten, or genesis. Raises Broken for none of them."""
        found = self._one("SELECT hash FROM queue WHERE n = ?", n)
        if found is not None:
            return str(found["hash"])
        pruned, hash_ = self.fact("pruned", (0, ""))
        if n == pruned and n:
            return str(hash_)
        if n:
            raise Broken(f"operation {n} is not held here")
        return self.identity().genesis

    def _previous(self, record: str) -> str | None:
        """This terminal's last operation on a record; of an earlier incarnation, when this one has none.

        A change that was refused is passed over: its officer was told, nothing was seen upon it, and the record would be
        closed to this terminal for good. A refused beginning is not: nothing can stand without it.
        """
        sql = (
            "SELECT op, status, raw FROM (SELECT op, record, n, status, raw, 1 AS present FROM queue"
            " UNION ALL SELECT op, record, n, status, raw, 0 FROM past WHERE wrapped = 0)"
            " WHERE record = ? ORDER BY present DESC, n DESC"
        )
        for row in self._all(sql, record):
            if row["status"] not in REFUSED or orjson.loads(row["raw"])["base"] == 0:
                return str(row["op"])
        return None

    def queue(
        self,
        *,
        kind: str | None = None,
        record: str | None = None,
        status: str | None = None,
        officer: str | None = None,
    ) -> list[Queued]:
        """Operations by number, all or those of a kind, record, status or officer; earlier incarnations' first."""
        wanted = {"kind": kind, "record": record, "status": status, "officer": officer}
        given = {column: value for column, value in wanted.items() if value is not None}
        where = "".join(f" AND {column} = ?" for column in given)
        columns = "n, op, kind, verb, record, officer, raw, hash, status, outcome"
        sql = (
            f"SELECT incarnation, {columns} FROM past WHERE wrapped = 0{where}"  # noqa: S608 - column names are ours
            f" UNION ALL SELECT (SELECT incarnation FROM identity), {columns} FROM queue WHERE 1{where}"
            " ORDER BY 1, 2"
        )
        return [_queued(row) for row in self._all(sql, *given.values(), *given.values())]

    def counts(self) -> dict[str, int]:
        """How many operations there are of each status."""
        sql = (
            "SELECT status, count(*) AS number FROM (SELECT status FROM queue"
            " UNION ALL SELECT status FROM past WHERE wrapped = 0) GROUP BY status ORDER BY status"
        )
        return {row["status"]: row["number"] for row in self._all(sql)}

    def numbers(self, *statuses: str) -> list[int]:
        """Numbers of the present incarnation with these statuses."""
        marks = ", ".join("?" * len(statuses))
        found = self._all(f"SELECT n FROM queue WHERE status IN ({marks}) ORDER BY n", *statuses)  # noqa: S608
        return [row["n"] for row in found]

    def captured(self) -> int:
        """The highest number given."""
        with self._lock:
            return self._top()

    def batch(
        self,
        start: int | None,
        limit: int,
        size: int = MAX_BODY,
        *,
        skip: Collection[int] = (),
        only: Collection[int] | None = None,
    ) -> Batch:
        """The next operations to push, up to `size` bytes of frames: consecutive ones without an outcome.

        From `start`, or the first that waits; without those in `skip`, or only those in `only`.
        """
        with self._lock:
            chosen: list[Queued] = []
            for row in self._candidates(start or 0, limit + len(skip), only):
                queued = _queued(row)
                if queued.n in skip or (chosen and queued.n != chosen[-1].n + 1):
                    if chosen:
                        break
                    continue
                size -= len(frame(queued.n, queued.hash, queued.raw))
                if size < 0 or len(chosen) == limit:
                    break
                chosen.append(queued)
            first = chosen[0].n if chosen else self._top() + 1
            return Batch(self._hash(first - 1), chosen, self._top())

    def _candidates(self, start: int, limit: int, only: Collection[int] | None) -> list[dict[str, Any]]:
        sql = "SELECT *, 0 AS incarnation FROM queue WHERE status = 'waiting' AND n >= ?"
        if only is not None:
            marks = ", ".join("?" * len(only))
            return self._all(f"{sql} AND n IN ({marks}) ORDER BY n LIMIT ?", start, *only, limit)
        return self._all(f"{sql} ORDER BY n LIMIT ?", start, limit)

    def again(self, n: int) -> Batch:
        """One operation of the queue, whatever its outcome, to be sent again."""
        with self._lock:
            row = self._one("SELECT *, 0 AS incarnation FROM queue WHERE n = ?", n)
            if row is None:
                return Batch(self._end(), [], self._top())
            return Batch(self._hash(n - 1), [_queued(row)], self._top())

    # Answers

    def settle(self, answer: Answer, shown: Head | None = None) -> list[dict[str, Any]]:
        """Keep what the server said: outcomes, what is safe, its head, in one transaction. Returns the new outcomes.

        Raises Broken when an operation would get a second, different final outcome within an epoch. When the server
        expects a number that this database has never given, the database is an older copy: it is frozen.
        """
        with self.transaction():
            fresh = [outcome for outcome in answer.outcomes if self._settle_one(answer.epoch, outcome)]
            self._keep_head(answer.head)
            if shown is not None:
                self._shown(shown, answer.epoch)
            self._note("safe", [answer.epoch, answer.safe_upto])
            if answer.order != self.fact("order"):
                self._note("order", answer.order)
            top = self._top()
            if answer.next > top + 1:
                self._freeze({"code": "terminal.behind", "next": answer.next, "captured": top})
            return fresh

    def _settle_one(self, epoch: int, outcome: dict[str, Any]) -> bool:
        row = self._one("SELECT op, status, epoch, outcome FROM queue WHERE n = ?", outcome["n"])
        if row is None or outcome.get("op") not in (None, row["op"]):
            raise Broken(f"outcome of operation {outcome['n']}: not one of ours")
        if row["epoch"] is not None and row["epoch"] > epoch:
            return False  # said before the epoch that we have heard from since
        same = row["outcome"] is not None and orjson.loads(row["outcome"]) == outcome
        if row["epoch"] == epoch and row["status"] not in OPEN and not same:
            raise Broken(f"outcome of operation {outcome['n']}: not the one given before")
        told = {"status": outcome["status"], "epoch": epoch, "outcome": orjson.dumps(outcome).decode()}
        self._db.table("queue").update(outcome["n"], told)
        return not same

    def foreign(self, outcomes: Sequence[dict[str, Any]]) -> list[int]:
        """Numbers under which the server knows another operation than this database."""
        ours = {row["n"]: row["op"] for row in self._all("SELECT n, op FROM queue")}
        return [each["n"] for each in outcomes if each.get("op") not in (None, ours.get(each["n"]))]

    def safe_upto(self) -> int:
        """Up to which number a verified backup covers the chain, by the newest epoch's word."""
        epoch, upto = self.fact("safe", (0, 0))
        head = self.head()
        return int(upto) if head is not None and head.epoch == epoch else 0

    def prune(self) -> int:
        """Forget operations that are final and safe, from the first on; the last one's hash is kept. Returns how many.

        Nothing is forgotten beyond one that must be kept: what is left is always the chain's end.
        """
        with self.transaction():
            head = self.head()
            if head is None or self.fact("agreed_epoch", 0) != head.epoch:
                return 0  # a new epoch has yet to say what it knows
            kept = self._one("SELECT min(n) AS n FROM queue WHERE status IN ('waiting', 'held')")
            upto = self.safe_upto()
            if kept is not None and kept["n"] is not None:
                upto = min(upto, kept["n"] - 1)
            last = self._one("SELECT n, hash FROM queue WHERE n <= ? ORDER BY n DESC LIMIT 1", upto)
            if last is None:
                return 0
            self._note("pruned", [last["n"], last["hash"]])
            return self._run("DELETE FROM queue WHERE n <= ?", last["n"])


def _queued(row: dict[str, Any]) -> Queued:
    values = {name: row[name] for name in Queued.__dataclass_fields__}
    values["outcome"] = None if values["outcome"] is None else orjson.loads(values["outcome"])
    return Queued(**values)
