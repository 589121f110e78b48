"""Counts what the runtime tells of each record under the names of the catalogue."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from streams.contracts.alert import AlertChanged
from streams.contracts.events import TYPE_OF
from streams.metrics.catalogue import EventOutcome
from streams.metrics.worker_metrics import WorkerMetrics
from streams.runtime.stage import RecordTaken

REPLAYED_AFTER = timedelta(hours=1)
"""An alert that is older in event time belongs to a log read again; its age says nothing about this worker."""


class _AlertInstant(msgspec.Struct):
    at: datetime


class _AlertEnvelope(msgspec.Struct):
    data: _AlertInstant


_ALERT_MARK = f'"type":"{TYPE_OF[AlertChanged]}"'.encode()
_decode_instant = msgspec.json.Decoder(_AlertEnvelope).decode


class RecordMetrics:
    """A `RecordObserver` over the metrics of a worker. `clock` reads the wall clock, for the age of alerts.

    `raises_alerts` is false for a worker whose outputs are never alerts: looking costs half a microsecond each.
    """

    def __init__(self, metrics: WorkerMetrics, *, clock: Callable[[], datetime], raises_alerts: bool = True) -> None:
        self._metrics = metrics
        self._clock = clock
        self._raises_alerts = raises_alerts

    def on_record(self, taken: RecordTaken) -> None:
        """Count the events and refusals of a record, how long it took, and the age of the alerts it raised."""
        metrics = self._metrics
        metrics.observe_processing(agent=taken.stage, seconds=taken.seconds)
        if taken.repeated:
            metrics.count_events(topic=taken.topic, outcome=EventOutcome.REPEATED)
            return
        refused_count = len(taken.refused)
        if refused_count:
            refused_only = refused_count - taken.conflict_count
            metrics.count_events(topic=taken.topic, outcome=EventOutcome.REFUSED, count=refused_only)
            metrics.count_events(topic=taken.topic, outcome=EventOutcome.CONFLICT, count=taken.conflict_count)
            for reason in taken.refused:
                metrics.count_dead_letters(topic=taken.topic, reason=reason)
        if taken.duplicate_count:
            metrics.count_events(topic=taken.topic, outcome=EventOutcome.DUPLICATE, count=taken.duplicate_count)
        processed_count = max(0, taken.event_count - refused_count - taken.duplicate_count)
        metrics.count_events(topic=taken.topic, outcome=EventOutcome.PROCESSED, count=processed_count)
        if self._raises_alerts:
            self._observe_alerts(taken.outputs)

    def on_assigned(self) -> None:
        """Count a hand-out of partitions."""
        self._metrics.count_rebalance()

    def _observe_alerts(self, outputs: Sequence[bytes]) -> None:
        for output in outputs:
            if _ALERT_MARK in output:
                age = self._clock() - _decode_instant(output).data.at
                if age < REPLAYED_AFTER:
                    self._metrics.observe_event_to_alert(age.total_seconds())
