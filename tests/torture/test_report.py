"""What a failed run says: short enough for a log that is cut, with seed and rules at both ends."""

from __future__ import annotations

from torture.checker import report
from torture.checker.findings import Verdict


def _verdict(rules: int) -> Verdict:
    verdict = Verdict()
    for number in range(rules):
        for _ in range(30):
            verdict.add(1, f"rule.number_{number}", "what is wrong " * 100, f"op-{number}")
    event = {"us": 5_000_000, "ms": 0, "who": "light-01", "what": "silence", "route": "push", "why": "op-0 " * 400}
    verdict.events += [event | {"us": 5_000_000 + at} for at in range(500)]
    return verdict


def test_each_broken_rule_is_named_once() -> None:
    assert report.rules(_verdict(3)) == "rule.number_0, rule.number_1, rule.number_2"


def test_a_failure_is_short_whatever_is_broken() -> None:
    for rules in (1, 3, 4, 30):
        told = report.failure(_verdict(rules))
        assert len(told) < 3_700, rules
        assert max(len(line) for line in told.splitlines()) <= 2 * report.WIDTH
        assert "rule.number_0: what is wrong" in told
        assert "history of the first, rule.number_0" in told
        assert "op-0" in told.partition("history of the first")[2]


def test_the_file_beside_the_journal_has_it_longer() -> None:
    verdict = _verdict(1)
    short, long = report.history(verdict, report.LINES, report.WIDTH), report.history(verdict)
    assert len(short) < 40 < len(long)
    assert max(map(len, short)) <= report.WIDTH < max(map(len, long))
