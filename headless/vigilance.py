"""What a terminal demands of the server's log: signatures by the right key, and proof that it only grew (section 12)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from headless import proof
from headless.chain import unb64u
from headless.core import Core
from headless.errors import Alarmed, Broken, Contradiction, Offline, Problem
from headless.merkle import verify_consistency
from headless.proof import Head, HeadKey

CONSISTENCY, KEYS, ALARMS = "/v1/audit/consistency", "/v1/audit/keys", "/v1/audit/alarms"
REFUSALS = (404, 422)
"""What a server answers that has no proof to give; anything else may be another answer tomorrow."""


class Vigilant(Core):
    """Believes a head when its key and its proof hold, and stops everything but capture when they do not agree."""

    def prove(self) -> None:
        """Demand the proof that the newest head shown continues the one that was taken, and take it then.

        Without an answer both stay as they are. Raises Alarmed when there is no proof, or one that does not hold.
        """
        self._calm()
        found = self.store.offered()
        if found is None:
            return
        held, shown = found
        query = f"?epoch={held.epoch}&first={held.size}&second={shown.size}"
        try:
            told = self.wire.ask(self._key(), "GET", CONSISTENCY + query)
        except Offline:
            return
        except Problem as problem:
            if problem.status in REFUSALS:
                self._refuse(held, shown)
            return
        try:
            path = [unb64u(each) for each in told["proof"]]
            verify_consistency(held.size, shown.size, unb64u(held.root), unb64u(shown.root), path)
        except (AttributeError, KeyError, TypeError, ValueError):
            self._sound(held, shown, "proof")
        self.store.adopt(held, shown)

    def dismiss_alarm(self) -> bool:
        """Go on after an alarm, from the head that was taken: somebody has looked into it. Whether there was one."""
        return self.store.dismiss_alarm()

    @contextmanager
    def _vigil(self) -> Iterator[None]:
        """Nothing is asked while there is an alarm; two roots for one size raise it. Raises Alarmed."""
        self._calm()
        try:
            yield
        except Contradiction as found:
            self._sound(found.held, found.shown, "roots")

    def _calm(self) -> None:
        """Raises Alarmed while there is an alarm, which is reported until the server has heard of it."""
        alarm = self.store.alarm()
        if alarm is None:
            return
        if not alarm["reported"]:
            body = {name: alarm[name] for name in ("held", "shown", "why")}
            try:
                self.wire.ask(self._key(), "POST", ALARMS, body)
                self.store.alarm_reported()
            except (Offline, Problem):
                pass  # with the next attempt
        raise Alarmed(alarm)

    def _refuse(self, held: Head, shown: Head) -> None:
        """There is no proof. Where the server says to that that it is behind, it was restored, and an epoch will be opened."""
        try:
            self.wire.ask(self._key(), "POST", ALARMS, {"held": held.jws, "shown": shown.jws, "why": "refused"})
        except Offline:
            return
        except Problem as problem:
            if problem.code == "server.behind":
                return
            self._sound(held, shown, "refused")
        self.store.raise_alarm(held, shown, "refused")
        self.store.alarm_reported()
        self._calm()

    def _sound(self, held: Head, shown: Head, why: str) -> None:
        self.store.raise_alarm(held, shown, why)
        self._calm()

    # Keys

    def _verified(self, jws: str) -> Head:
        """A head by the key that signed heads at its size. Raises Broken, and what asking for keys raises."""
        identity, kid = self.identity, proof.kid(jws)
        keys = self.store.head_keys(identity.server_key)
        if kid not in {each.kid for each in keys}:
            keys = self._learnt(keys, identity.facility)
        key = next((each for each in keys if each.kid == kid), None)
        if key is None:
            raise Broken("head: signed by a key that is not the server's")
        head = proof.verify_head(jws, key.jwk, identity.facility)
        if not key.signs(head):
            raise Broken("head: signed by a key that was not the server's at that size")
        return head

    def _learnt(self, known: list[HeadKey], facility: str) -> list[HeadKey]:
        """The keys since: each is stated by the one before it. Kept, when there is one more."""
        told = self.wire.ask(self._key(), "GET", KEYS)
        try:
            listed = [(each["jwk"], each["statement"]) for each in told["keys"]]
            names = [proof.thumbprint(jwk) for jwk, _ in listed]
            keys = list(known)
            for jwk, statement in listed[names.index(keys[-1].kid) + 1 :] if keys[-1].kid in names else []:
                upto = proof.verify_statement(statement, keys[-1].jwk, jwk, facility)
                keys[-1:] = [HeadKey(keys[-1].jwk, keys[-1].after, upto), HeadKey(jwk, upto, None)]
        except (KeyError, TypeError, ValueError) as error:
            raise Broken(f"keys: {error!r}") from error
        if len(keys) > len(known):
            self.store.keep_head_keys(keys)
        return keys
