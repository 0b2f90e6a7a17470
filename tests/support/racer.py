"""`python -m tests.support.racer COUNT`: for each line `FOLDER URL` of standard input, COUNT processes do what
a starting server does to the installation in that folder, all at the same instant. Prints what became of each of them.

A process of its own, which forks once everything is imported: real starts differ by more than the moment that matters.
"""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path

from backend.identity.keyring import Keyring
from backend.storage import schema
from backend.storage.engine import Store


def _open(folder: str, url: str, begin: Barrier, said: multiprocessing.SimpleQueue[str]) -> None:
    begin.wait()
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        Keyring.open(Path(folder) / "keys")
        store = Store(url)
        schema.prepare(store)
        store.close()
    except BaseException as fault:  # noqa: BLE001 - whatever it is, it is told
        said.put(f"{fault!r} from {fault.__cause__!r}")
    else:
        said.put("open")


def main() -> None:
    count, fork = int(sys.argv[1]), multiprocessing.get_context("fork")
    for line in sys.stdin:
        folder, url = line.split()
        begin, said = fork.Barrier(count), fork.SimpleQueue()
        racers = [fork.Process(target=_open, args=(folder, url, begin, said)) for _ in range(count)]
        for racer in racers:
            racer.start()
        for _ in racers:
            print(said.get(), flush=True)
        for racer in racers:
            racer.join()


if __name__ == "__main__":
    main()
