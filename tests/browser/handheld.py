"""The phone screen as an officer uses it: what is tapped, and what the line on top says."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Locator, Page, expect


class Handheld:
    """One device: a browser context with one page of the app."""

    def __init__(self, context: BrowserContext, page: Page, url: str) -> None:
        self.context = context
        self.page = page
        self._url = url

    def see(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    def tap(self, name: str) -> None:
        self.see(name).first.click()

    def fill(self, name: str, text: str) -> None:
        field = f"[data-testid={name}]"
        self.page.locator(f"{field} input, {field} textarea, input{field}, textarea{field}").first.fill(text)

    def enrol(self, code: str) -> None:
        self.page.goto(f"{self._url}/app/")
        self.fill("code", code)
        self.fill("label", "PDA-07")
        self.tap("enrol")
        expect(self.see("sign-in")).to_be_visible()

    def sign_in(self, number: str, secret: str) -> None:
        self.fill("number", number)
        self.fill("secret", secret)
        self.tap("sign-in")
        expect(self.see("ward").or_(self.see("open-round")).first).to_be_visible()

    def unlock(self, secret: str) -> None:
        self.fill("unlock-secret", secret)
        self.tap("unlock")

    def sign_out(self) -> None:
        self.page.get_by_text("本机", exact=True).last.click()
        self.tap("sign-out")
        self.page.locator(".van-dialog__confirm").click()
        expect(self.see("sign-in")).to_be_visible()

    def await_offline_ready(self) -> None:
        """The worker has stored the app and answers for it."""
        self.page.evaluate("navigator.serviceWorker.ready")
        self.page.wait_for_function("navigator.serviceWorker.controller !== null")

    def offline(self, off: bool) -> None:
        self.context.set_offline(off)

    def wake(self) -> None:
        """A signal comes back: what would be asked after a while is asked at once."""
        self.page.evaluate("window.dispatchEvent(new Event('online'))")

    def expect_line(self, *, waiting: int, sent: int, refused: int = 0, state: str | None = None) -> None:
        """The line on top of the page."""
        for name, count in (("waiting", waiting), ("sent", sent), ("refused", refused)):
            expect(self.see(name)).to_have_attribute("data-count", str(count))
        if state is not None:
            expect(self.see("status-line")).to_have_attribute("data-state", state)

    def open_round(self) -> None:
        self.tap("start")
        expect(self.see("stop").first).to_be_visible()

    def read_tag(self, uid: str) -> None:
        """Types the tag's id, as on a device without a reader."""
        self.tap("type-tag")
        self.fill("tag-input", uid)
        self.tap("tag-use")

    def answer(self, headcount: int, response: str, observation: str) -> None:
        for digit in str(headcount):
            self.tap(f"digit-{digit}")
        self.tap(f"choice-{response}")
        self.tap(f"choice-{observation}")

    def record(self) -> None:
        self.tap("save")
        expect(self.see("stop").first).to_be_visible()

    def stop(self, place: str) -> Locator:
        return self.page.locator(f'[data-testid=stop][data-place="{place}"]')

    def expect_walked(self, place: str, walked: bool = True) -> None:
        expect(self.stop(place)).to_have_attribute("data-walked", "1" if walked else "0")

    def close_round(self, result: str, reason: str | None = None) -> None:
        self.tap("close-round")
        expect(self.see("sign")).to_be_disabled()
        self.tap(f"choice-{result}")
        if reason is not None:
            expect(self.see("sign")).to_be_disabled()
            self.fill("reason", reason)
        self.tap("sign")
        expect(self.see("ward").first).to_be_visible()

    def round_id(self) -> str:
        """The round on the screen."""
        found = re.search(r"/rounds/([0-9a-f-]{36})", self.page.url)
        assert found
        return found[1]
