"""A round walked without a network, on the real app, against the real server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Error, Playwright, Route, expect

from backend.records.patrols.visit import OBSERVATIONS, RESPONSES, VISIT
from tests.browser.handheld import Handheld
from tests.browser.small_facility import AUDITOR, COLLEAGUE, PATROL, SECRET, Place, Site

Look = Callable[[], list[dict]]


def visits(rows: list[dict], round_id: str) -> list[dict]:
    """The round's visits in the order in which they were seen."""
    found = [row for row in rows if row["kind"] == "patrol.visit" and row["doc"]["round"] == round_id]
    return sorted(found, key=lambda row: row["observed_at"])


def typed(uid: str | None) -> dict:
    return {"uid": uid, "medium": "typed", "counter": None}


def walk_three_stops(device: Handheld, gate: Place, first: Place, second: Place) -> None:
    """A checkpoint's tag is the whole visit; a cell's tag opens its questions; a cell without a tag wants a note."""
    device.read_tag(gate.tag or "")
    device.expect_walked(gate.id)
    device.read_tag((first.tag or "").lower())
    device.answer(3, "breathing", "asleep")
    device.record()
    device.stop(second.id).click()
    device.tap("no-tag")
    device.answer(12, "spoke", "calm")
    expect(device.see("save")).to_have_count(0)
    device.fill("note", "门口标签脱落")
    device.record()


def test_a_round_walked_offline_is_kept_and_arrives_once(enrolled: Handheld, site: Site, witness: Look) -> None:
    gate, first, second, last = site.stops
    enrolled.expect_line(waiting=0, sent=0, state="online")
    enrolled.offline(True)
    enrolled.open_round()
    round_id = enrolled.round_id()
    walk_three_stops(enrolled, gate, first, second)
    enrolled.expect_line(waiting=4, sent=0, state="offline")

    enrolled.page.reload()
    enrolled.unlock(SECRET)
    for stop in (gate, first, second):
        enrolled.expect_walked(stop.id)
    enrolled.expect_walked(last.id, walked=False)
    enrolled.close_round("interrupted", "警铃响，前往支援")
    enrolled.expect_line(waiting=5, sent=0, state="offline")
    assert visits(witness(), round_id) == []

    enrolled.offline(False)
    enrolled.expect_line(waiting=0, sent=5, state="online")
    rows = witness()
    assert [row["doc"] for row in visits(rows, round_id)] == [
        {"round": round_id, "place": gate.id, "tag": typed(gate.tag), "cell": None, "note": None},
        {
            "round": round_id,
            "place": first.id,
            "tag": typed(first.tag),
            "cell": {"headcount": 3, "response": "breathing", "observation": "asleep"},
            "note": None,
        },
        {
            "round": round_id,
            "place": second.id,
            "tag": None,
            "cell": {"headcount": 12, "response": "spoke", "observation": "calm"},
            "note": "门口标签脱落",
        },
    ]
    closed = next(row for row in rows if row["id"] == round_id)
    assert (closed["version"], closed["doc"]["result"], closed["doc"]["visits"]) == (2, "interrupted", 3)
    assert closed["signoff"]["method"] == "session"


def test_nothing_is_answered_beforehand(enrolled: Handheld, site: Site) -> None:
    enrolled.open_round()
    enrolled.stop(site.stops[1].id).click()
    expect(enrolled.see("headcount")).to_have_text("—")
    assert enrolled.page.locator("[role=radio][aria-checked=true]").count() == 0
    expect(enrolled.see("save")).to_have_count(0)
    enrolled.answer(3, "spoke", "calm")
    # All but the tag: still nothing that could be recorded.
    expect(enrolled.see("save")).to_have_count(0)


def test_the_words_are_those_of_the_register(enrolled: Handheld, site: Site) -> None:
    enrolled.open_round()
    enrolled.stop(site.stops[1].id).click()
    for group, codes in (("response", RESPONSES), ("observation", OBSERVATIONS)):
        for code in codes:
            expect(enrolled.see(f"choice-{code}")).to_have_text(VISIT.labels[f"cell.{group}.{code}"].zh)
    expect(enrolled.page.get_by_role("radio")).to_have_count(len(RESPONSES) + len(OBSERVATIONS))


def test_the_last_answer_records_by_itself_unless_taken_back(enrolled: Handheld, site: Site) -> None:
    first, second = site.stops[1:3]
    enrolled.open_round()
    enrolled.read_tag(first.tag or "")
    enrolled.answer(3, "moving", "calm")
    enrolled.tap("change")
    enrolled.tap("choice-unwell")
    enrolled.expect_walked(first.id)
    expect(enrolled.stop(first.id)).to_contain_text("身体不适")
    # Leaving a stop whose answers are complete records it; half of them stay a draft.
    enrolled.read_tag(second.tag or "")
    enrolled.tap("digit-3")
    enrolled.tap("back")
    enrolled.expect_walked(second.id, walked=False)
    expect(enrolled.stop(second.id)).to_contain_text("未填完")
    enrolled.stop(second.id).click()
    expect(enrolled.see("headcount")).to_have_text("3")


READER = """
window.NDEFReader = class extends EventTarget {
  async scan() {
    window.touch = (uid) => this.dispatchEvent(Object.assign(new Event('reading'), { serialNumber: uid }))
  }
}
"""


def test_a_reader_in_the_device_leads_through_the_round(handheld: Handheld, site: Site, witness: Look) -> None:
    def touch(uid: str | None) -> None:
        handheld.page.evaluate("uid => touch(uid.toLowerCase().match(/../g).join(':'))", uid)

    gate, first, second, _ = site.stops
    handheld.context.add_init_script(READER)
    handheld.enrol(site.code())
    handheld.sign_in(PATROL, SECRET)
    handheld.open_round()
    round_id = handheld.round_id()
    handheld.tap("read-tag")
    expect(handheld.see("read-tag")).to_have_count(0)
    touch(gate.tag)
    handheld.expect_walked(gate.id)
    touch(first.tag)
    handheld.answer(3, "moving", "calm")
    expect(handheld.see("change")).to_be_visible()
    # At the next door: the stop that was complete is recorded, the next one is asked about.
    touch(second.tag)
    expect(handheld.see("headcount")).to_have_text("—")
    handheld.tap("back")
    handheld.expect_walked(first.id)
    handheld.expect_walked(second.id, walked=False)
    handheld.expect_line(waiting=0, sent=3, state="online")
    tags = [row["doc"]["tag"] for row in visits(witness(), round_id)]
    assert tags == [{"uid": stop.tag, "medium": "nfc", "counter": None} for stop in (gate, first)]


def test_an_answer_that_is_lost_does_not_double_a_visit(enrolled: Handheld, site: Site, witness: Look) -> None:
    lost = []

    def lose(route: Route) -> None:
        lost.append(route.fetch().status)
        route.abort()

    enrolled.page.route("**/v1/sync/push", lose, times=2)
    enrolled.open_round()
    round_id = enrolled.round_id()
    enrolled.read_tag(site.stops[0].tag or "")
    enrolled.expect_line(waiting=0, sent=2, state="online")
    assert lost == [200, 200]
    assert len(visits(witness(), round_id)) == 1


def test_a_browser_killed_on_the_walk_loses_nothing(
    playwright: Playwright, chromium_path: str, site: Site, tmp_path: Path, witness: Look
) -> None:
    def start() -> Handheld:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=chromium_path, args=["--no-sandbox"]
        )
        return Handheld(context, context.pages[0], site.url)

    device = start()
    device.enrol(site.code())
    device.sign_in(PATROL, SECRET)
    device.await_offline_ready()
    device.offline(True)
    device.open_round()
    address, round_id = device.page.url, device.round_id()
    device.read_tag(site.stops[0].tag or "")
    device.read_tag(site.stops[1].tag or "")
    device.answer(3, "breathing", "asleep")
    device.record()
    device.read_tag(site.stops[2].tag or "")
    device.tap("digit-2")
    crash(device)

    device = start()
    device.offline(True)
    device.page.goto(address)
    device.unlock(SECRET)
    device.expect_walked(site.stops[0].id)
    device.expect_walked(site.stops[1].id)
    expect(device.stop(site.stops[2].id)).to_contain_text("未填完")
    device.expect_line(waiting=3, sent=0, state="offline")
    device.offline(False)
    device.expect_line(waiting=0, sent=3, state="online")
    assert [row["doc"]["place"] for row in visits(witness(), round_id)] == [stop.id for stop in site.stops[:2]]
    device.context.close()


def crash(device: Handheld) -> None:
    """Ends the browser process as a pulled battery would, without a word to the page."""
    browser = device.context.browser
    assert browser is not None
    with contextlib.suppress(Error):  # the line dies with the browser
        browser.new_browser_cdp_session().send("Browser.crash")
    assert not browser.is_connected()


def test_a_queue_is_sent_while_nobody_or_another_is_signed_in(enrolled: Handheld, site: Site, witness: Look) -> None:
    enrolled.offline(True)
    enrolled.open_round()
    round_id = enrolled.round_id()
    enrolled.read_tag(site.stops[0].tag or "")
    enrolled.tap("back")
    enrolled.sign_out()
    enrolled.expect_line(waiting=2, sent=0, state="offline")
    enrolled.tap("status-line")
    expect(enrolled.see("op")).to_have_count(0)
    enrolled.offline(False)
    enrolled.expect_line(waiting=0, sent=2)
    assert len(visits(witness(), round_id)) == 1
    enrolled.page.get_by_role("link", name="登录").click()
    enrolled.sign_in(COLLEAGUE, SECRET)
    enrolled.tap("status-line")
    expect(enrolled.see("op")).to_have_count(0)


def test_what_is_refused_is_said_in_the_officers_language(handheld: Handheld, site: Site) -> None:
    handheld.enrol(site.code())
    handheld.sign_in(AUDITOR, SECRET)
    handheld.open_round()
    handheld.expect_line(waiting=0, sent=0, refused=1, state="online")
    handheld.tap("status-line")
    expect(handheld.see("op")).to_contain_text("该民警在当时无权进行此操作")
    handheld.page.get_by_text("本机", exact=True).last.click()
    handheld.tap("language")
    handheld.tap("status-line")
    expect(handheld.see("op")).to_contain_text("The officer was not allowed to do this at that time.")


def test_of_two_tabs_one_sends_and_both_see_it(enrolled: Handheld, site: Site) -> None:
    enrolled.open_round()
    address = enrolled.page.url
    other = Handheld(enrolled.context, enrolled.context.new_page(), site.url)
    asked: list[str] = []
    other.page.on("request", lambda request: asked.append(request.url) if "/v1/" in request.url else None)
    other.page.goto(address)
    other.read_tag(site.stops[0].tag or "")
    other.expect_line(waiting=0, sent=2, state="online")
    enrolled.expect_line(waiting=0, sent=2, state="online")
    enrolled.expect_walked(site.stops[0].id)
    assert asked == []
    enrolled.page.close()
    other.read_tag(site.stops[3].tag or "")
    other.expect_line(waiting=0, sent=3, state="online")
    assert asked != []
