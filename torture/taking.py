"""Partitions taken whole by a terminal in memory: a snapshot, piece by piece, over cuts (docs/protocol.md §7)."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import Any

import orjson

from torture.keys import b64u, sha
from torture.light import Light
from torture.line import Silence

ROUTE = "/v1/sync/snapshots"


@dataclass
class Download:
    """A snapshot, as the server described it, and what has come of it. ``sent``: when its last piece was asked for (us)."""

    said: dict[str, Any]
    got: bytes = b""
    pieces: int = 0
    sent: int = 0

    def rows(self) -> list[dict[str, Any]]:
        """Its rows. Only when it is whole."""
        return [orjson.loads(line) for line in gzip.decompress(self.got).split(b"\n") if line]


def take(light: Light, partition: str) -> Download | None:
    """A partition whole; None when it could not be had to the end yet. What has come stays for the next time."""
    downloads: dict[str, Download] = light.held.downloads
    if partition not in downloads:
        answer = light.asked("snapshot", "POST", ROUTE, {"partition": partition})
        if answer is None or not answer.ok:
            return None
        downloads[partition] = Download(answer.json())
    download = downloads[partition]
    while len(download.got) < download.said["size"]:
        if not _piece(light, download):
            if not download.got:
                del downloads[partition]
            return None
    del downloads[partition]
    if b64u(sha(download.got)) != download.said["sha256"]:
        light.journal.note("garbled", partition=partition, pieces=download.pieces, size=len(download.got))
        return None
    return download


def _piece(light: Light, download: Download) -> bool:
    """Asks for some of what is missing, or all of it; keeps what came before a cut. Whether it came whole."""
    first, seat = len(download.got), light.seat
    most = light.chance.choice((200, 3000, None))
    span = f"bytes={first}-" if most is None else f"bytes={first}-{first + most - 1}"
    path = f"{ROUTE}/{download.said['snapshot']}"
    if seat is None:
        return False
    download.sent = light.journal.note("piece", snapshot=download.said["snapshot"], span=span)
    try:
        answer = light.wire.ask(light.keys[-1], "GET", path, None, seat.token, Range=span)
    except Silence as silence:
        light.journal.note("silence", route="snapshots", got=len(silence.got))
        if silence.status == 206 or (silence.status == 200 and not first):
            download.got += silence.got
            download.pieces += bool(silence.got)
        return False
    if not answer.ok:
        light.refused("snapshots", answer, light.keys[-1])
        download.got = b""  # whatever was wrong with it: from the beginning
        return False
    download.got += answer.body
    download.pieces += 1
    return True
