"""Counters and histograms that intake and the agents move; known label sets start at 0."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import product
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from streams.contracts.alert import AlertState
from streams.contracts.reasons import RejectReason
from streams.metrics import catalogue
from streams.metrics.catalogue import EventOutcome, NotificationOutcome, ViewOutcome

MAX_SOURCES = 50
"""Sources that get a series of their own; outside systems choose these names, so the number must be bounded."""
OTHER = "other"
_REASONS = frozenset(reason.value for reason in RejectReason)


class WorkerMetrics:
    """What happened in this process since it started.

    `topics` are the full names of the topics it reads; `rules` the ids of the rules it runs. All methods may be called
    from any thread. Values are seconds or counts; `count` is at least 0.
    """

    def __init__(
        self,
        *,
        process: str,
        version: str,
        topics: Iterable[str] = (),
        rules: Iterable[str] = (),
        registry: CollectorRegistry | None = None,
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry if registry is not None else CollectorRegistry(auto_describe=False)
        self._last_event_at: dict[str, datetime] = {}
        read = tuple(topics)
        self._events = self._counter(catalogue.EVENTS, topic=read)
        self._dead_letters = self._counter(catalogue.DEAD_LETTERS, topic=read)
        self._transitions = self._counter(catalogue.ALERT_TRANSITIONS, rule=tuple(rules))
        self._rule_errors = self._counter(catalogue.RULE_ERRORS, rule=tuple(rules))
        self._evaluations = self._counter(catalogue.RULE_EVALUATIONS)
        self._evaluation_seconds = self._counter(catalogue.RULE_EVALUATION_SECONDS)
        self._rules_loaded = Gauge(catalogue.RULES_LOADED.name, catalogue.RULES_LOADED.meaning, registry=self.registry)
        self._notifications = self._counter(catalogue.NOTIFICATIONS)
        self._view_writes = self._counter(catalogue.VIEW_WRITES)
        self._rebalances = self._counter(catalogue.REBALANCES)
        self._event_age = self._histogram(catalogue.EVENT_AGE)
        self._event_to_alert = self._histogram(catalogue.EVENT_TO_ALERT)
        self._processing = self._histogram(catalogue.PROCESSING)
        self._notification_delay = self._histogram(catalogue.NOTIFICATION_DELAY)
        build = Gauge(catalogue.BUILD.name, catalogue.BUILD.meaning, catalogue.BUILD.labels, registry=self.registry)
        build.labels(version=version, process=process).set(1)

    def _counter(self, metric: catalogue.Metric, **known: tuple[str, ...]) -> Counter:
        counter = Counter(metric.name, metric.meaning, metric.labels, registry=self.registry)
        for labels in _known_label_sets(metric, known):
            counter.labels(*labels)
        return counter

    def _histogram(self, metric: catalogue.Metric) -> Histogram:
        histogram = Histogram(
            metric.name, metric.meaning, metric.labels, registry=self.registry, buckets=metric.buckets
        )
        for labels in _known_label_sets(metric, {}):
            histogram.labels(*labels)
        return histogram

    def count_events(self, *, topic: str, outcome: EventOutcome, count: int = 1) -> None:
        """Count events read from a topic."""
        self._events.labels(topic, outcome.value).inc(count)

    def count_dead_letters(self, *, topic: str, reason: str, count: int = 1) -> None:
        """Count what was refused; a reason outside the closed list counts as `internal`."""
        self._dead_letters.labels(topic, reason if reason in _REASONS else RejectReason.INTERNAL.value).inc(count)

    def count_transition(self, *, rule: str, to_state: AlertState, count: int = 1) -> None:
        """Count alerts that went to a state."""
        self._transitions.labels(rule, to_state.value).inc(count)

    def count_rule_errors(self, *, rule: str, count: int = 1) -> None:
        """Count evaluations of a rule that failed on facts that are known."""
        self._rule_errors.labels(rule).inc(count)

    def count_evaluations(self, *, count: int, seconds: float) -> None:
        """Count evaluations of rules, and the time they took together."""
        self._evaluations.inc(count)
        self._evaluation_seconds.inc(seconds)

    def set_rules_loaded(self, count: int) -> None:
        """Say how many rules are in force."""
        self._rules_loaded.set(count)

    def count_notification(self, *, channel: str, outcome: NotificationOutcome) -> None:
        """Count one attempt to deliver."""
        self._notifications.labels(channel, outcome.value).inc()

    def count_view_write(self, outcome: ViewOutcome) -> None:
        """Count one write of the read view."""
        self._view_writes.labels(outcome.value).inc()

    def count_rebalance(self) -> None:
        """Count one hand-out of partitions."""
        self._rebalances.inc()

    def observe_processing(self, *, agent: str, seconds: float) -> None:
        """Record how long an agent took for one record."""
        self._processing.labels(agent).observe(seconds)

    def observe_event_age(self, seconds: float) -> None:
        """Record the age of an event at admission; a negative age (a clock ahead of ours) counts as 0."""
        self._event_age.observe(max(0.0, seconds))

    def observe_event_to_alert(self, seconds: float) -> None:
        """Record the time from admission to alert."""
        self._event_to_alert.observe(max(0.0, seconds))

    def observe_notification_delay(self, *, channel: str, seconds: float) -> None:
        """Record the time from alert to delivery."""
        self._notification_delay.labels(channel).observe(max(0.0, seconds))

    def saw_source(self, source: str, *, at: datetime) -> None:
        """Note that an event of a source was admitted at an instant of the worker's clock."""
        name = source if source in self._last_event_at or len(self._last_event_at) < MAX_SOURCES else OTHER
        self._last_event_at[name] = at

    @property
    def last_event_at(self) -> Mapping[str, datetime]:
        """Copy of the last instants by source, for the snapshot."""
        return MappingProxyType(self._last_event_at.copy())


def _known_label_sets(metric: catalogue.Metric, known: Mapping[str, tuple[str, ...]]) -> Iterable[tuple[str, ...]]:
    """Combine the closed label sets, so that a rate is 0 and not absent before the first event."""
    if not metric.labels:
        return ()
    return product(*(known.get(label, metric.values.get(label, ())) for label in metric.labels))
