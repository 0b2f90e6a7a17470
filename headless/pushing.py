"""Operations out: pushes over gaps, outcomes, epochs. Part of the terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from headless import chain, proof
from headless.errors import Broken, Frozen, Problem
from headless.outbox import HELD, WAITING
from headless.store import Answer, Batch, Identity
from headless.vigilance import Vigilant

PUSH, EVACUATE, OUTCOMES = "/v1/sync/push", "/v1/sync/evacuate", "/v1/sync/outcomes"
_PURPOSES = {PUSH: "push", EVACUATE: "evacuation"}


class Pushing(Vigilant):
    """The way of an operation from the queue to its outcome."""

    _met = False
    """Whether the server has been asked, since this object was made, how far it knows the chain."""
    unsupported: frozenset[int] = frozenset()
    """Numbers whose schema the server does not take: they are kept, stepped over, and tried again last."""

    def push(
        self, limit: int = chain.MAX_BATCH, *, skip: Collection[int] = (), urgent: Collection[str] = ()
    ) -> list[dict[str, Any]]:
        """Send what has no outcome yet, up to `limit` operations a request. Returns the outcomes learnt.

        Operations named in `urgent` go first, over the gap that they leave; numbers in `skip` stay behind. What the
        server holds in custody is asked for. Raises Frozen (fork, or an older copy of this database: see `renew`),
        Problem, Offline, Broken; the queue stays as it is.
        """
        with self._vigil(), self.store.lead.held():
            learnt = self._ready()
            if urgent:
                wanted = [queued.n for queued in self.store.queue(status=WAITING) if queued.op in set(urgent)]
                learnt += self._drain(limit, skip, wanted)
            learnt += self._drain(limit, {*skip, *self.unsupported}, None)
            for n in sorted(self.unsupported - set(skip)):
                learnt += self._drain(1, (), [n])
            self._thawed()
            return learnt + self._ask(self.store.numbers(HELD))

    def outcome_of(self, numbers: Iterable[int]) -> Answer:
        """Ask what the server knows of these numbers of the present chain, at most 500 (protocol section 6, Custody)."""
        identity = self.store.identity()
        body = {"incarnation": identity.incarnation, "numbers": list(numbers)}
        try:
            told = self.wire.ask(proof.Key(identity.pem), "POST", OUTCOMES, body)
        except Problem as problem:
            raise self._refused(problem) from problem
        answer = self._read(told, identity)
        foreign = self.store.foreign(answer.outcomes)
        if foreign or answer.next > self.store.captured() + 1:
            # Another life went on from a copy of this database: its numbers must not be used a second time.
            top = self.store.captured()
            self.store.freeze({"code": "terminal.behind", "next": answer.next, "captured": top, "foreign": foreign})
        return answer

    def prune(self) -> int:
        """Forget operations that have a final outcome and that a verified backup covers. Returns how many."""
        return self.store.prune()

    def _thawed(self) -> Identity:
        identity = self.store.identity()
        if identity.frozen is not None:
            raise Frozen(identity.frozen)
        return identity

    def _ready(self) -> list[dict[str, Any]]:
        """Before a push: nothing is wrong with the chain, and the newest epoch has said what it knows of it."""
        self._thawed()
        learnt: list[dict[str, Any]] = []
        if not self._met and self.store.numbers(WAITING, HELD):
            # An older copy of this database finds out here, before it gives a number to the server a second time.
            learnt += self._ask(self.store.numbers(WAITING)[: chain.MAX_BATCH] or [])
            self._met = True
        while not self.store.agreed():
            learnt += self._agree()
        return learnt

    def _ask(self, numbers: list[int]) -> list[dict[str, Any]]:
        """Learn the outcomes of these numbers, where there are any; none at all still asks where the chain stands."""
        learnt: list[dict[str, Any]] = []
        if numbers or not self._met:
            for at in range(0, max(1, len(numbers)), chain.MAX_BATCH):
                answer = self.outcome_of(numbers[at : at + chain.MAX_BATCH])
                self._thawed()
                learnt += self.store.settle(answer)
        return learnt

    def _agree(self) -> list[dict[str, Any]]:
        """A newer epoch has opened: what it does not have is offered again, what it has gets its word (section 12)."""
        head = self.store.head()
        assert head is not None
        asked = self.store.stale(chain.MAX_BATCH)
        if not asked:
            self.store.agree(head.epoch)
            return []
        answer = self.outcome_of(asked)
        if answer.epoch < head.epoch:
            raise Broken(f"outcomes: epoch {answer.epoch} after {head.epoch}")
        self._thawed()
        return self.store.renounce(asked, answer)

    def _drain(self, limit: int, skip: Collection[int], only: Collection[int] | None) -> list[dict[str, Any]]:
        """Push until nothing is left, of all that waits or of `only` these."""
        learnt: list[dict[str, Any]] = []
        skipped = set(skip)
        while True:
            identity = self._thawed()
            batch = self.store.batch(None, limit, skip=skipped, only=only)
            if not batch.operations:
                return learnt
            try:
                learnt += self._push(identity, batch)
            except Problem as problem:
                if problem.status == 413 and len(batch.operations) > 1:  # the server's limit, or a proxy's
                    limit = len(batch.operations) // 2
                elif problem.status == 426:
                    skipped.add(self._step_over(problem, batch))
                else:
                    raise self._refused(problem) from problem
            while not self.store.agreed():
                learnt += self._agree()

    def _step_over(self, problem: Problem, batch: Batch) -> int:
        n = problem.detail.get("n")
        if not isinstance(n, int) or n not in {queued.n for queued in batch.operations}:
            raise Broken(f"schema.unsupported: {n!r} was not sent") from problem
        self.unsupported = self.unsupported | {n}
        return n

    def _push(self, identity: Identity, batch: Batch) -> list[dict[str, Any]]:
        return self._exchange(identity, batch, PUSH)[1]

    def _exchange(self, identity: Identity, batch: Batch, path: str) -> tuple[Answer, list[dict[str, Any]]]:
        """One push or evacuation. Returns the answer and the outcomes learnt from it."""
        witness = self.store.witness()
        claims = {
            "facility": identity.facility,
            "terminal": identity.terminal,
            "incarnation": identity.incarnation,
            "first": batch.first,
            "count": len(batch.operations),
            "prior": batch.prior,
            "last": batch.last,
            "captured": batch.captured,
        }
        if witness is not None:
            claims["head"] = witness.jws
        body = chain.frames((queued.n, queued.hash, queued.raw) for queued in batch.operations)
        signed = proof.Key(identity.pem).push(claims, _PURPOSES[path])
        answer = self._read(self.wire.push(signed, body, path), identity)
        sent = [queued.n for queued in batch.operations]
        # Without an outcome for each, and the server's word that it has them, the loop would send the same for ever.
        if [outcome["n"] for outcome in answer.outcomes] != sent or any(answer.lacks(n) for n in sent):
            raise Broken("push: the answer does not speak of the operations sent")
        self._met = True
        learnt = self.store.settle(answer, witness)
        self.unsupported = self.unsupported - set(sent)
        return answer, learnt

    def _read(self, told: dict[str, Any], identity: Identity) -> Answer:
        """The answer of a push, its form and its head checked. Raises Broken."""
        try:
            answer = Answer(
                epoch=told["epoch"],
                incarnation=told["incarnation"],
                next=told["next"],
                missing=[(first, last) for first, last in told["missing"]],
                safe_upto=told["safe_upto"],
                outcomes=told["outcomes"],
                head=self._verified(told["head"]),
                order=told.get("order"),
            )
            complete = all(outcome["n"] > 0 and outcome["status"] for outcome in answer.outcomes)
            if not complete or told["terminal"] != identity.terminal or answer.incarnation != identity.incarnation:
                raise Broken("the answer speaks of another chain")
        except (KeyError, TypeError, ValueError) as error:
            raise Broken(f"answer of a push: {error!r}") from error
        return answer
