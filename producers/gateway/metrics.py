"""Metrics of the gateway, under the names of the catalogue where it has them."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from producers.gateway.decisions import Result, Status
from streams.contracts.events import family_of
from streams.contracts.topics import FAMILY_TOPICS, topic_name

UNKNOWN_TOPIC = "unknown"
_OUTCOMES = {
    Status.ACCEPTED: "admitted", Status.LATE: "admitted", Status.DUPLICATE: "duplicate", Status.INVALID: "refused",
}  # fmt: skip


class GatewayMetrics:
    """Counters of what came in by HTTP, on the registry given."""

    def __init__(self, registry: CollectorRegistry, *, prefix: str) -> None:
        self._prefix = prefix
        self._events = Counter(
            "monazite_events", "Events read, by topic and what became of them", ["topic", "outcome"], registry=registry
        )
        self._letters = Counter(
            "monazite_dead_letters", "Events refused, by topic and reason", ["topic", "reason"], registry=registry
        )
        self.seen_window = Gauge(
            "monazite_seen_window_available", "1 while repeats are recognised at the door, 0 while only by the road",
            registry=registry,
        )  # fmt: skip

    def count(self, results: Sequence[Result]) -> None:
        """Count the answers of a request."""
        for result in results:
            topic = UNKNOWN_TOPIC
            if result.event is not None:
                family = family_of(result.event.type)
                topic = topic_name(FAMILY_TOPICS[family], prefix=self._prefix)
            self._events.labels(topic, _OUTCOMES[result.status]).inc()
            if result.status is Status.INVALID:
                self._letters.labels(topic, result.reason or "internal").inc()
