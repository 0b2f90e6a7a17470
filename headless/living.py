"""The turns in a terminal's life: a new incarnation after a fork or a restore, evacuation, the wipe."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from headless import chain, proof
from headless.carrying import Carrying
from headless.errors import Broken, Frozen, Problem
from headless.pushing import EVACUATE, Pushing
from headless.store import Answer, Batch, Identity

T = TypeVar("T")
INCARNATIONS, WIPED = "/v1/terminals/incarnations", "/v1/terminals/wiped"
WIPE = "wipe"
_UNKNOWN = frozenset({"terminal.unknown", "proof.invalid"})
"""What a server answers to a key of which it was restored to know nothing."""


@dataclass(frozen=True)
class Evacuated:
    """What an evacuation came to: outcomes learnt, and the receipt once the terminal has been wiped (None: not ordered).

    Until a verified backup has everything it is not ordered; a terminal that is an older copy, or that has lost a part of
    its queue, never is.
    """

    outcomes: list[dict[str, Any]]
    receipt: dict[str, Any] | None


class Living(Pushing, Carrying):
    """What happens once in a terminal's life, if at all. Each may be begun again at any line."""

    def push(
        self, limit: int = chain.MAX_BATCH, *, skip: Collection[int] = (), urgent: Collection[str] = ()
    ) -> list[dict[str, Any]]:
        """As `Pushing.push`. A server restored to before this incarnation was issued is asked for it again, first."""
        return self._recognised(lambda: Pushing.push(self, limit, skip=skip, urgent=urgent))

    def _recognised(self, step: Callable[[], T]) -> T:
        """Do a step; where the server does not know this key, and there were others, claim the incarnations again."""
        self._calm()
        try:
            return step()
        except Problem as problem:
            if problem.code not in _UNKNOWN or not self.store.former_keys():
                raise
            with self.store.lead.held():
                self._reissued(problem)
            return step()

    # A new incarnation

    def renew(self) -> Identity:
        """After a fork, or when this database is an older copy: ask for a new incarnation with a new key (section 6).

        Operations without a final outcome stand on the new chain afterwards, each with its `op`; the officer signs in
        again. Without a reason to renew nothing is asked. Raises Frozen when another copy of this terminal was
        quicker (`incarnation.taken`): that queue is kept, and the device enrols anew on another file.
        """
        with self._vigil(), self.store.lead.held():
            identity = self.store.identity()
            if identity.frozen is None:
                return identity
            if identity.frozen.get("code") == "incarnation.taken":
                raise Frozen(identity.frozen)
            reason = "restored" if identity.frozen.get("code") == "terminal.behind" else "fork"
            new = proof.Key(self.store.next_key(proof.new_key))
            try:
                told = self._claimed(proof.Key(identity.pem), new, identity, reason)
            except Problem as problem:
                if problem.code != "incarnation.taken":
                    raise
                self.store.freeze(problem.body)
                raise Frozen(problem.body) from problem
            incarnation, genesis, head = self._issued(told, identity, new)
            if incarnation <= identity.incarnation:
                raise Broken(f"incarnation {incarnation} after {identity.incarnation}")
            self.store.succeed(incarnation, genesis, head)
            self._met = True
            self.unsupported = frozenset()
            return self.store.identity()

    def _reissued(self, unknown: Problem) -> None:
        """Claim each incarnation once more by the key before it, from the newest key that the server knows.

        The same request gets the same answer, so the chains begin as they did. Raises `unknown` when it knows no key.
        """
        identity = self.store.identity()
        after = proof.Key(identity.pem)
        claims: list[tuple[proof.Key, proof.Key]] = []
        for _, pem in self.store.former_keys():
            before = proof.Key(pem)
            claims.insert(0, (before, after))
            after = before
            try:
                told = self._claimed(before, claims[0][1], identity, "restored")
                break
            except Problem as problem:
                if problem.code not in _UNKNOWN:
                    raise
        else:
            raise unknown
        for by, new in claims[1:]:
            self._issued(told, identity, by)
            told = self._claimed(by, new, identity, "restored")
        incarnation, genesis, head = self._issued(told, identity, proof.Key(identity.pem))
        if (incarnation, genesis) != (identity.incarnation, identity.genesis):
            raise Broken("the incarnation was issued again, and is another one")
        self.store.keep_head(head)

    def _claimed(self, by: proof.Key, new: proof.Key, identity: Identity, reason: str) -> dict[str, Any]:
        body = {"jwk": new.jwk, "proof": new.claim(identity.terminal), "reason": reason}
        return self.wire.ask(by, "POST", INCARNATIONS, body)

    def _issued(self, told: dict[str, Any], identity: Identity, new: proof.Key) -> tuple[int, str, proof.Head]:
        try:
            incarnation, genesis, terminal = told["incarnation"], told["genesis"], told["terminal"]
            head = self._verified(told["head"])
        except (KeyError, TypeError) as error:
            raise Broken(f"incarnation: {error!r}") from error
        thumbprint = proof.thumbprint(new.jwk)
        if terminal != identity.terminal or genesis != chain.genesis(
            identity.facility, identity.terminal, incarnation, thumbprint
        ):
            raise Broken("incarnation: genesis is not the one computed here")
        return incarnation, genesis, head

    # The end

    def evacuate(self, limit: int = chain.MAX_BATCH) -> Evacuated:
        """After 403 `terminal.revoked`: hand in everything; on the order to wipe, destroy store and key (section 6).

        Where the order is to keep, everything stays as it is: ask again later. Raises Problem (`evacuation.not_ordered`
        when the terminal is active), Frozen, Offline, Broken; the queue is kept until the order to wipe has come.
        """
        with self._vigil(), self.store.lead.held():
            learnt = [] if self.store.fact("order") == WIPE else self._hand_in(limit)
            self.upload()
            if self.store.fact("order") != WIPE:
                return Evacuated(learnt, None)
            self._report_wipe()
            return Evacuated(learnt, self.store.wipe(chain.rfc3339(self.clock.now())))

    def _hand_in(self, limit: int) -> list[dict[str, Any]]:
        learnt: list[dict[str, Any]] = []
        last: Answer | None = None
        while last is None or last.order is None:
            batch = self._next_to_hand_in(limit, last)
            if batch is None:
                break
            try:
                last, fresh = self._exchange(self.store.identity(), batch, EVACUATE)
                learnt += fresh
            except Problem as problem:
                if problem.status != 413 or len(batch.operations) < 2:
                    raise self._refused(problem) from problem
                limit = len(batch.operations) // 2
        return learnt

    def _next_to_hand_in(self, limit: int, last: Answer | None) -> Batch | None:
        """What waits; then what the server says it lacks, whatever became of it; else, once, a sign that nothing is left."""
        batch = self.store.batch(None, limit)
        if batch.operations:
            return batch
        if last is None:
            return self.store.again(batch.captured)
        lacking = [queued.n for queued in self._present() if last.lacks(queued.n)]
        return self.store.batch(None, limit) if self.store.reopen(lacking) else None

    def _present(self) -> list[Any]:
        incarnation = self.store.identity().incarnation
        return [queued for queued in self.store.queue() if queued.incarnation == incarnation]

    def _report_wipe(self) -> None:
        """Say so while there is still a key to say it with. A server that knows it already need not hear it again."""
        try:
            self.wire.ask(self._key(), "POST", WIPED)
        except Problem as problem:
            if problem.code != "terminal.unknown":
                raise
