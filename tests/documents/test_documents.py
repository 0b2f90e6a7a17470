"""What stands in the documents is what the code does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.support.world import World
from tools import exchange, transcript
from tools.process import free_port
from tools.vectors import make

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_the_protocols_exchange_goes_over_the_wire_as_it_is_recorded() -> None:
    assert exchange.record() == exchange.standing(ROOT / "docs" / "protocol.md")


def test_the_shared_vectors_are_what_the_server_computes() -> None:
    kept = orjson.loads((ROOT / "tests" / "vectors" / "protocol.json").read_bytes())
    assert make(kept) == kept


@pytest.mark.timeout(400)
def test_the_readmes_transcript_plays_again_as_it_stands() -> None:
    assert transcript.play(free_port()) == transcript.standing(ROOT / "README.md")


def test_the_page_of_errors_is_the_catalogue(small: World) -> None:
    from mobile_api.commands.openapi import errors_document

    with small.app.app_context():
        assert (ROOT / "docs" / "errors.md").read_text(encoding="utf-8") == errors_document()


def test_the_readmes_commands_for_a_facility_of_ones_own_run_as_they_stand(tmp_path: Path) -> None:
    lines = re.findall(r"^    (flask .+)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    here = Path(sys.executable).parent
    environ = os.environ | {"PATH": f"{here}:{os.environ['PATH']}", "ROUNDSMAN_DATA": str(tmp_path)}
    said = [
        subprocess.run(
            line, shell=True, cwd=ROOT, env=environ, input="a secret\na secret\n", capture_output=True, text=True
        )
        for line in lines
    ]
    assert [done.returncode for done in said] == [0, 0, 0], [done.stderr for done in said]
    assert "KSS-01: epoch 1 holds" in said[2].stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_that_a_document_names_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", document.read_text(encoding="utf-8")))
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_links_to_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    missing = [link for link in links if not (document.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_of_code_that_a_document_names_exists(document: Path) -> None:
    """Inside backticks, what looks like a file or folder of ours is one. `…` and `*` stand for several."""
    text = document.read_text(encoding="utf-8")
    tops = "backend|sync|mobile_api|biometrics|tasks|headless|terminal|demo|bench|tools|tests|docs"
    named = re.findall(rf"`((?:{tops})/[\w./-]*)`", text)
    missing = [name for name in named if not (ROOT / name.rstrip("/")).exists()]
    assert missing == []


def test_every_test_that_a_document_names_exists() -> None:
    named = [
        found
        for document in DOCUMENTS
        for found in re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", document.read_text(encoding="utf-8"))
    ]
    assert len(named) > 50
    missing = [
        f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert missing == []
