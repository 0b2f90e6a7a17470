"""Forms that the app was not built with: the kinds' own, filled in without a network, on the real app."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.handheld import Handheld
from tests.browser.small_facility import SECRET, Site

Look = Callable[[], list[dict]]
TEXT = "监室内两人争执，已制止 𠮷"


def reports(rows: list[dict]) -> list[dict]:
    return [row for row in rows if row["kind"] == "dynamic_info"]


def begin(device: Handheld, task: str) -> None:
    device.tap("tab-record")
    device.page.locator(f'[data-task="{task}"]').click()


def test_a_form_filled_offline_survives_a_reload_and_arrives_once(
    enrolled: Handheld, site: Site, witness: Look
) -> None:
    cell = next(stop for stop in site.stops if stop.type == "cell")
    enrolled.tap("tab-record")
    expect(enrolled.see("task").first).to_be_visible()
    enrolled.offline(True)
    begin(enrolled, "dynamic_info/report")
    expect(enrolled.see("save")).to_have_count(0)
    enrolled.tap("choice-dispute")
    enrolled.tap("choice-important")
    enrolled.tap("ref-place")
    enrolled.fill("ref-search", cell.code)
    enrolled.see("ref-option").filter(has_text=cell.code).first.click()
    expect(enrolled.see("missing")).to_be_visible()

    enrolled.page.reload()
    enrolled.unlock(SECRET)
    for word in ("dispute", "important"):
        expect(enrolled.see(f"choice-{word}")).to_have_attribute("aria-checked", "true")
    enrolled.page.locator("[data-testid=field-text] textarea").fill(TEXT)
    enrolled.tap("save")
    enrolled.expect_line(waiting=1, sent=0, state="offline")
    assert reports(witness()) == []

    enrolled.offline(False)
    enrolled.wake()
    enrolled.expect_line(waiting=0, sent=1, state="online")
    (row,) = reports(witness())
    told = {name: row["doc"][name] for name in ("category", "severity", "place", "person", "text")}
    assert told == {"category": "dispute", "severity": "important", "place": cell.id, "person": None, "text": TEXT}


def test_what_was_begun_can_be_thrown_away(enrolled: Handheld) -> None:
    begin(enrolled, "dynamic_info/report")
    enrolled.tap("choice-dispute")
    enrolled.tap("back")
    expect(enrolled.page.locator('[data-task="dynamic_info/report"]')).to_contain_text("填了一半")
    begin(enrolled, "dynamic_info/report")
    expect(enrolled.see("choice-dispute")).to_have_attribute("aria-checked", "true")
    enrolled.tap("forget")
    enrolled.page.locator(".van-dialog__confirm").click()
    begin(enrolled, "dynamic_info/report")
    expect(enrolled.see("choice-dispute")).to_have_attribute("aria-checked", "false")
