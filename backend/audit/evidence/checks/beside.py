"""What lies beside operations: sign-ins, files, forks, witnesses."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from backend.audit.checks.base import Broken
from backend.audit.evidence.checks.bundle import Bundle, Row
from backend.audit.evidence.checks.head import read_head
from backend.audit.evidence.checks.tree import Told
from backend.audit.evidence.rows import named_files, read
from backend.kernel.framing import genesis, link
from backend.kernel.ids import b64, unhash

Chain = tuple[str, int]


def check_sessions(bundle: Bundle) -> None:
    """Every sign-in is what its leaf says."""
    for row in bundle.rows("sessions"):
        name = f"session {row['session']}"
        said = bundle.leaf(row, name)["said"]
        is_ = (row["session"], row["officer"], row["terminal"], row["started_at"])
        if said["act"] != "session.started" or is_ != (
            said["session"], said["officer"], said["terminal"], said["at"]
        ):  # fmt: skip
            raise Broken(f"{name} differs from its leaf")


def check_files(bundle: Bundle, told: Told) -> None:
    """Every file that is listed is named by its operation; its size and type are what the log says."""
    for row in bundle.rows("files"):
        name = f"file {row['digest']}"
        operation = bundle.one("operations", **{each: row[each] for each in ("terminal", "incarnation", "n")})
        if operation is None or (row["digest"], row["use"]) not in named_files(read(operation["raw"])):
            raise Broken(f"{name} is listed for an operation that does not name it")
        stored = (row["size"], row["type"], row["epoch"], row["leaf"])
        if stored == (None, None, None, None):
            if row["digest"] in told.stored:
                raise Broken(f"{name} is said not to have come, but has a leaf")
            continue
        said = bundle.leaf(row, name)["said"]
        if said["act"] != "file.stored" or (said["digest"], said["size"], said["type"]) != (
            row["digest"], row["size"], row["type"]
        ):  # fmt: skip
            raise Broken(f"{name} differs from its leaf")


def check_witnesses(bundle: Bundle, told: Told) -> None:
    """Every witness is a head that the server signed, of which a leaf tells."""
    found = set()
    for row in bundle.rows("witnesses"):
        head = read_head(bundle, row["head"])
        if (head["epoch"], head["size"]) != (row["epoch"], row["size"]):
            raise Broken(f"the witness of epoch {row['epoch']} and {row['size']} leaves speaks of another head")
        found.add((row["epoch"], row["size"], row["source"], head["root"], row["seen_at"]))
    if differ := found ^ told.witnesses:
        epoch, size, source, *_ = min(differ)
        raise Broken(f"the witness of epoch {epoch} and {size} leaves from {source} has no leaf, or no row")


def check_forks(bundle: Bundle, told: Told) -> None:
    """Bytes that were set aside are as many as the leaves say, and hang on each other or on their chain.

    The hash of the last one, in the leaf, commits to all before it. Without leaves of forks there are none; a bundle that
    is not of whole chains lists none.
    """
    rows = list(bundle.rows("forks"))
    said = [leaf for leaf in told.forks if bundle.has_chain(leaf["terminal"])]
    counts: Counter[Chain] = Counter()
    for leaf in said:
        counts[leaf["terminal"], leaf["incarnation"]] += leaf["count"]
    if Counter((row["terminal"], row["incarnation"]) for row in rows) != counts:
        raise Broken("there are other forked operations than the log says")
    there = {(row["terminal"], row["incarnation"], row["n"], row["hash"]) for row in rows}
    for leaf in said:
        for end in (leaf, leaf.get("to", leaf)):
            if (leaf["terminal"], leaf["incarnation"], end["n"], end["hash"]) not in there:
                raise Broken(f"the fork of terminal {leaf['terminal']} at {leaf['n']} is not there")
    _check_bytes(bundle, rows, said)


def _check_bytes(bundle: Bundle, rows: list[Row], said: list[Row]) -> None:
    times: dict[Chain, set[str]] = defaultdict(set)
    priors: dict[tuple[str, int, int], set[str]] = defaultdict(set)
    for row in rows:
        priors[row["terminal"], row["incarnation"], row["n"]].add(row["hash"])
    for leaf in said:
        times[leaf["terminal"], leaf["incarnation"]].add(leaf["at"])
        priors[leaf["terminal"], leaf["incarnation"], leaf["first"] - 1].add(leaf["prior"])
    for row in rows:
        name = f"forked operation {row['n']} of terminal {row['terminal']}"
        known = priors[row["terminal"], row["incarnation"], row["n"] - 1] | _on_chain(bundle, row)
        if type(row["raw"]) is not bytes or not any(_follows(prior, row) for prior in known):
            raise Broken(f"{name} is not the bytes that were sent")
        if row["received_at"] not in times[row["terminal"], row["incarnation"]]:
            raise Broken(f"{name} is said to have come at another time than its leaf says")


def _follows(prior: str, row: Row) -> bool:
    return link(unhash(prior), row["n"], row["raw"]) == unhash(row["hash"])


def _on_chain(bundle: Bundle, row: Row) -> set[str]:
    """The hashes that the chain itself has, or claims, for the number before a fork's."""
    key: dict[str, Any] = {"terminal": row["terminal"], "incarnation": row["incarnation"]}
    chain = bundle.one("chains", **key)
    if row["n"] == 1 and chain is not None:
        return {b64(genesis(bundle.facility, chain["terminal"], chain["incarnation"], chain["thumbprint"]))}
    before, same = bundle.one("operations", **key, n=row["n"] - 1), bundle.one("operations", **key, n=row["n"])
    return {each for each in (before and before["hash"], same and same["prior"]) if each}
