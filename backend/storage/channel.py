"""Messages between the processes of one PostgreSQL database (NOTIFY and LISTEN).

A message may be lost with its sender or its connection: whoever listens must have another way to find out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg

from backend.storage.engine import Store

LONGEST = 7900
"""Bytes of a message; PostgreSQL takes less than 8,000."""
_NAME = "roundsman"
_LOOK_UP_SECONDS = 1.0


class Lost(Exception):
    """The connection to the database is gone."""


class Channel:
    """One channel of a PostgreSQL store, over connections of its own outside the pool."""

    def __init__(self, store: Store) -> None:
        arguments, options = store.engine.dialect.create_connect_args(store.engine.url)
        self._arguments = arguments
        self._options = {**options, "connect_timeout": 5, "keepalives_idle": 20, "autocommit": True}
        self._sender: psycopg.Connection | None = None

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(*self._arguments, **self._options)

    def send(self, message: str) -> None:
        """Sends to all who listen now; for one thread. Raises Lost; the next call connects again."""
        try:
            if self._sender is None:
                self._sender = self._connect()
            self._sender.execute("SELECT pg_notify(%s, %s)", (_NAME, message))
        except psycopg.Error as fault:
            self.close()
            raise Lost from fault

    def listen(self, hear: Callable[[str], None], over: threading.Event) -> None:
        """Hears messages until ``over``. Raises Lost."""
        try:
            with self._connect() as connection:
                connection.execute(f"LISTEN {_NAME}")
                while not over.is_set():
                    for message in connection.notifies(timeout=_LOOK_UP_SECONDS):
                        hear(message.payload)
        except psycopg.Error as fault:
            raise Lost from fault

    def close(self) -> None:
        """Closes the sender's connection."""
        if self._sender is not None:
            self._sender.close()
            self._sender = None
