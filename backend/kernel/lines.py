"""Cutting TCP connections on which nothing has moved for long (Linux).

A handheld that goes out of range in the middle of a body leaves a connection that looks alive for ever, and the HTTP
server gives a thread to whoever has begun to send. TCP itself knows how long a line has been silent. What is cut was of
no use to anybody: an idle connection that is kept for a next request is opened again by its client. A stream is never
idle: its heartbeats are sent, and acknowledged by whoever is still there.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")
_INFO_BYTES = 104
_NO_LINE = frozenset({7, 10})
"""States of a socket without a line: closed, or bound and not connected; listening (linux/tcp_states.h)."""
_UNACKNOWLEDGED, _LAST_SENT, _LAST_RECEIVED, _LAST_ACKNOWLEDGED = 24, 44, 52, 56
"""Offsets in Linux's ``struct tcp_info`` (linux/tcp.h): segments that wait for their acknowledgement; milliseconds since
data was last sent and received, and since the last acknowledgement came."""


def cut_silent(seconds: float) -> int:
    """Cuts the connections to this process's listening ports that were silent both ways for so long; how many.

    So it does with those whose other end has acknowledged nothing of what it was sent: to send again is not to speak.
    Connections that this process opened itself, to a database for one, are not touched.
    """
    sockets = list(_sockets())
    try:
        ports = {each.getsockname()[1] for each in sockets if _listens(each)}
        silent = [each for each in sockets if not _listens(each) and _silent(each, ports, seconds * 1000)]
        for each in silent:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        return len(silent)
    finally:
        for each in sockets:
            each.close()


def _sockets() -> Iterator[socket.socket]:
    """This process's TCP sockets, each by a descriptor of our own."""
    for name in os.listdir(_DESCRIPTORS) if _DESCRIPTORS.exists() else ():
        with contextlib.suppress(OSError):
            if not os.readlink(_DESCRIPTORS / name).startswith("socket:"):
                continue
            found = socket.socket(fileno=os.dup(int(name)))
            if found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM:
                yield found
            else:
                found.close()


def _listens(each: socket.socket) -> bool:
    return each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def _silent(each: socket.socket, ports: set[int], milliseconds: float) -> bool:
    try:
        if each.getsockname()[1] not in ports:
            return False
        info = each.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    except OSError:
        return False
    if info[0] in _NO_LINE:
        return False
    offsets = (_UNACKNOWLEDGED, _LAST_SENT, _LAST_RECEIVED, _LAST_ACKNOWLEDGED)
    waiting, sent, received, acknowledged = (struct.unpack_from("I", info, offset)[0] for offset in offsets)
    return bool(min(sent, received) > milliseconds or (waiting and acknowledged > milliseconds))
