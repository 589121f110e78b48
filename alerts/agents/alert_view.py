"""What the alerts worker shows of its state: open alerts, for metrics and for the read view."""

from dataclasses import replace
from datetime import UTC, datetime

from alerts.adapters.rules_state import CLOCK_KEY, RulesClock
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.rules.ruleset import Rule, Rules
from streams.adapters.metrics.snapshot import WorkerSnapshot
from streams.adapters.view_layout import ViewSlice
from streams.contracts.alert import AlertChanged, AlertState
from streams.runtime.app import SafeApp
from streams.runtime.view import OwnedPartition, owned_partitions

STAGE = "rules"
_OPEN = frozenset({AlertState.FIRING, AlertState.CLEARING})


def open_alerts(owned: OwnedPartition, rules: Rules) -> list[AlertChanged]:
    """Return every alert of a partition that is firing or clearing, as it stands now."""
    return [
        _as_it_stands(value, rules.by_id[value.rule])
        for _, value in owned.state.items()
        if isinstance(value, Alert) and value.state in _OPEN and value.rule in rules.by_id
    ]


def _as_it_stands(alert: Alert, rule: Rule) -> AlertChanged:
    """Show an open alert in the form of a change; `at` is when it began to fire, `from_state` is the state itself."""
    seen = alert.evaluation or Evaluation(verdict=Verdict.HOLD)
    return AlertChanged(
        alert=alert.fingerprint, fingerprint=alert.fingerprint, rule=alert.rule, rule_hash=rule.hash,
        labels={**rule.labels, **alert.labels}, at=alert.fired_at or datetime.min.replace(tzinfo=UTC),
        from_state=alert.state, to_state=alert.state, severity=alert.level.severity if alert.level else None,
        occasion=alert.occasion, summary=seen.texts.get("summary", ""), description=seen.texts.get("description", ""),
        step=alert.level.step if alert.level else None, materials=seen.materials, values=seen.values,
        thresholds=seen.thresholds, causes=seen.causes, runbook=rule.texts.runbook, synthetic=seen.synthetic,
    )  # fmt: skip


def clock_of(owned: OwnedPartition) -> datetime | None:
    """Return the partition's own now; `None` before its first record."""
    clock: RulesClock | None = owned.state.get(CLOCK_KEY)
    return clock.now if clock else None


def view_slice(owned: OwnedPartition, rules: Rules) -> ViewSlice:
    """Return what the read view shows of a partition."""
    return ViewSlice(
        position=owned.position, clock_at=clock_of(owned), alerts={a.fingerprint: a for a in open_alerts(owned, rules)}
    )


def with_alerts(app: SafeApp, snapshot: WorkerSnapshot, *, rules: Rules) -> WorkerSnapshot:
    """Add open alerts, the loaded rules and the clocks of the partitions to a snapshot."""
    alerts: list[AlertChanged] = []
    clocks: dict[int, datetime | None] = {}
    for owned in owned_partitions(app, STAGE):
        alerts += open_alerts(owned, rules)
        clocks[owned.partition] = clock_of(owned)
    partitions = tuple(replace(p, clock_at=clocks.get(p.partition)) for p in snapshot.partitions)
    return replace(snapshot, open_alerts=tuple(alerts), rules=tuple(rules.by_id), partitions=partitions)
