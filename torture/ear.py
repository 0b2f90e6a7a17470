"""A terminal in memory that listens to its stream for a while (docs/protocol.md §9), in a thread and on a line of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import orjson

from torture.held import short
from torture.light import Light, Seat
from torture.line import Line, Silence
from torture.wire import HOST

ROUTE = "/v1/sync/stream"


class Ear:
    """Listens from now on; ends by itself after so many seconds, at any cut, or when the stream ends."""

    def __init__(self, light: Light, seat: Seat, seconds: float) -> None:
        self._light, self._seat = light, seat
        self._until = time.monotonic() + seconds
        self._headers = light.wire.proven(light.keys[-1], "GET", ROUTE, seat.token) | {"Host": HOST}
        self._line: Line | None = None
        self._thread = threading.Thread(target=self._listen, name=f"ear of {light.name}", daemon=True)
        self._thread.start()

    @property
    def listens(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        """Hangs up, and waits until nothing more is heard."""
        self._until = 0
        if self._line is not None:
            self._line.close()
        self._thread.join(10)

    def _listen(self) -> None:
        journal, officer = self._light.journal, self._seat.officer
        begun = journal.note("listens", officer=officer)
        try:
            self._line = line = self._light.wire.dial()
            status, headers = line.ask("GET", ROUTE, self._headers, None)
            if status != 200:
                self._refused(status, b"".join(line.pieces(status, headers)))
                return
            for name, data in _events(line.pieces(status, headers)):
                said = orjson.loads(data)
                if name == "alarm":
                    row = data[data.index(b'"row":') + 6 : -1]
                    said = {
                        "partition": said["partition"],
                        "row": [said["row"]["id"], said["row"]["version"], short(row)],
                    }
                journal.note("heard", officer=officer, begun=begun, event=name, said=said)
                if time.monotonic() > self._until:
                    break
        except (Silence, ValueError) as error:
            journal.note("silence", route="stream", why=str(error)[:80])
        finally:
            if self._line is not None:
                self._line.close()

    def _refused(self, status: int, body: bytes) -> None:
        """A stream is a hint: why it was refused changes nothing at the terminal."""
        code = orjson.loads(body).get("code", f"http.{status}")
        if code != "proof.nonce_required":
            self._light.journal.note("refused", route="stream", status=status, code=code, body=body[:400].decode())


def _events(pieces: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    """(name, data) of each event of text/event-stream; beats are left out."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n\n")
        for event in whole:
            lines = dict(line.split(b": ", 1) for line in event.split(b"\n") if not line.startswith(b":"))
            if b"data" in lines:
                yield lines[b"event"].decode(), lines[b"data"]
