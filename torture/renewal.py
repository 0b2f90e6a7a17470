"""Older copies of a terminal, forks and new incarnations (docs/protocol.md §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from torture.chain import Chain, Item
from torture.held import Held
from torture.keys import Key, b64u
from torture.light import Light, Seat
from torture.wire import Silence

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


def copy(light: Light) -> Copy:
    """Takes an image."""
    light.journal.note("copied", incarnation=light.chain.incarnation, last=light.chain.last)
    held = Held(light.held.epoch, dict(light.held.cursors), dict(light.held.rows), dict(light.held.sums))
    return Copy(light.chain.copy(), held, light.seat, light.reader, light.epoch, dict(light.anchor), light.head)


def go_back(light: Light, image: Copy) -> bool:
    """Puts an image back, as a device is restored; what was captured since is forgotten. Whether it could be."""
    if image.chain.incarnation != light.chain.incarnation or light.revoked or light.frozen or light.gone:
        return False
    light.journal.note("went_back", incarnation=image.chain.incarnation, last=image.chain.last, had=light.chain.last)
    light.chain, light.held, light.seat, light.reader = image.chain.copy(), image.held, image.seat, image.reader
    light.epoch, light.anchor, light.head = image.epoch, dict(image.anchor), image.head
    return True


def renew(light: Light) -> bool:
    """Asks for a new incarnation and wraps again what has no final outcome. Whether it has one."""
    if ROUTE not in light.routes or light.revoked:
        return False
    new = light.next_key or Key(light.chance)
    light.next_key = new
    claims = {"terminal": light.chain.terminal, "thumbprint": new.thumbprint}
    proof = new.sign({"typ": "roundsman-key+jwt"}, claims)
    body = {"jwk": new.jwk, "proof": proof, "reason": light.frozen}
    try:
        answer = light.wire.ask(light.keys[-1], "POST", ROUTE, body)
    except Silence:
        light.journal.note("silence", route="incarnations")
        return False
    if answer.status != 201:
        light.refused("incarnations", answer)
        light.gone = light.gone or answer.code in ("incarnation.taken", "terminal.revoked", "terminal.unknown")
        return False
    _begin(light, new, answer.json())
    return True


def _begin(light: Light, new: Key, told: dict[str, Any]) -> None:
    old = light.chain
    light.keys.append(new)
    light.next_key, light.frozen, light.seat = None, None, None
    light.chain = Chain(old.facility, old.terminal, told["incarnation"], new)
    light.journal.note(
        "renewed", incarnation=told["incarnation"], genesis=told["genesis"], thumbprint=new.thumbprint,
        before=old.incarnation, right=b64u(light.chain.genesis) == told["genesis"],
    )  # fmt: skip
    light.hear(told["head"])
    if light.chain.genesis == old.genesis:  # the same again, after a restore that had forgotten it
        light.chain = old
        here = {item.op for item in old.items} - {None}
        for chain in light.former:
            missing = [item for item in chain.items if not item.lost and item.op not in here]
            _wrap(light, chain, [item for item in missing if (chain.incarnation, item.n) not in light.wrapped])
        return
    light.former.append(old)
    _wrap(light, old, [item for item in old.items if not (item.final or item.lost)])


def _wrap(light: Light, old: Chain, items: list[Item]) -> None:
    """Puts operations on the present chain: all as it was but incarnation, number and hash."""
    for item in items:
        why = f"wrapped from {old.incarnation}/{item.n}"
        light.wrapped.add((old.incarnation, item.n))
        if item.said is None:
            light.put(item.raw, None, item.tag, why=why)
        else:
            said = item.said | {"incarnation": light.chain.incarnation, "n": light.chain.last + 1}
            light.put(orjson.dumps(said), said, item.tag, why=why)
