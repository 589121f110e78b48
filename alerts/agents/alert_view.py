"""What the alerts worker shows of its state: open alerts, for metrics and for the read view."""

from dataclasses import replace
from datetime import UTC, datetime

import structlog

from alerts.engine.engine_metrics import EngineMetrics
from alerts.engine.rule_set_change import find_rule
from alerts.engine.rule_set_in_force import rule_set_in_force
from alerts.engine.rules_state import CLOCK_KEY, RulesClock
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.rules.ruleset import Rule, Rules
from streams.contracts.alert import AlertChanged, AlertState
from streams.metrics.snapshot import WorkerSnapshot
from streams.metrics.worker_metrics import WorkerMetrics
from streams.runtime.faust_app import SafeApp
from streams.runtime.owned_partitions import OwnedPartition, owned_partitions
from streams.view.view_layout import ViewSlice

_log = structlog.get_logger(__name__)
STAGE = "rules"
_OPEN = frozenset({AlertState.FIRING, AlertState.CLEARING})


def open_alerts(owned: OwnedPartition, initial: Rules) -> list[AlertChanged]:
    """Return every alert of a partition that is firing or clearing and is told, as it stands now.

    What began to fire in an instant that is not over is not shown yet, and what a limit holds back is not shown; the
    alert `alerts-over-limit` says how many these are.
    """
    rules = rule_set_in_force(owned.state.get, initial).rules
    return [
        _as_it_stands(value, rule)
        for _, value in owned.state.items()
        if isinstance(value, Alert)
        and value.state in _OPEN
        and value.suppressed_from is None
        and (rule := find_rule(rules, value.rule)) is not None
    ]


def _as_it_stands(alert: Alert, rule: Rule) -> AlertChanged:
    """Show an open alert in the form of a change; `at` is when it began to fire, `from_state` is the state itself."""
    seen = alert.evaluation or Evaluation(verdict=Verdict.HOLD)
    return AlertChanged(
        alert=alert.fingerprint,
        fingerprint=alert.fingerprint,
        rule=alert.rule,
        rule_hash=rule.hash,
        labels={**rule.labels, **alert.labels},
        at=alert.fired_at or datetime.min.replace(tzinfo=UTC),
        from_state=alert.state,
        to_state=alert.state,
        severity=alert.level.severity if alert.level else None,
        occasion=alert.occasion,
        summary=seen.texts.get("summary", ""),
        description=seen.texts.get("description", ""),
        step=alert.level.step if alert.level else None,
        materials=seen.materials,
        values=seen.values,
        thresholds=seen.thresholds,
        causes=seen.causes,
        runbook=rule.texts.runbook,
        synthetic=seen.synthetic,
    )


def clock_of(owned: OwnedPartition) -> datetime | None:
    """Return the partition's own now; `None` before its first record."""
    clock: RulesClock | None = owned.state.get(CLOCK_KEY)
    return clock.now if clock else None


def view_slice(owned: OwnedPartition, rules: Rules) -> ViewSlice:
    """Return what the read view shows of a partition."""
    return ViewSlice(
        position=owned.position,
        clock_at=clock_of(owned),
        alerts={a.fingerprint: a for a in open_alerts(owned, rules)},
        rule_set=rule_set_in_force(owned.state.get, rules).standing,
    )


def publish_counts(counts: EngineMetrics, metrics: WorkerMetrics) -> None:
    """Hand what the rules core counted to the metrics, and begin again at zero."""
    for (rule, to), count in counts.transitions.items():
        metrics.count_transition(rule=rule, to_state=to, count=count)
    for rule, count in counts.errors.items():
        metrics.count_rule_errors(rule=rule, count=count)
        _log.warning("rule_failed", rule=rule, count=count, remedy="`monazite rules explain` shows it; mend the rule")
    metrics.count_evaluations(count=counts.evaluations_count, seconds=counts.evaluation_seconds)
    counts.clear()


def with_alerts(
    app: SafeApp, snapshot: WorkerSnapshot, *, rules: Rules, counts: EngineMetrics, metrics: WorkerMetrics
) -> WorkerSnapshot:
    """Add open alerts, the rules in force and the clocks of the partitions to a snapshot, and publish what was counted.

    `rules` are those the worker began with; a worker without partitions shows them.
    """
    alerts: list[AlertChanged] = []
    clocks: dict[int, datetime | None] = {}
    in_force: dict[str, None] = {}
    refused: dict[int, bool] = {}
    owned_here = list(owned_partitions(app, STAGE))
    for owned in owned_here:
        alerts += open_alerts(owned, rules)
        clocks[owned.partition] = clock_of(owned)
        found = rule_set_in_force(owned.state.get, rules)
        in_force |= dict.fromkeys(found.rules.by_id)
        refused[owned.partition] = found.standing.refused is not None
    partitions = tuple(replace(p, clock_at=clocks.get(p.partition)) for p in snapshot.partitions)
    named = tuple(in_force) if owned_here else tuple(rules.by_id)
    publish_counts(counts, metrics)
    metrics.set_rules_loaded(len(named))
    return replace(snapshot, open_alerts=tuple(alerts), rules=named, partitions=partitions, refused_rule_sets=refused)
