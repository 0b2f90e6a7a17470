"""Invariant 5: leaves, roots, heads; one leaf for each receipt, final outcome and version, and none too many."""

from __future__ import annotations

import json
from typing import Any

from torture.checker.findings import Verdict
from torture.checker.hashing import Signed, Tree, data, sha, text
from torture.checker.history import History
from torture.checker.store import Store

Roots = dict[tuple[int, int], bytes]


def check(history: History, stores: list[Store], verdict: Verdict) -> None:
    """Checks the log of each store, and every head that any terminal was shown against the logs."""
    known: Roots = {}
    for number, store in enumerate(stores):
        log = _Log(store, verdict)
        for place, root in log.roots.items():
            if number == 0 or place[0] == log.last_epoch:
                known.setdefault(place, root)
        log.check_operations()
        log.check_versions()
        if number:
            log.check_opening(history, number)
    _check_shown(history, known, verdict)


class _Log:
    def __init__(self, store: Store, verdict: Verdict) -> None:
        self.store, self.verdict = store, verdict
        self.roots: Roots = {}
        self.said: dict[tuple[int, int], dict[str, Any]] = {}
        self._walk()
        self.last_epoch: int = store.facility.epoch

    def _walk(self) -> None:
        tree, epoch = Tree(), 0
        for row in sorted(self.store["leaves"], key=lambda row: (row.epoch, row.position)):
            if row.epoch != epoch:
                tree, epoch = Tree(), row.epoch
                self.roots[epoch, 0] = tree.root()
            if row.position != tree.size:
                self.verdict.add(5, "log.gap", f"leaf {tree.size} of epoch {epoch} is missing")
                return
            tree.add(row.body)
            self.roots[epoch, tree.size] = tree.root()
            self.said[epoch, row.position] = json.loads(row.body)
        self.verdict.counts["leaves"] += len(self.said)
        for row in self.store["tree_heads"]:
            if self.roots.get((row.epoch, row.size)) != row.root:
                self.verdict.add(5, "log.root", f"the head of size {row.size} is not the root of the leaves")
        facility = self.store.facility
        size = max((place for epoch, place in self.said if epoch == facility.epoch), default=-1) + 1
        if size != facility.size:
            self.verdict.add(5, "log.size", f"the facility counts {facility.size} leaves, there are {size}")

    def check_operations(self) -> None:
        """Each operation's leaf says what its row says; each receipt has a leaf of its own; no leaf is left over."""
        left = {place for place, leaf in self.said.items() if leaf["act"] in ("operation", "held")}
        for row in self.store["operations"]:
            act = "held" if row.status == "held" else "operation"
            self._expect(row, act, (row.epoch, row.leaf), row.outcome, row.status, left)
        for row in self.store["holds"]:
            operation = self.store.by_place.get((row.terminal, row.incarnation, row.n))
            if operation is None:
                self.verdict.add(2, "custody.lost", f"a receipt for {row.n} without its operation", row.terminal)
            elif operation.status != "held":
                self._expect(operation, "held", (row.epoch, row.leaf), row.receipt, "held", left)
        for place in sorted(left):
            leaf = self.said[place]
            self.verdict.add(5, "log.twice", f"leaf {place} gives an operation one outcome too many", leaf["op"])

    def _expect(
        self, row: Any, act: str, place: tuple[int, int], outcome: bytes, status: str, left: set[tuple[int, int]]
    ) -> None:
        leaf, name = self.said.get(place), f"{row.status} operation {row.n} ({row.op})"
        left.discard(place)
        if leaf is None or leaf["act"] != act:
            self.verdict.add(5, "log.skipped", f"{name} has no leaf", row.op, row.terminal)
            return
        told = (
            leaf["terminal"],
            leaf["incarnation"],
            leaf["n"],
            leaf["op"],
            leaf["hash"],
            leaf["status"],
            leaf["outcome"],
        )
        true = (row.terminal, row.incarnation, row.n, row.op, text(row.hash), status, text(sha(outcome)))
        if told != true:
            self.verdict.add(5, "log.differs", f"{name} differs from its leaf: {told} {true}", row.op, row.terminal)

    def check_versions(self) -> None:
        """Each version is the bytes that exactly one leaf says."""
        told: dict[tuple[str, int], str] = {}
        for place, leaf in self.said.items():
            made = [[leaf["record"], leaf["version"], leaf["row"]]] if "row" in leaf else []
            for record, version, row in [*made, *leaf.get("also", [])]:
                if (record, version) in told:
                    self.verdict.add(5, "log.version_twice", f"leaf {place} makes {record}/{version} again", record)
                told[record, version] = row
        for (record, version), body in self.store.bodies.items():
            row = told.pop((record, version), None)
            if row is None:
                self.verdict.add(5, "log.version_skipped", f"{record}/{version} has no leaf", record, body.said["op"])
            elif data(row) != sha(body.raw):
                self.verdict.add(5, "log.version_differs", f"{record}/{version} is not the bytes of its leaf", record)
        for record, version in told:
            self.verdict.add(1, "log.version_lost", f"{record}/{version} has a leaf but is not there", record)

    def check_opening(self, history: History, number: int) -> None:
        """An epoch's first leaf states where the one before it had ended in the store that was restored, and who knows
        that more was signed: the high-water mark beside the database, and what terminals showed later."""
        first = self.said.get((self.last_epoch, 0))
        if first is None or first["act"] != "epoch.opened":
            self.verdict.add(5, "epoch.unsigned", f"epoch {self.last_epoch} does not begin with its opening")
            return
        old = first["previous"]
        size = max((place for epoch, place in self.said if epoch == old["epoch"]), default=-1) + 1
        if size != old["size"] or text(self.roots.get((old["epoch"], size), b"")) != old["root"]:
            self.verdict.add(5, "epoch.previous", f"epoch {self.last_epoch} states another end of the one before")
        named = {(each["epoch"], each["size"]) for each in first["witnesses"]}
        begun = [event for event in history.director if event["what"] == "restore.begin"][number - 1]
        for jws in begun["marks"]:
            mark = _payload(jws)
            if mark["epoch"] == old["epoch"] and mark["size"] > size and (mark["epoch"], mark["size"]) not in named:
                what = f"epoch {self.last_epoch} does not name the mark of {mark['size']} leaves beside the database"
                self.verdict.add(5, "epoch.unwitnessed", what)
        self._check_witnesses(history, old["epoch"], size)

    def _check_witnesses(self, history: History, epoch: int, size: int) -> None:
        listed = {(row.epoch, row.size) for row in self.store["witnesses"]}
        for event in history.events:
            if event["what"] == "told" and event.get("shown") and f'"epoch":{self.last_epoch},' in event["answer"]:
                head = _payload(event["shown"])
                if head["epoch"] == epoch and head["size"] > size and (epoch, head["size"]) not in listed:
                    what = (
                        f"{event['who']} showed a head of {head['size']} leaves of epoch {epoch}; nobody has noted it"
                    )
                    self.verdict.add(5, "epoch.unheard", what, event["who"])


def _payload(jws: str) -> dict[str, Any]:
    return dict(json.loads(data(jws.split(".")[1])))


def _check_shown(history: History, known: Roots, verdict: Verdict) -> None:
    lives = [life for life in history.lives.values() if life.server_key]
    if not lives:
        return
    key = Signed(lives[0].server_key)
    for life in lives:
        for jws in life.heads:
            head = key.read(jws, "roundsman-head+jwt")
            verdict.counts["heads"] += 1
            if head is None:
                verdict.add(
                    5, "head.signature", f"{life.who} was shown a head that the server did not sign", life.terminal
                )
                continue
            root = known.get((head["epoch"], head["size"]))
            if root is None:
                verdict.add(5, "head.beyond", f"{life.who} was shown {head}, which no log reaches", life.terminal)
            elif text(root) != head["root"]:
                verdict.add(5, "head.root", f"{life.who} was shown {head}, which is not the log's root", life.terminal)
