"""Whose bundle it is: its facts, the keys, the heads, and the seal over all of it."""

from __future__ import annotations

from dataclasses import replace

import orjson

from backend.audit.checks.base import Broken
from backend.audit.evidence import layout
from backend.audit.evidence.checks.bundle import Bundle, Row, Signer
from backend.audit.evidence.checks.tree import Told
from backend.audit.evidence.order import ACT
from backend.audit.log import HEAD_TYPE
from backend.kernel.ids import b64, sha256, unhash
from backend.kernel.keys import Jws, load_jwk, thumbprint

ENDORSEMENT = "roundsman-key-rotation+jwt"


def check_descriptions(bundle: Bundle) -> None:
    """What the file says of its tables is what they are known to be; then its facts can be read."""
    said = {(row["name"], row["column"]): row for row in bundle.rows("tables")}
    known = {(row["name"], row["column"]): row for row in layout.described()}
    for key in sorted(said.keys() | known.keys()):
        if said.get(key) != known.get(key):
            raise Broken(f"the description of {'.'.join(filter(None, key))} is not the known one")
    facts = {row["name"]: row for row in bundle.rows("about")}
    if {name: row["meaning"] for name, row in facts.items()} != layout.ABOUT:
        raise Broken("the facts about the bundle are not those that every bundle has")
    bundle.about = {name: row["value"] for name, row in facts.items()}
    if bundle.about["format"] != layout.FORMAT:
        raise Broken(f"the bundle says that it is of another format than {layout.FORMAT}")
    bundle.scope = orjson.loads(bundle.about["scope"])


def check_keys(bundle: Bundle, pin: str | None) -> None:
    """Each key is what its thumbprint says; all but the first are stated by the key before it (docs/protocol.md §12).

    ``pin``: the thumbprint that the caller knows; what was signed must be signed by that key or one that it has led to.
    """
    rows = list(bundle.rows("keys"))
    for row in rows:
        jwk = orjson.loads(row["jwk"])
        if thumbprint(jwk) != row["thumbprint"]:
            raise Broken(f"the key {row['thumbprint']} is not the one that its thumbprint says")
        bundle.keys[row["thumbprint"]] = Signer(load_jwk(jwk))
    for row in rows:
        if row["endorsed"] is not None:
            _lead(bundle, row)
    if len([each for each in bundle.keys.values() if each.by is None]) != 1:
        raise Broken("the keys are not one key and those that it has led to")
    signer = _signer(bundle)
    line = [signer]
    while (by := bundle.keys[line[-1]].by if line[-1] in bundle.keys else None) is not None and by not in line:
        line.append(by)
    if pin is not None and pin not in line:
        raise Broken(f"the bundle is signed by the key {signer}, which the key {pin} has not led to")


def _lead(bundle: Bundle, row: Row) -> None:
    """The key before states the next one, and the last head that it signs itself."""
    new = row["thumbprint"]
    try:
        token = Jws(row["endorsed"])
        old = str(token.header.get("kid"))
        said = token.verify(bundle.keys[old].key, ENDORSEMENT)
        right = old != new and thumbprint(said["jwk"]) == new and said["facility"] == bundle.facility
        last = (int(said["epoch"]), int(said["size"]))
    except (KeyError, ValueError, TypeError):
        right = False
    if not right or bundle.keys[old].upto is not None:
        raise Broken(f"the key {new} is not stated by the key before it")
    bundle.keys[old] = replace(bundle.keys[old], upto=last)
    bundle.keys[new] = replace(bundle.keys[new], by=old, after=last)


def _signer(bundle: Bundle) -> str:
    signed = [row["signed"] for row in bundle.rows("heads") if row["signed"] is not None]
    if len(signed) != 1:
        raise Broken("the bundle has not one signed head, but " + str(len(signed)))
    return str(Jws(signed[0]).header.get("kid"))


def read_head(bundle: Bundle, token: str) -> Row:
    """What a head says that one of the keys signed for this facility. Raises Broken."""
    try:
        jws = Jws(token)
        signer = bundle.keys[str(jws.header.get("kid"))]
        said = jws.verify(signer.key, HEAD_TYPE)
        unhash(said["root"])
        rank = (said["epoch"], said["size"])
        its_own = signer.after < rank and (signer.upto is None or rank <= signer.upto)
    except (KeyError, ValueError, TypeError):
        raise Broken("a head's signature is not the server's") from None
    if not its_own:
        raise Broken(f"the head of {rank[1]} leaves is signed by a key that was not the server's then")
    if said["facility"] != bundle.facility:
        raise Broken(f"a head speaks of facility {said['facility']}")
    return said


def check_heads(bundle: Bundle) -> None:
    """The newest head is signed; where earlier epochs end is held against their successors once leaves are read."""
    rows = list(bundle.rows("heads"))
    bundle.ends = {row["epoch"]: (row["size"], unhash(row["root"])) for row in rows}
    newest = rows[-1]
    if newest["signed"] is None:
        raise Broken(f"the head of the newest epoch, {newest['epoch']}, is not signed")
    said = read_head(bundle, newest["signed"])
    if (said["epoch"], said["size"], said["root"]) != (newest["epoch"], newest["size"], newest["root"]):
        raise Broken(f"the head of epoch {newest['epoch']} is not what was signed")


def check_rotations(bundle: Bundle, told: Told) -> None:
    """The log tells of every key that followed another."""
    stated = [row for row in bundle.rows("keys") if row["endorsed"] is not None]
    found = {(row["thumbprint"], b64(sha256(row["endorsed"].encode()))) for row in stated}
    if differ := found ^ told.rotations:
        raise Broken(f"the key {min(differ)[0]} has no leaf, or no row")


def check_epochs(bundle: Bundle) -> None:
    """Each epoch begins with a leaf that says where the one before it ended; the first with the founding."""
    numbers = sorted(bundle.ends)
    for before, epoch in zip(numbers, numbers[1:], strict=False):
        leaf = bundle.leaf({"epoch": epoch, "leaf": 0}, f"epoch {epoch}")["said"]
        previous = leaf["previous"] if leaf["act"] == "epoch.opened" and leaf["epoch"] == epoch else {}
        size, root = bundle.ends[before]
        if previous.get("epoch") != before or previous.get("size") != size or unhash(previous["root"]) != root:
            raise Broken(f"epoch {before} ends elsewhere than the first leaf of epoch {epoch} says")
    founding = bundle.leaf({"epoch": numbers[0], "leaf": 0}, "the log")["said"]
    if founding["act"] != "facility.founded" or founding["facility"] != bundle.facility:
        raise Broken("the log does not begin with the facility's founding")
    if founding["type"] != bundle.about["facility_type"]:
        raise Broken("the facility is of another type than its founding says")
    if founding["key"] not in bundle.keys:
        raise Broken("the facility was founded under a key that the bundle has not")


def check_export(bundle: Bundle) -> None:
    """The log tells of this export what the bundle says of itself."""
    about = bundle.about
    place = {"epoch": int(about["epoch"]), "leaf": int(about["leaf"])}
    leaf = bundle.leaf(place, "the export")["said"]
    if leaf["act"] != ACT:
        raise Broken("the leaf of the export tells of something else")
    said = {
        "export": leaf["export"],
        "officer": leaf["officer"],
        "session": leaf["session"] or "",
        "terminal": leaf["terminal"] or "",
        "reason": leaf["reason"],
        "made_at": leaf["at"],
    }
    for name, value in said.items():
        if about[name] != value:
            raise Broken(f"the bundle says another {name} of its export than the log")
    if bundle.scope != leaf["scope"]:
        raise Broken("the bundle is not of what the log says was exported")


def check_seal(bundle: Bundle) -> None:
    """The server signed every row of every other table as it is."""
    statements = [row["statement"] for row in bundle.rows("seal")]
    if len(statements) != 1:
        raise Broken("the bundle is not sealed once")
    try:
        token = Jws(statements[0])
        said = token.verify(bundle.keys[str(token.header.get("kid"))].key, layout.TYPE)
    except (KeyError, ValueError):
        raise Broken("the seal's signature is not the server's") from None
    if (said["facility"], said["export"]) != (bundle.facility, bundle.about["export"]):
        raise Broken("the seal is of another bundle")
    for name in layout.SHEETS:
        if name == "seal":
            continue
        count, digest = layout.digest(bundle.file.execute(layout.ordered(name)))
        if {"rows": count, "digest": digest} != said["tables"].get(name):
            raise Broken(f"table {name} was changed since the bundle was made")
