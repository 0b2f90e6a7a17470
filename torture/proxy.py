"""A small TCP proxy that cuts, in a process of its own: ``python -m torture.proxy SEED TARGET…``.

It listens on one port for each target port and prints them as a JSON list. Whether and where a connection is cut is
drawn from the seed and the connection's number: after so many bytes from the terminal (before, in or between requests)
or after so many from the server (an answer lost whole or in part, after its effect), or it stalls there for a while.
A line ``calm`` on standard input ends all that; ``rough`` begins it again.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import subprocess
import sys
from dataclasses import dataclass

CHUNK = 1 << 16


@dataclass(slots=True)
class Fate:
    """What becomes of a connection. ``side``: ``up`` counts the terminal's bytes, ``down`` the server's."""

    side: str | None
    after: int
    stall: float


def draw(seed: str, number: int) -> Fate:
    """The fate of the connection of that number."""
    chance = random.Random(f"{seed}/{number}")
    side = chance.choices(("up", "down", None), (4, 5, 3))[0]
    after = chance.choice((0, int(math.exp(chance.uniform(3, 12)))))
    stall = chance.uniform(0.05, 0.6) if chance.random() < 0.15 else 0.0
    return Fate(side, after, stall)


class Proxy:
    """All connections of a run."""

    def __init__(self, seed: str) -> None:
        self.rough = True
        self._seed = seed
        self._number = 0

    async def serve(self, target: int) -> int:
        """Begins to listen for a target; returns the port."""

        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._meet(target, reader, writer)

        server = await asyncio.start_server(meet, "127.0.0.1", 0, limit=CHUNK)
        return int(server.sockets[0].getsockname()[1])

    async def _meet(self, target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._number += 1
        fate = draw(self._seed, self._number)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", target, limit=CHUNK)
        except OSError:
            writer.transport.abort()
            return
        up = asyncio.ensure_future(self._pass(reader, back, fate, "up"))
        down = asyncio.ensure_future(self._pass(there, writer, fate, "down"))
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        for each in (up, down):
            each.cancel()
        for side in (back, writer):
            side.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, fate: Fate, side: str) -> None:
        left = fate.after
        try:
            while chunk := await source.read(CHUNK):
                cut = self.rough and fate.side == side and len(chunk) > left
                if cut:
                    chunk = chunk[:left]
                left -= len(chunk)
                sink.write(chunk)
                await sink.drain()
                if cut and fate.stall:
                    await asyncio.sleep(fate.stall)
                if cut:
                    return
        except OSError:
            return


async def _main(seed: str, targets: list[int]) -> None:
    proxy = Proxy(seed)
    print(json.dumps([await proxy.serve(target) for target in targets]), flush=True)
    loop = asyncio.get_running_loop()
    while word := await loop.run_in_executor(None, sys.stdin.readline):
        proxy.rough = word.strip() == "rough"


class Cutter:
    """The proxy's process, as the driver holds it. ``ports`` are gone to instead of the targets."""

    def __init__(self, seed: str, targets: list[int]) -> None:
        line = [sys.executable, "-m", "torture.proxy", seed, *map(str, targets)]
        self._process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.ports: list[int] = json.loads(self._process.stdout.readline())

    def say(self, word: str) -> None:
        """``calm`` or ``rough``."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """Ends it, and with it every connection."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], [int(each) for each in sys.argv[2:]]))
