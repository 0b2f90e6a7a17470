"""The rules in force: shown with their sources, changed within the law, confirmed by a lawyer, explained at the console."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.domain.rules.reading import base
from backend.domain.rules.sources import in_both
from headless.chain import uuid7
from headless.patrol import BY_SESSION
from headless.terminal import Terminal
from tests.samples.rules import change
from tests.support.caller import Caller, is_problem
from tests.support.world import FACILITY, World

DAY = 24 * 3_600_000


def asked(world: World, path: str = "") -> dict[str, Any]:
    """What a patrol officer is told; he is given the facility's rules like everybody."""
    response = Caller.of(world, "PAT").ask("GET", f"/v1/rules{path}")
    assert response.status_code == 200, response.data
    found: dict[str, Any] = orjson.loads(response.data)
    return found


def write(
    terminal: Terminal, kind: str, verb: str, fields: dict[str, Any], record: str | None = None
) -> dict[str, Any]:
    """A leader's word at his terminal, sent; its outcome. ``record``: of the one that is taken back."""
    terminal.capture(
        kind, verb, record or uuid7(), fields, base=1 if record else 0, signoff=BY_SESSION,
        **({"seen": {"state": "stands"}} if record else {}),
    )  # fmt: skip
    (outcome,) = terminal.push()
    return outcome


def confirmation(digest: str) -> dict[str, Any]:
    return {"digest": digest, "signer": "法制审核员", "paper": "法核（2026）7号", "signed_on": "2026-11-20"}


def test_a_change_tightens_a_rule_from_its_day_on_and_the_pack_is_to_be_confirmed_again(both: World) -> None:
    plain, leader = asked(both, "/A09"), both.terminal("LEAD")
    assert plain["pack"]["signed"] is None and plain["pack"]["notice"]["zh"].startswith("待")
    assert plain["rule"]["within"] == "P1D" and plain["rule"]["changes"] == {} and plain["rule"]["basis"] == "R"
    assert write(leader, "rule.signature", "sign", confirmation(plain["pack"]["digest"]))["status"] == "applied"
    signed = asked(both, "/A09")["pack"]
    assert signed["signed"] == "法制审核员, 法核（2026）7号, 2026-11-20" and signed["notice"] is None

    laid = write(leader, "rule.override", "lay", change())  # from the next day on
    assert laid["status"] == "applied"
    assert asked(both, "/A09") == plain | {"pack": signed}
    both.clock.advance(DAY)
    after = asked(both, "/A09")
    assert after["rule"]["within"] == "PT20H" and after["rule"]["changes"] == {
        "within": {"own": "P1D", "here": "PT20H"}
    }
    assert after["pack"]["own"] == base().digest and after["pack"]["digest"] != signed["digest"]
    assert after["pack"]["signed"] is None, "what was confirmed is another pack"

    assert write(leader, "rule.override", "withdraw", {"reason": "恢复"}, laid["record"])["status"] == "applied"
    assert asked(both, "/A09")["pack"] == signed, "the pack that was confirmed is in force again"


def test_the_law_is_not_relaxed_and_nothing_that_was_typed_is_lost(small: World) -> None:
    leader = small.terminal("DIR")
    outcome = write(leader, "rule.override", "lay", change(rule="A17", amount="PT25H"))
    problem = outcome["problem"]
    assert (outcome["status"], problem["code"], problem["field"]) == ("rejected", "rule.not_tighter", "fields.amount")
    assert problem["detail"] == {"rule": "A17", "value": "within", "bound": "P1D"}
    assert leader.queue()[-1].operation["fields"]["amount"] == "PT25H"
    assert write(leader, "rule.override", "lay", change(rule="A17", amount="PT12H"))["status"] == "applied"
    small.clock.advance(DAY)
    assert asked(small, "/A17")["rule"]["within"] == "PT12H"


@pytest.mark.parametrize("post", ["PAT", "DISC", "MED", "INT"])
def test_only_leaders_change_rules(small: World, post: str) -> None:
    outcome = write(small.terminal(post), "rule.override", "lay", change())
    assert (outcome["status"], outcome["problem"]["code"]) == ("rejected", "officer.unauthorised")


def test_all_rules_are_told_with_what_they_wait_for(small: World) -> None:
    told = asked(small)
    rules = {rule["rule"]: rule for rule in told["rules"]}
    assert len(rules) == told["pack"]["rules"] and "A14" not in rules, "a detention house has no rules of prisons"
    assert rules["A09"]["source"] == base().rules["A09"].source
    assert rules["P12"]["trigger"] == {
        "sort": "scheduled",
        "period": "day",
        "each": "ward",
        "at": "PT21H",
        "spread": "PT0S",
    }
    assert rules["P13d"]["basis_text"]["en"] == "local default, not law"
    waiting = {key for key, rule in rules.items() if rule["trigger"]["sort"] == "waiting"}
    assert set(told["pack"]["waiting"]) == waiting | {"H07d"}
    response = Caller.of(small, "PAT").ask("GET", "/v1/rules/A14")
    assert (response.status_code, is_problem(response)) == (404, "route.unknown")


def test_a_planned_act_that_a_rule_forbids_names_the_rule_and_its_source_in_both_languages(small: World) -> None:
    """Rule A08, through a desk's terminal: a woman is not put into a cell of men."""
    desk = small.terminal("INT")
    desk.capture("person", "create", uuid7(), {
        "number": "2026-88", "name": "测试", "sex": "f", "birth": "1990-01-01", "cell": small.ids["C1"], "state": "held",
    })  # fmt: skip
    (outcome,) = desk.push()
    problem, rule = outcome["problem"], base().rules["A08"]
    assert (outcome["status"], problem["code"]) == ("rejected", "rule.forbids"), outcome
    source = in_both(rule.source)
    assert problem["detail"] == {
        "rule": "A08",
        "text": {"zh": rule.text.zh, "en": rule.text.en},
        "source": {"zh": source.zh, "en": source.en},
        "basis": "V",
    }
    assert desk.queue()[-1].operation["fields"]["number"] == "2026-88"


def test_the_console_lists_explains_and_checks(small: World) -> None:
    def run(*words: str) -> tuple[int, str]:
        done = small.app.test_cli_runner().invoke(args=["rules", *words])
        return done.exit_code, done.output

    code, said = run("explain", "A09", "--facility", FACILITY)
    assert code == 0
    for part in (
        "A09",
        "公安部令117号",
        "实战系统惯例",
        "管教岗",
        "within P1D; reminded after PT18H",
        "talk.recorded",
        "待本单位",
    ):
        assert part in said, part
    code, said = run("explain", "T11")
    assert code == 0 and [part for part in ("T11.grade1", "T11.grade2", "T11.others") if part not in said] == []
    assert run("explain", "A14")[0] == 0
    assert run("explain", "A14", "--facility", FACILITY)[1] == f"Error: there is no rule A14 in force in {FACILITY}\n"
    code, said = run("explain", "loop.first")
    assert code == 0 and "立即签收并前往" in said and "岗位联动" in said
    assert run("explain", "Z99")[1] == "Error: there is no rule Z99\n"
    assert run("list", "--facility", "NOWHERE")[1] == "Error: there is no facility NOWHERE\n"
    assert "A01             *V  INT" in run("list")[1]
    code, said = run("check")
    assert code == 0 and "154 rules of 135 lines" in said


def test_the_console_says_what_is_wrong_with_a_pack(small: World) -> None:
    folder = small.folder / "pack"
    folder.mkdir()
    (folder / "pack.toml").write_text('name = "x"\nversion = "1"\neffective = 2026-01-01\n')
    (folder / "a.toml").write_text('[A09]\nscope = "held"\nzh = "做"\n')
    done = small.app.test_cli_runner().invoke(args=["rules", "check", str(folder)])
    assert (done.exit_code, done.output) == (1, "Error: a.toml: A09: when: is missing\n")
