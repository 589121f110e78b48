"""The shipped rules over the shipped history, read as a risk desk would: the clocks are there, and no noise is."""

from collections import Counter
from datetime import UTC, datetime
from functools import cache

import pytest

from alerts.backtest.backtest_report import RuleReport, report
from alerts.backtest.run_backtest import backtest
from alerts.rules.loader import shipped_rules
from streams.contracts.alert import AlertChanged, AlertState
from streams.reference import load_history

UNTIL = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)


@cache
def log() -> list[AlertChanged]:
    return list(backtest(load_history(), until=UNTIL, rules=shipped_rules()))


@cache
def by_rule() -> dict[str, RuleReport]:
    made = report(log(), rules=shipped_rules().by_id, since=log()[0].at, until=UNTIL)
    return {each.rule: each for each in made.rules}


@pytest.mark.parametrize(
    ("rule", "measures"),
    [
        ("suspension-end", {"CN-2025-55", "CN-2025-56", "CN-2025-57", "CN-2025-58", "CN-2025-61a", "CN-2025-61b",
                            "CN-2025-62", "CN-2024-46-2", "US-BIS-50"}),
        ("last-filing-day", {"CN-2025-57", "CN-2024-46-2", "US-BIS-50"}),
        ("claimed-end-conflict", {"CN-2025-55", "CN-2025-57", "CN-2025-62", "US-BIS-50"}),
        ("measure-takes-effect", {"US-DFARS-7052"}),
        ("control-eased", {"CN-2025-57", "CN-2024-46-2", "US-BIS-50"}),
        ("control-imposed", {"CN-2025-18", "CN-2023-23"}),
    ],
)  # fmt: skip
def test_every_clock_of_the_truce_has_its_alert(rule: str, measures: set[str]) -> None:
    """The case the product exists for."""
    assert measures <= {c.labels["measure"] for c in log() if c.rule == rule}


def test_the_two_figures_for_japan_are_one_conflict() -> None:
    """docs/domain.md 10: 280 t against 411.3 t in December 2025, both kept."""
    (conflict,) = [c for c in log() if c.rule == "trade-source-conflict"]
    assert conflict.labels["importer"] == "JP"
    assert "280 t here, 411.3 t by" in conflict.summary


def test_nothing_flaps_and_nothing_goes_missing() -> None:
    """An alert that comes back within a week of its end, or goes blind, is noise or a fault."""
    assert {rule: r.flaps_count for rule, r in by_rule().items() if r.flaps_count} == {}
    lost = Counter(c.rule for c in log() if c.to_state in (AlertState.NO_DATA, AlertState.STALE, AlertState.ERROR))
    assert lost == {}


def test_a_person_can_read_the_log() -> None:
    """Three years and eight months, 49 policy events and a thousand figures: what is critical is about the law."""
    fired = [c for c in log() if c.to_state is AlertState.FIRING and c.from_state is not AlertState.FIRING]
    assert 100 < len(fired) < 250
    critical = {c.rule for c in log() if c.severity == "critical"}
    assert critical == {"control-imposed", "measure-takes-effect", "suspension-end"}
    days = Counter(c.at.date() for c in fired if c.severity != "info")
    assert max(days.values()) <= 20


def test_every_alert_of_the_history_says_what_to_do_and_names_its_events() -> None:
    """Promise 6."""
    known = {event.id for event in load_history()}
    for change in log():
        assert change.runbook
        if change.to_state is AlertState.FIRING:
            assert change.summary
            assert "unknown unknown" not in change.summary
            assert change.causes or change.rule == "score-high", change.rule  # time alone moves a score towards an end
            assert set(change.causes) <= known, change.rule
