"""The one collector of a worker: it reads what the worker owns at the instant of the scrape.

Labelled gauges that an owner sets and a former owner forgets to remove count twice for ever after a rebalance
(measured: a sum of 27 instead of 22). Reading the live assignment at scrape time bounds that to one scrape interval.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import LegalState, MeasureAssessed, RiskAssessed
from streams.contracts.identifiers import zone_of
from streams.metrics import catalogue
from streams.metrics.snapshot import SnapshotSource, SupplyFigures, WorkerSnapshot

_GAUGES = (
    catalogue.MEASURE_STATE,
    catalogue.MEASURE_STATE_RANK,
    catalogue.MEASURE_END,
    catalogue.MEASURE_CLAIMED_END,
    catalogue.RISK_SCORE,
    catalogue.RISK_CONTRIBUTION,
    catalogue.SUPPLY_TOP_SHARE,
    catalogue.CONCENTRATION,
    catalogue.IMPORT_RELIANCE,
    catalogue.OPEN_ALERTS,
    catalogue.OPEN_MATERIAL_ALERTS,
    catalogue.LAST_EVENT,
    catalogue.CONSUMER_LAG,
    catalogue.CONSUMER_PROGRESS,
    catalogue.PARTITION_CLOCK,
    catalogue.INPUT_STALLED,
    catalogue.PARTITION_ASSIGNED,
    catalogue.RULE_SET_REFUSED,
)


def _empty(metric: catalogue.Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)


def claimed_end_at(assessed: MeasureAssessed) -> datetime | None:
    """Return the instant after the latest day that is claimed as the end, in the measure's zone; `None` without one."""
    if not assessed.claimed_ends:
        return None
    day = max(claim.day for claim in assessed.claimed_ends) + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=zone_of(assessed.zone))


class WorkerCollector(Collector):
    """Collects what depends on the partitions that the worker owns now."""

    def __init__(self, snapshot: SnapshotSource) -> None:
        self._snapshot = snapshot

    def describe(self) -> Iterable[Metric]:
        """Name the families without samples, so that registering reads no state."""
        return [_empty(metric) for metric in _GAUGES]

    def collect(self) -> Iterator[Metric]:
        """Yield the families of the snapshot; nothing is kept between two scrapes."""
        snapshot = self._snapshot()
        yield from _of_measures(snapshot.measures)
        yield from _of_scores(snapshot.scores)
        yield from _of_supply(snapshot.supply)
        if snapshot.rules is not None:
            yield from _of_alerts(snapshot.rules, snapshot.open_alerts)
            refused = _empty(catalogue.RULE_SET_REFUSED)
            for partition, is_refused in sorted(snapshot.refused_rule_sets.items()):
                refused.add_metric([str(partition)], float(is_refused))
            yield refused
        yield from _of_partitions(snapshot)
        sources = _empty(catalogue.LAST_EVENT)
        for source, at in sorted(snapshot.last_event_at.items()):
            sources.add_metric([source], at.timestamp())
        yield sources


def register_collector(registry: CollectorRegistry, snapshot: SnapshotSource) -> WorkerCollector:
    """Add the worker's collector to its registry, and return it."""
    collector = WorkerCollector(snapshot)
    registry.register(collector)
    return collector


def _of_measures(measures: Iterable[MeasureAssessed]) -> Iterator[Metric]:
    states, ends, claims = map(_empty, (catalogue.MEASURE_STATE, catalogue.MEASURE_END, catalogue.MEASURE_CLAIMED_END))
    ranks = _empty(catalogue.MEASURE_STATE_RANK)
    for assessed in sorted(measures, key=lambda m: m.measure):
        for state in LegalState:
            states.add_metric([assessed.measure, state.value], 1.0 if state is assessed.state else 0.0)
        if assessed.lapse_at is not None:
            ends.add_metric([assessed.measure], assessed.lapse_at.timestamp())
        claimed = claimed_end_at(assessed)
        if claimed is not None:
            claims.add_metric([assessed.measure], claimed.timestamp())
    if states.samples:
        for state, rank in catalogue.STATE_RANKS.items():
            ranks.add_metric([state.value], rank)
    yield from (states, ranks, ends, claims)


def _of_scores(scores: Iterable[RiskAssessed]) -> Iterator[Metric]:
    whole, parts = _empty(catalogue.RISK_SCORE), _empty(catalogue.RISK_CONTRIBUTION)
    for assessed in sorted(scores, key=lambda s: (s.material, s.home or "")):
        labels = [assessed.material, assessed.home or ""]
        for name, value in assessed.facts.items():
            if not isinstance(value, float):
                continue
            if name == "score_ratio":
                whole.add_metric(labels, value)
            elif name.endswith("_contribution_ratio"):
                parts.add_metric([*labels, name.removesuffix("_contribution_ratio")], value)
    yield from (whole, parts)


def _of_supply(supply: Iterable[SupplyFigures]) -> Iterator[Metric]:
    shares, index = _empty(catalogue.SUPPLY_TOP_SHARE), _empty(catalogue.CONCENTRATION)
    reliance: dict[tuple[str, str], float] = {}
    for each in sorted(supply, key=lambda s: (s.material, s.stage)):
        if each.home is not None:
            if each.import_reliance_ratio is not None:
                key = (each.material, each.home)
                reliance[key] = max(each.import_reliance_ratio, reliance.get(key, 0.0))
            continue
        if each.top_share_ratio is not None:
            shares.add_metric([each.material, each.stage], each.top_share_ratio)
        if each.hhi_ratio is not None:
            index.add_metric([each.material, each.stage], each.hhi_ratio)
    relied = _empty(catalogue.IMPORT_RELIANCE)
    for labels, value in sorted(reliance.items()):
        relied.add_metric(labels, value)
    yield from (shares, index, relied)


def _of_alerts(rules: Iterable[str], alerts: Iterable[AlertChanged]) -> Iterator[Metric]:
    by_rule: Counter[tuple[str, str]] = Counter({(rule, level): 0 for rule in rules for level in catalogue.SEVERITIES})
    by_material: Counter[tuple[str, str]] = Counter()
    for alert in alerts:
        severity = alert.severity or "unknown"
        by_rule[alert.rule, severity] += 1
        if "material" in alert.labels:
            by_material[alert.labels["material"], severity] += 1
    for metric, counts in ((catalogue.OPEN_ALERTS, by_rule), (catalogue.OPEN_MATERIAL_ALERTS, by_material)):
        family = _empty(metric)
        for labels, count in sorted(counts.items()):
            family.add_metric(labels, count)
        yield family


def _of_partitions(snapshot: WorkerSnapshot) -> Iterator[Metric]:
    lag, progress, clock, assigned = map(
        _empty,
        (
            catalogue.CONSUMER_LAG,
            catalogue.CONSUMER_PROGRESS,
            catalogue.PARTITION_CLOCK,
            catalogue.PARTITION_ASSIGNED,
        ),
    )
    for owned in snapshot.partitions:
        labels = [owned.topic, str(owned.partition)]
        assigned.add_metric(labels, 1.0 if owned.ready else 0.0)
        if owned.lag_messages is not None:
            lag.add_metric(labels, owned.lag_messages)
        if owned.progress_offset is not None:
            progress.add_metric(labels, owned.progress_offset)
        if owned.clock_at is not None:
            clock.add_metric(labels, owned.clock_at.timestamp())
    stalled = _empty(catalogue.INPUT_STALLED)
    for (topic, partition), is_stalled in sorted(snapshot.inputs.items()):
        stalled.add_metric([topic, str(partition)], float(is_stalled))
    yield from (lag, progress, clock, stalled, assigned)
