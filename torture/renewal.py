"""Older copies of a terminal, forks and new incarnations (docs/protocol.md §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torture.chain import Chain
from torture.held import Held
from torture.keys import Key
from torture.light import Light, Seat
from torture.line import Silence

ROUTE = "/v1/terminals/incarnations"


@dataclass(frozen=True)
class Copy:
    """An image of a terminal in memory."""

    chain: Chain
    held: Held
    seat: Seat | None
    reader: str | None
    epoch: int
    anchor: dict[str, Any]
    head: str | None
    wrapped: frozenset[tuple[int, int]]


def copy(light: Light) -> Copy:
    """Takes an image."""
    light.journal.note("copied", incarnation=light.chain.incarnation, last=light.chain.last)
    held = Held(
        light.held.epoch,
        dict(light.held.cursors),
        dict(light.held.rows),
        dict(light.held.sums),
        dict(light.held.counts),
    )
    anchor, wrapped = dict(light.anchor), frozenset(light.wrapped)
    return Copy(light.chain.copy(), held, light.seat, light.reader, light.epoch, anchor, light.head, wrapped)


def go_back(light: Light, image: Copy) -> bool:
    """Puts an image back, as a device is restored; what was captured since is forgotten. Whether it could be."""
    if image.chain.incarnation != light.chain.incarnation or light.revoked or light.frozen or light.gone:
        return False
    light.journal.note("went_back", incarnation=image.chain.incarnation, last=image.chain.last, had=light.chain.last)
    light.chain, light.held, light.seat, light.reader = image.chain.copy(), image.held, image.seat, image.reader
    light.epoch, light.anchor, light.head = image.epoch, dict(image.anchor), image.head
    light.wrapped = set(image.wrapped)
    return True


def renew(light: Light) -> bool:
    """Asks for a new incarnation and wraps again what has no final outcome. Whether it has one.

    Where a restored server did not know it, the incarnations on the shelf are claimed once more first, one by the key of
    the one before it.
    """
    if ROUTE not in light.routes or light.revoked:
        return False
    while light.shelf:
        told = _claimed(light, light.shelf[-1], "restored")
        if told is None:
            return False
        light.keys.append(light.shelf.pop())
        _note(light, light.keys[-1], told)
    if light.frozen == "again":
        light.frozen = None
        return True
    light.next_key = light.next_key or Key(light.chance)
    told = _claimed(light, light.next_key, light.frozen or "fork")
    if told is None:
        return False
    _begin(light, light.next_key, told)
    return True


def _claimed(light: Light, new: Key, reason: str) -> dict[str, Any] | None:
    """The incarnation that is given to a key; None when there is none yet."""
    claims = {"terminal": light.chain.terminal, "thumbprint": new.thumbprint}
    body = {"jwk": new.jwk, "proof": new.sign({"typ": "roundsman-key+jwt"}, claims), "reason": reason}
    try:
        answer = light.wire.ask(light.keys[-1], "POST", ROUTE, body)
    except Silence:
        light.journal.note("silence", route="incarnations")
        return None
    if answer.status == 201:
        return dict(answer.json())
    light.refused("incarnations", answer, light.keys[-1])
    if answer.code == "incarnation.taken":
        light.end(answer.code)
    return None


def _note(light: Light, key: Key, told: dict[str, Any]) -> None:
    light.journal.note(
        "renewed", incarnation=told["incarnation"], genesis=told["genesis"], thumbprint=key.thumbprint
    )  # fmt: skip
    light.hear(told["head"])


def _begin(light: Light, new: Key, told: dict[str, Any]) -> None:
    old = light.chain
    light.keys.append(new)
    light.next_key, light.frozen, light.seat = None, None, None
    light.chain = Chain(old.facility, old.terminal, told["incarnation"], new)
    _note(light, new, told)
    light.former.append(old)
    light.wrap(old, [item for item in old.items if not (item.final or item.lost)])
