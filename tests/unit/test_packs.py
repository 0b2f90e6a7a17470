"""Packs of rules: how they are read, what a facility may lay over them, and what is told of them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.calendars import HOUR_MS
from backend.domain.dynamic_info import CATEGORIES
from backend.domain.posts import FACILITY_TYPES
from backend.domain.rules import model
from backend.domain.rules.citing import cited, forbids
from backend.domain.rules.composing import NotTighter, Override, amount_of, laid, spelled
from backend.domain.rules.happenings import FACTS
from backend.domain.rules.model import Basis
from backend.domain.rules.page import page
from backend.domain.rules.reading import Broken, base, duration, milliseconds, read, value_of
from backend.domain.rules.sources import in_both
from backend.domain.rules.telling import told
from backend.records.registry import kinds

TODAY = date(2026, 11, 22)
HEADER = b'name = "test"\nversion = "1"\neffective = 2026-01-01\n'
RULE = """
[A09]
scope = ["KSS"]
zh = "做"
en = "do"
source = "somewhere"
basis = "R"
posts = ["DISC"]
within = "PT24H"
warn = "PT18H"
done = [{ event = "talk.recorded", where = { occasion = ["admission", "-"] } }]
chain = [{ after = "PT0S", posts = ["LEAD"] }, { after = "PT4H", posts = ["DIR"] }]
tighter = { within = "shorter" }
reading_zh = "读"
reading_en = "read"
[A09.when]
sort = "on_event"
on = ["admission.accepted"]
each = "person"
"""


def read_one(text: str = RULE) -> model.Rule:
    (rule,) = read({"pack.toml": HEADER, "a.toml": text.encode()}).rules.values()
    return rule


def test_a_rule_is_read_key_by_key() -> None:
    rule = read_one()
    assert (rule.id, rule.scope, rule.basis) == ("A09", {"KSS"}, Basis.PRACTICE)
    assert (rule.within, rule.warn, rule.until, rule.repeats, rule.loud) == (
        24 * HOUR_MS,
        18 * HOUR_MS,
        None,
        None,
        False,
    )
    assert rule.done == (model.Match("talk.recorded", {"occasion": ("admission", None)}),)
    assert rule.chain == (model.Rung(0, ("LEAD",)), model.Rung(4 * HOUR_MS, ("DIR",)))
    assert rule.trigger == model.OnEvent((model.Match("admission.accepted", {}),), model.Each.PERSON)
    assert rule.effective == date(2026, 1, 1)


WRONG = [
    ('scope = ["KSS"]', 'scope = ["XX"]', "scope: 'XX' is none of"),
    ('scope = ["KSS"]', 'scope = "KSS"', "scope: a list of different words"),
    ('basis = "R"', 'basis = "W"', "basis: 'W' is none of V, P, R, M, D"),
    ('posts = ["DISC"]', 'posts = ["BOSS"]', "posts: 'BOSS' is none of"),
    ('posts = ["DISC"]', 'posts = ["DISC", "DISC"]', "posts: a list of different words"),
    ('within = "PT24H"', 'within = "24h"', "within: '24h' is no duration"),
    ('within = "PT24H"', 'within = "P1M"', "within: 'P1M' is no duration in weeks"),
    ('within = "PT24H"', "within = 24", "within: 24 is no duration"),
    ('within = "PT24H"', 'within = "-PT24H"', "within: '-PT24H' is less than nothing"),
    ('within = "PT24H"', 'within = "PT17H"', "warn: comes after within has run out"),
    ('within = "PT24H"\nwarn = "PT18H"\n', "", "tighter: the rule has no value within"),
    (
        'within = "PT24H"\nwarn = "PT18H"\ndone',
        'until = "year"\ndone',
        "until: 'year' is none of day, shift, week, month",
    ),
    ('source = "somewhere"', 'source = " "', "source: words are wanted"),
    ('source = "somewhere"\n', "", "source: is missing"),
    ('zh = "做"', 'zh = "做"\ncolour = "red"', "colour: is not known here"),
    ('event = "talk.recorded"', 'event = "talk.had"', "event: no kind raises 'talk.had'"),
    ("occasion = [", "colour = [", "where: talk.recorded has no fact 'colour'"),
    ('occasion = ["admission", "-"]', 'occasion = "admission"', "where: occasion: a list of values"),
    ('after = "PT4H"', 'after = "-PT4H"', "after: '-PT4H' is less than nothing"),
    ('after = "PT0S"', 'after = "PT5H"', "chain: its rungs are not in the order"),
    ('{ within = "shorter" }', '{ within = "smaller" }', "tighter: within = 'smaller' is nothing"),
    ('{ within = "shorter" }', '{ most = "shorter" }', "tighter: the rule has no value most"),
    ('sort = "on_event"', 'sort = "sometimes"', "when: sort: 'sometimes' is none of"),
    ('on = ["admission.accepted"]', "on = []", "when: on: at least one event"),
    ('each = "person"', 'each = "planet"', "when: each: 'planet' is none of"),
    ('each = "person"', 'each = "person"\nevery = "PT1H"', "when: every: is not known here"),
    ('on = ["admission.accepted"]', "on = [1]", "a table is wanted"),
    ('reading_en = "read"\n', "", "reading_en: is missing"),
    ('sort = "on_event"\non = ["admission.accepted"]\neach = "person"', 'sort = "gives"\nto = "Z99"', "no rule 'Z99'"),
    ("[A09.when]", "[A09.when", "a.toml: "),
]


@pytest.mark.parametrize(("right", "wrong", "why"), WRONG, ids=[why for *_, why in WRONG])
def test_what_is_wrong_is_said_with_its_file_and_rule(right: str, wrong: str, why: str) -> None:
    assert right in RULE
    with pytest.raises(Broken) as told_:
        read_one(RULE.replace(right, wrong, 1))
    assert why in str(told_.value) and ("A09" in str(told_.value) or "a.toml" in str(told_.value))


@pytest.mark.parametrize(
    ("trigger", "why"),
    [
        ('sort = "lasting"\nbegins = ["risk.changed"]\neach = "person"', "after: is missing"),
        ('sort = "before"\non = ["talk.follow_up"]\neach = "person"\nmoment = "due"\nlead = "P1D"', "the fact 'due'"),
        ('sort = "counted"\non = ["talk.recorded"]\neach = "person"\nperiod = "month"\nleast = -1\nby = "P1D"', "least"),
        ('sort = "counted"\non = ["talk.recorded"]\neach = "person"\nperiod = "month"\nleast = 1\nsum = "x"\nby = "P1D"',
         "the fact 'x'"),
        ('sort = "scheduled"\nperiod = "year"\neach = "ward"\nat = "PT8H"', "'year' is none of"),
        ('sort = "windows"\nleast = "PT20M"\nmost = "PT15M"\nrisks = []', "at most as long as most"),
    ],
)  # fmt: skip
def test_each_sort_of_trigger_is_checked(trigger: str, why: str) -> None:
    begin = RULE.replace('tighter = { within = "shorter" }\n', "").partition("[A09.when]\n")[0]
    with pytest.raises(Broken, match="A09: when") as told_:
        read_one(f"{begin}[A09.when]\n{trigger}\n")
    assert why in str(told_.value)


def test_a_pack_has_a_header_and_each_rule_once() -> None:
    with pytest.raises(Broken, match=r"pack.toml: name: is missing"):
        read({"a.toml": RULE.encode()})
    with pytest.raises(Broken, match="effective: a date is wanted"):
        read({"pack.toml": HEADER.replace(b"2026-01-01", b'"soon"')})
    with pytest.raises(Broken, match="b.toml: A09: there is a rule of this id already"):
        read({"pack.toml": HEADER, "a.toml": RULE.encode(), "b.toml": RULE.encode()})


def test_the_digest_is_that_of_every_file() -> None:
    files = {"pack.toml": HEADER, "a.toml": RULE.encode()}
    digests = {read(files).digest, read(files | {"a.toml": RULE.encode() + b"# x\n"}).digest,
               read({"pack.toml": HEADER, "b.toml": RULE.encode()}).digest,
               read(files | {"pack.toml": HEADER.replace(b'"1"', b'"2"')}).digest}  # fmt: skip
    assert len(digests) == 4 and base().digest == base().digest


@given(st.integers(0, 10**12))
def test_a_duration_is_spelled_as_it_is_read(seconds: int) -> None:
    span = seconds % (1000 * 86_400) * 1000
    assert milliseconds(duration(span)) == span


def test_events_and_categories_that_rules_name_are_there() -> None:
    raised = set().union(*(kind.raises for kind in kinds().values()))
    assert set(FACTS) == raised | {"record.marked", "shift.began", "day.began"}
    for rule in base().rules.values():
        for match in matches(rule):
            assert set(match.where.get("category", ())) <= set(CATEGORIES), rule.id


def matches(rule: model.Rule) -> list[model.Match]:
    found = list(rule.done or ())
    for name in ("on", "begins", "ends"):
        found += getattr(rule.trigger, name, ())
    return found


def test_what_may_be_changed_of_a_rule_can_be_changed() -> None:
    for rule in base().rules.values():
        for way in rule.tighter:
            own = value_of(rule, way.value)
            assert own is not None
            assert amount_of(rule, way.value, spelled(rule, way.value, own)) == own, (rule.id, way)


def test_a_legal_row_is_only_tightened_and_others_are_not_bound() -> None:
    rules = base().rules
    assert amount_of(rules["A17"], "within", "PT20H") == 20 * HOUR_MS
    with pytest.raises(NotTighter) as told_:
        amount_of(rules["A17"], "within", "PT25H")
    assert told_.value.bound == "P1D"
    assert amount_of(rules["P15"], "least", "90") == 90
    with pytest.raises(NotTighter):
        amount_of(rules["P15"], "least", "59")
    assert amount_of(rules["A09"], "within", "PT48H") == 48 * HOUR_MS
    for value, said in (
        ("warn", "PT25H"),
        ("within", "PT0S"),
        ("within", "P20Y"),
        ("within", "P5000D"),
        ("within", "soon"),
    ):
        with pytest.raises(ValueError):
            amount_of(rules["A09"], value, said)
    with pytest.raises(LookupError):
        amount_of(rules["A09"], "most", "PT1H")
    for key, value, said in (("P01", "least", "PT21M"), ("P01", "least", "PT4M"), ("I06", "repeats", "PT1M")):
        with pytest.raises(ValueError):
            amount_of(rules[key], value, said)


def test_a_facility_has_the_rules_of_its_type_as_it_changed_them() -> None:
    assert {type_: len(laid(base(), type_, (), TODAY).rules) for type_ in FACILITY_TYPES}["SJ"] < 30
    changed = [Override("A09", "within", 30 * HOUR_MS, TODAY), Override("A09", "within", 20 * HOUR_MS, TODAY)]
    pack = laid(base(), "KSS", changed, TODAY)
    assert pack.rules["A09"].within == 20 * HOUR_MS, "the tightest of two holds"
    assert laid(base(), "KSS", changed[:1], TODAY).rules["A09"].within == 30 * HOUR_MS
    plain = laid(base(), "KSS", (), TODAY)
    assert plain.rules["A09"] == base().rules["A09"] and plain.digest != pack.digest
    assert "A09" not in laid(base(), "JLS", changed, TODAY).rules
    later = [Override("A09", "within", 20 * HOUR_MS, date(2026, 11, 23))]
    assert laid(base(), "KSS", later, TODAY).digest == plain.digest
    assert laid(base(), "KSS", later, date(2026, 11, 23)).rules["A09"].within == 20 * HOUR_MS
    assert laid(base(), "KSS", (), date(2025, 12, 31)).rules == {}
    assert told(pack.rules["A09"], base().rules["A09"])["changes"] == {"within": {"own": "P1D", "here": "PT20H"}}


def test_what_the_pack_no_longer_allows_is_left_out() -> None:
    relaxed = Override("A17", "within", 30 * HOUR_MS, TODAY)
    gone = Override("Z99", "within", HOUR_MS, TODAY)
    unknown = Override("A09", "most", HOUR_MS, TODAY)
    plain = laid(base(), "KSS", (), TODAY)
    assert laid(base(), "KSS", [relaxed, gone, unknown], TODAY) == plain


def test_what_hangs_on_a_value_that_was_shortened_is_shortened_alike() -> None:
    def here(rule: str, **values: str) -> model.Rule:
        amounts = [Override(rule, name, milliseconds(said), TODAY) for name, said in values.items()]
        return laid(base(), "KSS", amounts, TODAY).rules[rule]

    assert here("A09", within="PT12H").warn == 9 * HOUR_MS, "three quarters of the time, as in the pack"
    assert here("A09", within="PT20H").warn == 18 * HOUR_MS
    assert here("A09", within="PT12H", warn="PT6H").warn == 6 * HOUR_MS
    windows = here("P01", most="PT12M").trigger
    assert isinstance(windows, model.Windows) and (windows.least, windows.most) == (9 * 60_000, 12 * 60_000)
    windows = here("P01", most="PT12M", least="PT10M").trigger
    assert isinstance(windows, model.Windows) and (windows.least, windows.most) == (10 * 60_000, 12 * 60_000)


def test_a_number_that_one_rule_gives_another_is_laid_over_it_where_it_is_shorter() -> None:
    plain = laid(base(), "KSS", (), TODAY).rules
    assert plain["L04"].repeats == HOUR_MS and base().rules["L04"].repeats is None
    assert plain["T05"].within == 24 * HOUR_MS and plain["T05"].until is model.End.DAY
    shorter = laid(base(), "KSS", [Override("P13d", "within", HOUR_MS // 30, TODAY)], TODAY).rules
    assert shorter["P13"].within == HOUR_MS // 30
    longer = laid(base(), "KSS", [Override("P13d", "within", HOUR_MS, TODAY)], TODAY).rules
    assert longer["P13"].within == base().rules["P13"].within


OVERRIDES = st.lists(
    st.sampled_from(sorted((rule.id, way.value) for rule in base().rules.values() for way in rule.tighter)).flatmap(
        lambda named: st.builds(Override, st.just(named[0]), st.just(named[1]), st.integers(1, 10**10), st.just(TODAY))
    ),
    max_size=12,
)


@given(OVERRIDES, st.sampled_from(FACILITY_TYPES), st.randoms())
def test_nothing_relaxes_the_law_and_the_order_does_not_matter(
    overrides: list[Override], type_: str, random: object
) -> None:
    pack = laid(base(), type_, overrides, TODAY)
    mixed = list(overrides)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert laid(base(), type_, mixed, TODAY) == pack
    for rule in pack.rules.values():
        own = base().rules[rule.id]
        for way in rule.tighter if rule.basis is Basis.READ else ():
            before, here = value_of(own, way.value), value_of(rule, way.value)
            assert before is not None and here is not None
            assert here <= before if way.direction in {"shorter", "fewer"} else here >= before, (rule.id, way)


def test_a_refusal_cites_its_rule() -> None:
    problem = forbids("A08", "fields.cell").sentence()
    assert problem["code"] == "rule.forbids" and problem["field"] == "fields.cell"
    rule = base().rules["A08"]
    assert problem["detail"] == {
        "rule": "A08", "text": {"zh": rule.text.zh, "en": rule.text.en}, "basis": "V",
        "source": {
            "zh": "看守所条例第14条; 刑事诉讼法第280条",
            "en": "Detention Centre Regulations, art. 14; Criminal Procedure Law, art. 280",
        },
    }  # fmt: skip
    with pytest.raises(LookupError):
        cited("Z99")


def test_the_page_is_the_one_that_the_packs_make() -> None:
    stored = Path(__file__).parents[2] / "docs" / "rules.md"
    assert stored.read_text(encoding="utf-8") == page(base()), "make docs"


def test_every_rule_can_be_told() -> None:
    for rule in base().rules.values():
        said = told(rule, replace(rule, within=None))
        assert said["rule"] == rule.id and said["trigger"]["sort"] and said["text"]["zh"] and said["reading"]["en"]


def test_what_a_rule_asks_fits_a_duty() -> None:
    """Posts that may be asked, texts of a length that a duty takes, at most so many rungs."""
    issue = kinds()["duty"].verbs["issue"].schema()
    silent = model.Waiting | model.Kept | model.Gated | model.Gives
    moment, never = "2026-11-22T03:14:15.123Z", None
    for rule in base().rules.values():
        if isinstance(rule.trigger, silent):
            continue
        said = {
            "rule": rule.id, "directive": never, "asks": {"zh": rule.text.zh, "en": rule.text.en}, "source": rule.source,
            "cause": never, "posts": list(rule.posts), "officer": never, "person": never, "place": never, "opens_at": moment,
            "due_at": moment, "loud": rule.loud, "warn_at": never,
            "chain": [{"at": moment, "posts": list(rung.posts)} for rung in rule.chain],
        }  # fmt: skip
        assert issue.validate(said) == {}, rule.id
        assert rule.chain, f"{rule.id}: nobody is told"


@pytest.mark.parametrize("source", sorted({rule.source for rule in base().rules.values()}))
def test_every_source_is_told_in_both_languages(source: str) -> None:
    told = in_both(source)
    assert not re.search("[\u4e00-\u9fff]", told.en)
    assert not set(re.findall("[a-z]{4,}", told.zh))
    assert re.findall("[0-9]+", told.zh) == re.findall("[0-9]+", told.en) or "2018" in told.zh
