"""The rules core on the road: forwarding, dead letters, identity, and the shipped rules over the shipped history."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path

import msgspec
from prometheus_client import generate_latest

from alerts.agents.alert_view import publish_counts
from alerts.backtest import as_json_line, backtest, open_alerts
from alerts.engine.engine_metrics import EngineMetrics
from alerts.engine.rules_core import RulesCore
from alerts.notify.directive_requests import build_subscription
from alerts.rules.loader import shipped_rules
from producers.history import read_history
from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.events import Event
from streams.metrics.worker_metrics import WorkerMetrics
from streams.runtime.stage_ports import Admitted, InMemoryStateStore
from tests.support.rule_road import (
    LADDER,
    T0,
    RuleRoad,
    alerts_in,
    as_item,
    measure,
    price,
    rules_from,
    threshold_rules,
)

UNTIL = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def history() -> Sequence[Event]:
    return read_history(Path(__file__).resolve().parents[2] / "streams/reference/history")


@cache
def log() -> list[AlertChanged]:
    return list(backtest(history(), until=UNTIL, rules=shipped_rules()))


def of(rule: str, measure_id: str) -> list[AlertChanged]:
    return [c for c in log() if c.rule == rule and c.labels.get("measure") == measure_id]


def test_ticks_and_directives_go_on_as_they_came_after_what_fell_due_before_them() -> None:
    """Notify reads them in the place where they count."""
    road = RuleRoad(rules_from(LADDER))
    tick = datetime(2026, 3, 1, tzinfo=UTC)
    directive = build_subscription(by="ada")
    road.take(measure(T0))
    road.take(tick)
    road.direct(directive, at=tick + MINUTE)
    assert len(road.outputs) == 3
    assert road.outputs[1:] == [bytes(as_item(tick)), bytes(as_item(directive, at=tick + MINUTE))]


def test_what_is_no_assessment_goes_to_the_dead_letters_and_the_rest_goes_on() -> None:
    """Nothing bad stops the road (promise 3)."""
    core = RulesCore(partition=0, rules=threshold_rules(), store=InMemoryStateStore())
    bad = RuleRoad(threshold_rules())
    (alert,) = bad.take(price(T0, 101.0))
    items = [msgspec.Raw(b"nonsense"), as_item(alert), as_item(price(T0, 101.0)), as_item(T0 + timedelta(minutes=1))]
    outcome = core.process(Admitted(position=7, items=items))
    assert [(d.reason, d.index) for d in outcome.dead_letters] == [("not_json", 0), ("wrong_topic", 1)]
    assert [c.rule for c in alerts_in(outcome.outputs)] == [alert.rule]


def test_what_it_does_is_counted_and_published_once() -> None:
    """Transitions, errors and evaluation time are metrics; a counter that is published twice counts double."""
    seconds = iter(range(100))
    counts = EngineMetrics(stopwatch=lambda: float(next(seconds)))
    rules = threshold_rules(fact=None, above=None, when="int(last_amount) / (int(last_amount) - 50) > 1")
    core = RulesCore(partition=0, rules=rules, store=InMemoryStateStore(), counts=counts)
    core.process(Admitted(position=0, items=[as_item(price(T0, 50.0)), as_item(price(T0 + MINUTE, 51.0))]))
    assert counts.transitions == {("price-high", AlertState.ERROR): 1, ("price-high", AlertState.FIRING): 1}
    metrics = WorkerMetrics(process="alerts", version="test")
    publish_counts(counts, metrics)
    publish_counts(counts, metrics)
    page = generate_latest(metrics.registry).decode()
    assert 'monazite_rule_errors_total{rule="price-high"} 1.0' in page
    assert 'monazite_alert_transitions_total{rule="price-high",to="firing"} 1.0' in page
    assert "monazite_rule_evaluations_total 2.0" in page
    assert "monazite_rule_evaluation_seconds_total 2.0" in page


def test_identity_is_rule_and_key_labels_and_never_severity_value_or_date() -> None:
    """A thread that changes its name is two threads."""
    one, two = RuleRoad(threshold_rules()), RuleRoad(threshold_rules(severity="critical", above=50.0))
    (a,), (b,) = one.take(price(T0, 101.0)), two.take(price(T0 + MINUTE, 60.0))
    assert a.fingerprint == b.fingerprint
    assert a.rule_hash != b.rule_hash
    assert a.alert != b.alert


def test_the_log_of_the_shipped_history_is_the_same_for_any_tick() -> None:
    """Promise 1, in the smallest form."""
    for tick in (timedelta(days=1), timedelta(hours=5)):
        assert list(backtest(history(), until=UNTIL, rules=shipped_rules(), tick=tick)) == log()


def test_no_change_has_the_id_of_another() -> None:
    """Deliveries are named by it."""
    assert len({c.alert for c in log()}) == len(log())


def test_the_six_suspended_announcements_have_passed_and_repeat_daily() -> None:
    """The case the product exists for; the claim stands beside the legal end and changes nothing."""
    for name in ("55", "56", "57", "58", "61a", "61b", "62"):
        changes = of("suspension-end", f"CN-2025-{name}")
        assert [c.step for c in changes[:8]] == ["90d", "69d", "30d", "14d", "7d", "3d", "1d", "0d"]
        passed = changes[8:]
        assert passed[0].at == datetime(2026, 11, 10, 16, tzinfo=UTC)
        assert [b.at - a.at for a, b in pairwise(passed)] == [timedelta(days=1)] * 13
        assert {c.values["claimed_end"] for c in passed} == {"2027-01-10"}
        assert "has passed and no instrument that follows it has been seen" in passed[0].summary
        assert "A claim does not change the legal end" in passed[0].summary


def test_the_claimed_end_raises_a_conflict_at_once() -> None:
    """In September 2026 both sides named an end that no instrument does."""
    (conflict,) = of("claimed-end-conflict", "CN-2025-57")[:1]
    assert conflict.at.date().isoformat() == "2026-09-23"
    assert conflict.values["legal_end"] == "2026-11-10"


def test_april_and_may_2025_fire_on_the_month_and_february_2026_does_not() -> None:
    """docs/domain.md 10 and 11: the clearest signal, and the noise it must not take for one."""
    drops = [c for c in log() if c.rule == "export-volume-drop" and c.to_state == "firing"]
    assert [c.occasion for c in drops] == ["reference_period 2025-04", "reference_period 2025-05"]


def test_the_fixed_legal_date_of_dfars_counts_down() -> None:
    """2027-01-01 is a deadline although nothing ends."""
    assert of("measure-takes-effect", "US-DFARS-7052")[0].at == datetime(2026, 10, 3, 4, tzinfo=UTC)


def test_eighteen_of_2025_was_never_suspended() -> None:
    """Whoever shows dysprosium as free during the truce is wrong."""
    assert not of("suspension-end", "CN-2025-18")
    assert of("control-imposed", "CN-2025-18")


def test_nothing_is_said_about_what_happened_after_the_last_source() -> None:
    """Nothing found is dated later than 8 October 2026 (docs/domain.md 1)."""
    for change in log():
        if change.at > datetime(2026, 10, 9, tzinfo=UTC):
            assert change.rule in ("suspension-end", "last-filing-day", "measure-takes-effect", "term-end")


def test_rows_have_the_public_shape_and_open_alerts_are_the_last_of_each() -> None:
    """`rules backtest --json` and `alerts list --json` (docs/surface.md 2)."""
    row = msgspec.json.decode(as_json_line(log()[0]))
    assert list(row)[:8] == ["at", "rule", "labels", "from", "to", "severity", "summary", "values"]
    assert row["at"].endswith("Z")
    still = {(c.rule, c.labels["measure"]) for c in open_alerts(log()) if c.rule == "suspension-end"}
    assert ("suspension-end", "CN-2024-46-2") in still
    assert len(still) == 11
