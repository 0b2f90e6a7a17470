"""Operations that lay sealed on the terminal: the server opens them, and all else is as with any push."""

from __future__ import annotations

import orjson
import pytest

from backend.identity import terminals
from backend.kernel.ids import unb64
from backend.kernel.keys import Jws, load_jwk
from backend.kernel.seal import SealKey
from backend.storage import tables
from headless import chain
from tests.support import store
from tests.support.caller import Caller
from tests.support.hand import EVACUATE, PUSH, SEALED, Hand, send
from tests.support.sealing import Sealer
from tests.support.world import FACILITY, SECRET, World


@pytest.fixture
def h(shared: World) -> Hand:
    """A terminal that has a round in its queue, sealed to the key that the server named."""
    made = Hand(shared).signed_in("PAT")
    made.sealer = Sealer(stated(made.seal_statement, made)["jwk"])
    round_, opened = made.open()
    made.visit(round_, "K")
    made.close_round(round_, after=[opened])
    return made


def stated(statement: str, h: Hand) -> dict[str, dict[str, str]]:
    """What the server says of its seal key, signed with the key that the terminal was enrolled with."""
    return Jws(statement).verify(load_jwk(h.server_key), "roundsman-seal+jwt")


def test_a_sealed_queue_is_taken_and_kept_as_it_was_captured(h: Hand) -> None:
    outcomes = h.told()
    assert [each["status"] for each in outcomes] == ["applied"] * 3
    kept = {row.n: row.raw for row in store.rows(h.world, tables.operations) if row.terminal == h.terminal}
    assert kept == {n: raw for n, _, raw in h.frames}


def test_sealed_and_plain_resends_get_the_same_outcomes(h: Hand) -> None:
    first = h.told()
    sealed, h.sealer = h.sealer, None
    assert h.told() == first
    h.sealer = sealed
    assert h.told(2, 3) == first[1:]


def test_enrolment_and_sign_in_name_the_same_key_for_the_facility(h: Hand) -> None:
    caller = Caller.of(h.world, "PAT")
    later = orjson.loads(caller.sign_in("PAT", SECRET).data)["seal"]
    for statement in (h.seal_statement, later):
        said = stated(statement, h)
        assert (said["facility"], said["kid"]) == (FACILITY, h.world.services.keyring.seals.present.thumbprint)


def test_what_is_sealed_to_a_foreign_key_is_sent_back_with_its_number(h: Hand) -> None:
    h.sealer = Sealer(SealKey.generate().jwk)
    response = h.push()
    assert (response.status_code, response.json()["code"]) == (409, "seal.unknown")
    assert response.json()["detail"] == {"n": 1}
    assert not [row for row in store.rows(h.world, tables.operations) if row.terminal == h.terminal]


def test_one_that_was_spoilt_in_the_store_stops_nothing_behind_it(h: Hand) -> None:
    assert h.sealer is not None
    sealed = [(n, hash_, h.sealer.seal(raw)) for n, hash_, raw in h.frames]
    spoilt = [(n, hash_, raw[:-4] + b"AAAA" if n == 2 else raw) for n, hash_, raw in sealed]
    response = send(h.world, h.key.push(h.claims()), chain.frames(spoilt), PUSH, SEALED)
    assert (response.status_code, response.json()["code"], response.json()["detail"]) == (422, "seal.broken", {"n": 2})
    assert [each["status"] for each in h.told(1, 1)] == ["applied"]
    behind = h.push(3, 3)
    assert behind.status_code == 200 and behind.json()["missing"] == [[2, 2]]


def test_plain_bytes_are_not_taken_for_sealed_ones_nor_the_other_way_round(h: Hand) -> None:
    assert h.sealer is not None
    plain = send(h.world, h.key.push(h.claims()), chain.frames(h.frames), PUSH, SEALED)
    assert (plain.status_code, plain.json()["code"]) == (422, "seal.broken")
    sealed = chain.frames((n, hash_, h.sealer.seal(raw)) for n, hash_, raw in h.frames)
    mistaken = send(h.world, h.key.push(h.claims()), sealed)
    assert (mistaken.status_code, mistaken.json()["code"]) == (401, "proof.invalid")


def test_a_seal_proves_nothing_the_hash_must_be_that_of_what_is_inside(h: Hand) -> None:
    assert h.sealer is not None
    other = h.sealer.seal(b'{"op":"forged"}')
    body = chain.frames(
        [(1, h.frames[0][1], other), *((n, hash_, h.sealer.seal(raw)) for n, hash_, raw in h.frames[1:])]
    )
    response = send(h.world, h.key.push(h.claims()), body, PUSH, SEALED)
    assert (response.status_code, response.json()["code"]) == (401, "proof.invalid")


def test_a_revoked_terminal_hands_in_what_it_cannot_read_itself(h: Hand) -> None:
    terminals.revoke(h.world.services.door, FACILITY, h.terminal, "test")
    response = h.evacuate()
    assert [each["status"] for each in response.json()["outcomes"]] == ["escrowed"] * 3
    assert send(h.world, None, b"", EVACUATE, SEALED).status_code == 401


def test_no_operation_can_be_read_from_what_is_sealed(h: Hand) -> None:
    assert h.sealer is not None
    for _, _, raw in h.frames:
        sealed = h.sealer.seal(raw)
        opened_parts = b"".join(unb64(part) for part in sealed.decode().split(".") if part)
        assert h.officer.encode() not in sealed + opened_parts
