"""The README's transcript: really played, masked where it differs from run to run, and compared by a test.

`make run` serves a fresh demo facility; a headless terminal enrols, works while the server is gone, syncs when it is
back; then the log is verified.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from demo.facility import build
from demo.seed import SECRET, SEED

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- transcript: begin, made by `make docs` -->\n", "<!-- transcript: end -->"
PORT = 8000
_UP_SECONDS = 300
_FIRST = "writing a synthetic facility"
"""What stands before it tells of environment and build, which a second run does not make again."""
_MASKS = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "…"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "…"),
    (r"\b[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b", "XXXX-XXXX-XXXX"),
    (r"root [\w-]{43}", "root …"),
    (r"\d+ rounds with \d+ stops", "… rounds with … stops"),
    (r"pulled \d+ rows", "pulled … rows"),
    (r"size \d+", "size …"),
    (r"\d+ leaves, \d+ operations, \d+ versions, \d+ heads", "… leaves, … operations, … versions, … heads"),
)


class _Play:
    """A play in a folder of its own: what is typed, what is answered."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self._port = port
        self.lines: list[str] = []
        here = Path(sys.executable).parent
        self._environ = os.environ | {
            "PATH": f"{here}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "ROUNDSMAN_DB": "pda.sqlite3",
            "ROUNDSMAN_SERVER": f"http://localhost:{port}",
            "ROUNDSMAN_SECRET": SECRET,
        }

    def say(self, comment: str) -> None:
        self.lines.append(f"# {comment}")

    def run(self, line: str, **shown: str) -> str:
        """Runs a command line; `shown` words stand in the transcript for what was really typed."""
        typed = line
        for word, real in shown.items():
            typed = typed.replace(word, real)
        shell = ["bash", "-c", typed]
        done = subprocess.run(shell, cwd=self.folder, env=self._environ, capture_output=True, text=True, check=False)
        self.lines += [f"$ {line}", *(done.stdout + done.stderr).rstrip().splitlines()]
        return done.stdout

    @contextlib.contextmanager
    def serving(self, *, show: bool) -> Iterator[str]:
        """`make run` while the block lasts; gives what it printed."""
        line = ["make", "-s", "-C", str(ROOT), "run", f"PORT={self._port}", f"DATA={self.folder / 'data'}"]
        log = self.folder / "run.log"
        with log.open("wb") as out:
            server = subprocess.Popen(line, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            self._wait(server, log)
            said = log.read_text(encoding="utf-8").replace(str(self._port), str(PORT))
            if show:
                begun = said[said.index(_FIRST) :]
                self.lines += ["$ make run", *begun.rstrip().splitlines()]
            yield said
        finally:
            os.killpg(server.pid, signal.SIGINT)
            server.wait(timeout=30)

    def _wait(self, server: subprocess.Popen[bytes], log: Path) -> None:
        until = time.monotonic() + _UP_SECONDS
        while time.monotonic() < until and server.poll() is None:
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"http://localhost:{self._port}/healthz", timeout=2)
                return
            time.sleep(0.2)
        raise RuntimeError(f"make run did not come up:\n{log.read_text(encoding='utf-8')}")


def _walk(play: _Play) -> None:
    facility = build(SEED)
    stops = [p for p in facility.places if p.code in ("A-CP1", "A-01", "A-02")]
    play.say("no signal: the server is stopped")
    play.run("python -m headless round open A")
    for stop in stops:
        cell = f" --headcount {facility.held[stop.id]} --response moving --observation calm"
        looked = cell if stop.type == "cell" else ""
        play.run(f"python -m headless round visit {stop.code} --tag {stop.tags[0]} --medium nfc{looked}")
    play.run("python -m headless round close")
    play.run("python -m headless sync")


def play(port: int) -> str:
    """Plays it on a free port; returns the transcript, masked."""
    with tempfile.TemporaryDirectory(prefix="roundsman-transcript-") as name:
        acting = _Play(Path(name), port)
        with acting.serving(show=True) as said:
            found = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", said)
            assert found is not None, said
            acting.say("in a second terminal window; .venv/bin stands in PATH")
            acting.lines.append(f"$ export ROUNDSMAN_DB=pda.sqlite3 ROUNDSMAN_SERVER=http://localhost:{PORT}")
            acting.lines.append(f"$ export ROUNDSMAN_SECRET={SECRET}")
            acting.run("python -m headless enrol CODE --label PDA-07", CODE=found[0])
            acting.run("python -m headless sign-in 100001")
            acting.run("python -m headless sync")
        _walk(acting)
        with acting.serving(show=False):
            acting.say("the signal is back: make run again")
            acting.run("python -m headless sync")
            acting.run("python -m headless status")
            acting.run("flask --app wsgi audit verify")
        return masked("\n".join(acting.lines)).replace(f":{port}", f":{PORT}")


def masked(text: str) -> str:
    """The transcript without what differs from run to run, and without names of persons, even synthetic ones."""
    text = unnamed(text)
    for pattern, instead in _MASKS:
        text = re.sub(pattern, instead, text)
    return text


def unnamed(text: str) -> str:
    """The text with the synthetic persons' names left out: they live in the demo alone."""
    facility = build(SEED)
    names = [officer.name for officer in facility.officers] + [person.name for person in facility.persons]
    for name in names:
        text = text.replace(name, "…")
    return text


def standing(readme: Path) -> str:
    """The transcript that stands in the README."""
    text = readme.read_text(encoding="utf-8")
    block = text[text.index(BEGIN) + len(BEGIN) : text.index(END)]
    return block.removeprefix("```console\n").removesuffix("\n```\n")


def write_into(readme: Path, port: int = 18_765) -> None:
    """Plays, and writes the transcript into the README."""
    text = readme.read_text(encoding="utf-8")
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    readme.write_text(f"{before}{BEGIN}```console\n{play(port)}\n```\n{after}", encoding="utf-8")
