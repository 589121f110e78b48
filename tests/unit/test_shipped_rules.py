"""The shipped rules against the table of default thresholds (docs/domain.md 11), their runbooks and their tests."""

import csv
from datetime import datetime
from functools import cache
from typing import Any

import pytest

from alerts.rules.documents import read_document
from alerts.rules.loader import shipped_rules, shipped_rules_directory
from alerts.rules.rule_specification import RuleFileSpec
from alerts.rules.ruleset import BUILT_IN
from alerts.ruletest.run_ruletest import TestRun, start_of
from streams.contracts.alert import AlertState
from tests.support.rule_tests import SHIPPED, loaded_from, run_once

ROOT = shipped_rules_directory()
BESIDE_THE_TABLE = {
    "term-end": "a term that ends by law is a clock too",
    "measure-takes-effect": "fixed legal dates: DFARS on 2027-01-01",
    "regulation-takes-effect": "the same for what stops nobody at the border",
    "claimed-end-nears": "the clock of a claim",
    "due-date-nears": "days on which something is due",
    "control-eased": "relief starts a clock",
    "assessor-gap": "docs/domain.md 9: a gap over 20% is a conflict",
    "trade-source-conflict": "docs/domain.md 10: keep both figures, raise a conflict",
}


@cache
def table() -> list[dict[str, str]]:
    with (ROOT / "tables/thresholds.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@cache
def written() -> dict[str, dict[str, Any]]:
    found = {}
    for path in ROOT.glob("*.yaml"):
        for group in RuleFileSpec.model_validate(read_document(path.read_text())).groups:
            for rule in group.rules:
                found[rule.id] = rule.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return found


@cache
def runs() -> list[tuple[datetime, TestRun]]:
    tests = [test for path in sorted(SHIPPED.glob("*.yaml")) for test in loaded_from(path)]
    return [(start_of(test.spec, default=test.default_start), run_once(test)) for test in tests]


def test_the_table_has_the_rows_of_the_domain_and_each_has_its_rules() -> None:
    """A default that nobody ships is a promise nobody keeps."""
    assert len(table()) == 15
    for row in table():
        rules = row["rules"].split()
        assert rules, row["row"]
        assert set(rules) <= set(shipped_rules().by_id), row["row"]


def test_every_shipped_rule_is_in_the_table_or_says_why_it_is_beside_it() -> None:
    """Rules that nobody asked for are noise."""
    named = {rule for row in table() for rule in row["rules"].split()}
    assert set(shipped_rules().by_id) == named | set(BESIDE_THE_TABLE)
    assert not named & set(BESIDE_THE_TABLE)


@pytest.mark.parametrize(
    ("rule", "side", "limits"),
    [
        ("sourcing-over-line", "above", [(0.65, "warning")]),
        ("production-over-line", "above", [(0.65, "info")]),
        ("concentration-rise", "above", [(100, "warning")]),
        ("import-reliance-rise", "above", [(10, "warning")]),
        ("import-reliance-high", "above", [(0.9, "info")]),
        ("export-volume-low", "below", [(0.5, "critical")]),
        ("export-volume-drop", "below", [(-0.4, "warning")]),
        ("price-change-30-observations", "above", [(0.25, "warning"), (0.4, "critical")]),
        ("volatility-high", "above", [(2, "warning")]),
        ("premium-outside-china", "above", [(0.5, "warning")]),
        ("capacity-slip", "above", [(6, "warning")]),
        ("capacity-under-nameplate", "below", [(0.5, "warning")]),
        ("outage-large", "above", [(0.1, "critical")]),
        ("score-high", "above", [(0.6, "warning"), (0.8, "critical")]),
        ("assessor-gap", "above", [(0.2, "warning")]),
    ],
)
def test_the_limits_are_those_of_the_domain(rule: str, side: str, limits: list[tuple[float, str]]) -> None:
    """The numbers have reasons; a change of one is a decision."""
    given = written()[rule][side]
    steps = [(s["value"], s["severity"]) for s in given] if isinstance(given, list) else None
    assert (steps or [(given, written()[rule]["severity"])]) == limits


def test_the_ladders_of_the_clocks_are_those_of_the_domain() -> None:
    """69 days hold 45 working days of review with holidays; 90 covers the real 60 to 120."""
    ladder = [step["before"] for step in written()["suspension-end"]["ladder"]]
    assert ladder == ["90d", "69d", "30d", "14d", "7d", "3d", "1d", "0d"]
    assert written()["suspension-end"]["passed"]["repeat"] == "1d"
    assert {"before": "45bd", "severity": "warning", "calendar": "issuer"} in written()["last-filing-day"]["ladder"]


@pytest.mark.parametrize("rule", sorted(shipped_rules().by_id))
def test_each_rule_has_a_test_in_which_it_fires_and_is_quiet_before_or_after(rule: str) -> None:
    """A rule that was never seen firing may never fire; one never seen quiet may never stop."""
    changes = [(start, [c for c in run.changes if c.rule == rule]) for start, run in runs() if rule in run.fired]
    assert changes, f"no test under deploy/rules/tests sees {rule} firing"
    assert any(c.at > start for start, of in changes for c in of if c.to_state in (AlertState.FIRING, AlertState.OK))


def test_every_runbook_belongs_to_a_rule_and_says_what_to_do() -> None:
    """A page for an alert that does not exist misleads whoever searches."""
    pages = {path.stem: path.read_text() for path in (ROOT.parent / "runbooks").glob("*.md")}
    assert set(pages) == {*shipped_rules().by_id, *BUILT_IN}
    for rule in shipped_rules().by_id:
        page = pages[rule]
        assert f"Rule `{rule}`." in page
        for part in ("**Fires when**", "**Why it matters.**", "**What to do**\n\n1. "):
            assert part in page, f"{rule}: {part}"
