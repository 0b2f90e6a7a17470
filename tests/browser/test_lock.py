"""Who holds a handheld is not yet its officer: the lock, what lies under it, and how a device and a secret come into use."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from headless import Terminal
from tests.browser.handheld import Handheld
from tests.browser.small_facility import COLLEAGUE, PATROL, SECRET, Site

NOTE = "铁门内侧有血迹"
TRIES = 5

EVERYTHING = """
async () => {
  const letters = (_, value) => {
    if (value instanceof Uint8Array) return String.fromCharCode(...value)
    return value instanceof CryptoKey ? `key ${value.type} ${value.extractable}` : value
  }
  const opening = indexedDB.open('roundsman')
  const db = await new Promise((done) => { opening.onsuccess = () => done(opening.result) })
  const found = {}
  for (const name of db.objectStoreNames) {
    const asking = db.transaction(name).objectStore(name).getAll()
    const all = await new Promise((done) => { asking.onsuccess = () => done(asking.result) })
    found[name] = JSON.parse(JSON.stringify(all, letters))
  }
  db.close()
  return { ...found, local: { ...localStorage }, session: { ...sessionStorage } }
}
"""


def record_without_a_tag(device: Handheld, site: Site, note: str) -> None:
    device.open_round()
    device.stop(site.stops[1].id).click()
    device.tap("no-tag")
    device.answer(3, "spoke", "calm")
    device.fill("note", note)
    device.record()


def test_what_lies_on_the_disk_says_nothing_of_what_was_seen(enrolled: Handheld, site: Site) -> None:
    enrolled.expect_line(waiting=0, sent=0, state="online")
    enrolled.offline(True)
    record_without_a_tag(enrolled, site, NOTE)
    # A second stop is left half entered, as a draft.
    enrolled.stop(site.stops[2].id).click()
    enrolled.tap("add-note")
    enrolled.fill("note", NOTE)
    enrolled.tap("back")
    expect(enrolled.stop(site.stops[2].id)).to_contain_text("未填完")
    found = enrolled.page.evaluate(EVERYTHING)
    assert [len(found[name]) for name in ("ops", "drafts", "vaults")] == [2, 1, 1]
    assert len(found["rows"]) > 10
    # The forms of the kinds lie in the clear: anybody may ask the server for them, and they say nothing of anybody.
    forms = next(pair["value"] for pair in found["kv"] if pair["key"] == "kinds")
    assert forms["told"].keys() == {"kinds", "marks"}
    found["kv"] = [pair for pair in found["kv"] if pair["key"] != "kinds"]
    said = json.dumps(found, ensure_ascii=False)
    # Names of persons and places, the note (as letters and as bytes of UTF-8), the officer's name and secret.
    utf8 = NOTE.encode().decode("latin-1")
    for word in (NOTE, utf8, "headcount", "A-01", "某", "巡控甲", SECRET, "access_token", "refresh"):
        assert word not in said
    assert "private true" not in said


def test_a_locked_device_opens_with_the_secret_off_line_and_where_it_was(enrolled: Handheld, site: Site) -> None:
    enrolled.offline(True)
    record_without_a_tag(enrolled, site, NOTE)
    enrolled.page.reload()
    expect(enrolled.see("lock-page")).to_be_visible()
    expect(enrolled.see("stop")).to_have_count(0)
    enrolled.tap("status-line")
    expect(enrolled.see("op")).to_have_count(0)
    enrolled.page.go_back()
    enrolled.unlock(SECRET)
    enrolled.expect_walked(site.stops[1].id)
    enrolled.tap("status-line")
    expect(enrolled.see("op").first).to_contain_text(NOTE)


def test_too_many_wrong_secrets_destroy_what_is_cached_and_not_the_queue(enrolled: Handheld, site: Site) -> None:
    enrolled.offline(True)
    record_without_a_tag(enrolled, site, NOTE)
    enrolled.page.reload()
    for left in range(TRIES - 1, 0, -1):
        enrolled.unlock("wrong")
        expect(enrolled.see("failure")).to_contain_text(f"还可以试 {left} 次")
    enrolled.unlock("wrong")
    expect(enrolled.see("destroyed")).to_contain_text(PATROL)
    found = enrolled.page.evaluate(EVERYTHING)
    assert [len(found[name]) for name in ("ops", "rows", "drafts", "vaults")] == [2, 0, 0, 0]
    enrolled.offline(False)
    enrolled.expect_line(waiting=0, sent=2)
    enrolled.sign_in(PATROL, SECRET)
    expect(enrolled.see("open-round")).to_be_visible()


def test_nobody_there_for_five_minutes_locks_it(handheld: Handheld, site: Site) -> None:
    handheld.page.clock.install()
    handheld.enrol(site.code())
    handheld.sign_in(PATROL, SECRET)
    handheld.page.clock.fast_forward("04:30")
    expect(handheld.see("ward").first).to_be_visible()
    handheld.page.mouse.click(5, 400)
    handheld.page.clock.fast_forward("04:30")
    expect(handheld.see("ward").first).to_be_visible()
    handheld.page.clock.fast_forward("00:45")
    expect(handheld.see("lock-page")).to_be_visible()
    handheld.unlock(SECRET)
    expect(handheld.see("ward").first).to_be_visible()


def test_tabs_are_locked_together_and_another_officer_may_sign_in(enrolled: Handheld, site: Site) -> None:
    other = Handheld(enrolled.context, enrolled.context.new_page(), site.url)
    other.page.goto(f"{site.url}/app/")
    expect(other.see("ward").first).to_be_visible()
    other.page.get_by_text("本机", exact=True).last.click()
    other.tap("lock-now")
    expect(enrolled.see("lock-page")).to_be_visible()
    other.tap("sign-in-instead")
    other.sign_in(COLLEAGUE, SECRET)
    expect(enrolled.see("ward").first).to_be_visible()


def test_a_secret_that_was_given_is_changed_before_anything_else(
    handheld: Handheld, site: Site, office: Terminal
) -> None:
    wanted = {"number": "100077", "name": "巡控丙", "posts": ["PAT"], "places": [site.ward.id]}
    given = office.ask("POST", "/v1/officers", wanted)["secret"]
    handheld.enrol(site.code())
    handheld.fill("number", "100077")
    handheld.fill("secret", given)
    handheld.tap("sign-in")
    expect(handheld.see("secret-page")).to_be_visible()
    handheld.page.goto(f"{site.url}/app/#/rounds/none")
    expect(handheld.see("secret-page")).to_be_visible()
    own = "晨光里的第七扇门"
    for field, text in (("old-secret", given), ("new-secret", own), ("new-secret-again", own)):
        handheld.fill(field, text)
    handheld.tap("change-secret")
    expect(handheld.see("ward")).to_be_visible()
    handheld.page.reload()
    handheld.unlock(given)
    expect(handheld.see("failure")).to_be_visible()
    handheld.unlock(own)
    expect(handheld.see("ward")).to_be_visible()


def test_a_device_shows_its_fingerprint_and_waits_to_be_let_in(
    handheld: Handheld, site: Site, office: Terminal
) -> None:
    made = office.ask("POST", "/v1/terminals/codes")
    handheld.page.goto(made["link"])
    handheld.fill("label", "PDA-08")
    handheld.tap("enrol")
    expect(handheld.see("waiting-page")).to_be_visible()
    [waiting] = office.ask("GET", "/v1/terminals?state=pending")["terminals"]
    expect(handheld.see("fingerprint")).to_have_text(waiting["fingerprint"])
    handheld.page.reload()
    expect(handheld.see("waiting-page")).to_be_visible()
    office.ask("POST", f"/v1/terminals/{waiting['id']}/approve")
    handheld.wake()
    expect(handheld.see("sign-in")).to_be_visible()
    handheld.sign_in(PATROL, SECRET)


def test_a_device_that_is_turned_away_may_ask_again_with_another_code(
    handheld: Handheld, site: Site, office: Terminal
) -> None:
    made = office.ask("POST", "/v1/terminals/codes")
    handheld.page.goto(f"{site.url}/app/#/enrol?code={made['code']}")
    handheld.fill("label", "PDA-09")
    handheld.tap("enrol")
    expect(handheld.see("waiting-page")).to_be_visible()
    [waiting] = office.ask("GET", "/v1/terminals?state=pending")["terminals"]
    office.ask("POST", f"/v1/terminals/{waiting['id']}/refuse")
    handheld.wake()
    handheld.tap("enrol-again")
    expect(handheld.see("code")).to_be_visible()
    handheld.enrol(site.code())


def test_a_log_that_is_not_proven_stops_sync_and_not_capture(enrolled: Handheld, site: Site) -> None:
    enrolled.expect_line(waiting=0, sent=0, state="online")
    asked: list[int] = []
    enrolled.page.on("response", lambda it: asked.append(it.status) if it.url.endswith("/v1/audit/alarms") else None)
    forged = "**/v1/audit/consistency?*"
    enrolled.page.route(forged, lambda route: route.fulfill(json={"proof": []}))
    enrolled.open_round()
    enrolled.expect_line(waiting=0, sent=1, state="stopped")
    enrolled.read_tag(site.stops[0].tag or "")
    enrolled.expect_walked(site.stops[0].id)
    enrolled.expect_line(waiting=1, sent=1, state="stopped")
    enrolled.tap("status-line")
    expect(enrolled.see("alarm")).to_contain_text("证明不成立")
    expect(enrolled.see("alarm")).to_contain_text("已报告服务器")
    assert asked == [204]
    enrolled.page.unroute(forged)
    enrolled.tap("go-on")
    enrolled.page.locator(".van-dialog__confirm").click()
    enrolled.expect_line(waiting=0, sent=2, state="online")
    expect(enrolled.see("alarm")).to_have_count(0)
