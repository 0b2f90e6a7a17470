"""A server with a small facility, and the system's Chromium, for tests of the phone screen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from backend.settings import Settings
from headless import Terminal
from tests.browser.handheld import Handheld
from tests.browser.small_facility import ADMIN, COLLEAGUE, PATROL, SECRET, Site, furnish
from tests.support.server import serving
from tools.process import environment

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "terminal" / "dist"
_NO_CHROMIUM = "no chromium, chromium-browser or google-chrome on this machine"


# Longer than the terminal waits after its third failure.
expect.set_options(timeout=15_000)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A browser that is missing must not look like a browser that is content."""
    if chromium() is None:
        terminalreporter.write_line(f"THE BROWSER TESTS DID NOT RUN: {_NO_CHROMIUM}", red=True, bold=True)


def chromium() -> str | None:
    """The system's Chromium, if it has one."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = chromium()
    if path is None:
        # On a machine that is there to test, a missing browser is a fault of the machine.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(_NO_CHROMIUM)
    assert path is not None
    return path


@pytest.fixture(scope="session")
def site(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if not (BUILT / "index.html").exists():
        pytest.fail("terminal/dist is not built: make terminal/dist/index.html")
    data = tmp_path_factory.mktemp("browser") / "data"
    with pytest.MonkeyPatch.context() as environ:
        environ.delenv("ROUNDSMAN_DATABASE", raising=False)
        environ.setenv("ROUNDSMAN_TERMINAL_APP", str(BUILT))
        ward, stops, codes = furnish(Settings.read(environment(data)))
        with serving(data) as server:
            yield Site(server.url, ward, stops, codes)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright, chromium_path: str) -> Iterator[Browser]:
    launched = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
    yield launched
    launched.close()


@pytest.fixture
def handheld(browser: Browser, site: Site) -> Iterator[Handheld]:
    """A device fresh from its box, in Chinese."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    context.set_default_timeout(15_000)
    yield Handheld(context, context.new_page(), site.url)
    context.close()


@pytest.fixture
def enrolled(handheld: Handheld, site: Site) -> Handheld:
    """A device with an officer of the ward signed in and the app ready to work without a network."""
    handheld.enrol(site.code())
    handheld.sign_in(PATROL, SECRET)
    handheld.await_offline_ready()
    return handheld


@pytest.fixture
def witness(site: Site, tmp_path: Path) -> Iterator[Callable[[], list[dict]]]:
    """What another terminal of the ward gets to see: all rows, by a pull of its own."""
    with Terminal(tmp_path / "witness.db", site.url) as terminal:
        terminal.enrol(site.code(), "witness")
        terminal.sign_in(COLLEAGUE, SECRET)

        def look() -> list[dict]:
            terminal.pull()
            return terminal.rows()

        yield look


@pytest.fixture
def office(site: Site, tmp_path: Path) -> Iterator[Terminal]:
    """The administrator at a terminal of his own."""
    with Terminal(tmp_path / "office.db", site.url) as terminal:
        terminal.enrol(site.code(), "office")
        terminal.sign_in(ADMIN, SECRET)
        yield terminal
