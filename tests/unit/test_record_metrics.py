"""What the runtime tells of a record appears under the names of the catalogue."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from streams.contracts.alert import AlertChanged
from streams.contracts.codec import encode_event
from streams.contracts.events import Event
from streams.metrics.record_metrics import REPLAYED_AFTER, RecordMetrics
from streams.metrics.worker_metrics import WorkerMetrics
from streams.runtime.stage import RecordTaken
from tests.support.examples import EXAMPLE_EVENTS

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TOPIC = "monazite.assessments.v1"


def taken(**changes: Any) -> RecordTaken:
    record = RecordTaken(stage="rules", topic=TOPIC, partition=0, seconds=0.002, event_count=5, repeated=False)
    return RecordTaken(**{**{name: getattr(record, name) for name in record.__slots__}, **changes})


def observed(*records: RecordTaken) -> CollectorRegistry:
    registry = CollectorRegistry()
    metrics = RecordMetrics(WorkerMetrics(process="alerts", version="0", registry=registry), clock=lambda: NOW)
    for record in records:
        metrics.on_record(record)
    return registry


def alert_of(age: timedelta) -> bytes:
    event = next(e for e in EXAMPLE_EVENTS if isinstance(e.data, AlertChanged))
    assert isinstance(event.data, AlertChanged)
    return encode_event(
        Event(
            id=event.id, source=event.source, subject=event.subject, occurred_at=event.occurred_at,
            recorded_at=event.recorded_at, data=msgspec.structs.replace(event.data, at=NOW - age),
        )
    )  # fmt: skip


def test_events_repeats_and_refusals_are_counted_apart() -> None:
    """A refused event was not processed, and a repeat is neither."""
    registry = observed(taken(), taken(event_count=0, repeated=True), taken(event_count=3, refused=("wrong_type",)))

    def events(outcome: str) -> float | None:
        return registry.get_sample_value("monazite_events_total", {"topic": TOPIC, "outcome": outcome})

    assert (events("processed"), events("repeated"), events("refused")) == (7, 1, 1)
    reason = {"topic": TOPIC, "reason": "wrong_type"}
    assert registry.get_sample_value("monazite_dead_letters_total", reason) == 1
    assert registry.get_sample_value("monazite_processing_seconds_count", {"agent": "rules"}) == 3


def test_the_age_of_live_alerts_is_observed_and_that_of_replayed_ones_is_not() -> None:
    """A log of 2023 that is read again would say that alerts take years."""
    outputs = (alert_of(timedelta(milliseconds=40)), alert_of(REPLAYED_AFTER), encode_event(EXAMPLE_EVENTS[0]))
    registry = observed(taken(outputs=outputs))
    assert registry.get_sample_value("monazite_event_to_alert_seconds_count") == 1
    assert registry.get_sample_value("monazite_event_to_alert_seconds_sum") == 0.04
