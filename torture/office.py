"""The driver's side of the administrator's process (torture.desk), with every act in the journal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import RLock
from typing import Any

import orjson

from tools.process import ROOT, environment
from torture.journal import Journal


class OfficeClosed(Exception):
    """The administrator's process is not there: a restore is under way, or it died."""


class Office:
    """Commands, one at a time."""

    def __init__(self, data: Path, database: str | None, clock: Path, journal: Journal) -> None:
        self._environ = environment(data, database, ROUNDSMAN_TORTURE_CLOCK=str(clock))
        self._log = data.with_name("office.log")
        self._journal = journal
        self._lock = RLock()
        self.said = ""
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Begins to start."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "torture.desk"], env=self._environ, cwd=ROOT,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip

    def wait(self) -> None:
        """Until it is ready. Raises OfficeClosed with what it said."""
        self._read()

    def ask(self, do: str, **facts: Any) -> dict[str, Any]:
        """One request; raises OfficeClosed, and RuntimeError for a fault."""
        with self._lock:
            process = self._process
            if process is None or process.stdin is None:
                raise OfficeClosed("closed")
            process.stdin.write(orjson.dumps({"do": do, **facts}) + b"\n")
            process.stdin.flush()
            told = self._read()
        if not told["ok"]:
            raise RuntimeError(told["fault"])
        return told

    def _read(self) -> dict[str, Any]:
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise OfficeClosed(f"the office has gone down:\n{self._log.read_text()[-3000:]}")
        told: dict[str, Any] = orjson.loads(line)
        return told

    def must(self, *words: str) -> None:
        """A ``flask`` command that cannot be refused. Raises RuntimeError with what it said."""
        if not self.flask(*words):
            raise RuntimeError(f"flask {' '.join(words)}: {self.said}")

    def flask(self, *words: str) -> bool:
        """A ``flask`` command, journalled with its begin and end; whether it was done. ``said`` is what it said."""
        begin = self._journal.note("admin.begin", words=list(words))
        told = self.ask("flask", words=list(words))
        if told["fault"]:
            self._journal.note("admin.fault", words=list(words), fault=told["fault"])
        self._journal.note("admin.end", words=list(words), begin=begin, exit=told["exit"], said=told["said"][-500:])
        self.said = str(told["said"]) + str(told["fault"])
        return bool(told["exit"] == 0)

    def close(self) -> None:
        """Ends it at once, wherever it is."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                for pipe in (self._process.stdin, self._process.stdout):
                    if pipe is not None:
                        pipe.close()
                self._process = None
