"""The face of a worker: `/metrics`, `/healthz`, `/readyz`, fed by the event loop, served by a thread.

The loop publishes an immutable snapshot twice a second; the thread only reads it. When the loop stands still the
snapshot grows old, and readiness says so instead of repeating the last good answer.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from streams.metrics.collector import register_collector
from streams.metrics.metrics_endpoint import MetricsEndpoint
from streams.metrics.readiness_metrics import ReadinessCollector
from streams.metrics.snapshot import PartitionSnapshot, WorkerSnapshot
from streams.metrics.worker_metrics import WorkerMetrics
from streams.runtime.broker_probe import BrokerProbe
from streams.runtime.clock import monotonic_seconds
from streams.runtime.faust_app import SafeApp
from streams.runtime.health import ProgressWatch, Readiness, WorkerFacts, worker_facts
from streams.runtime.local_copies import CopyFault
from streams.runtime.store import PartitionStore

PUBLISH_SECONDS = 0.5
STALE_SECONDS = 5.0
"""Age of the last look at the loop after which a worker is no longer ready; ten missed looks."""

Enrich = Callable[[SafeApp, WorkerSnapshot], WorkerSnapshot]


class WorkerEndpoint:
    """Serves one worker; a service of the runtime, so it runs before the first assignment and ends with the app."""

    def __init__(
        self, *, metrics: WorkerMetrics, port: int, bootstrap: str, topics: Mapping[str, str], enrich: Enrich
    ) -> None:
        self._metrics = metrics
        self._topics = topics  # stage to the full name of its source topic
        self._enrich = enrich
        self._snapshot = WorkerSnapshot()
        self._probe = BrokerProbe(bootstrap)
        self._readiness = Readiness.STARTING
        self._waiting_for: list[str] = []
        self._faults: dict[str, int] = {}
        self._facts = WorkerFacts(assigned=False, recovering=True, partitions=())
        self._looked_at_seconds = monotonic_seconds()
        self._endpoint = MetricsEndpoint(metrics.registry, port=port, readiness=self._ready)
        register_collector(metrics.registry, lambda: self._snapshot)
        metrics.registry.register(ReadinessCollector(lambda: self._ready()[0], lambda: self._faults))

    async def run(self, app: SafeApp) -> None:
        """Publish what the worker owns until it stops."""
        watch = ProgressWatch(app.settings.stalled_progress_seconds)
        with self._endpoint, self._probe:
            while True:
                self._look(app, watch)
                await asyncio.sleep(PUBLISH_SECONDS)

    def _look(self, app: SafeApp, watch: ProgressWatch) -> None:
        self._facts = worker_facts(app)
        self._readiness = watch.evaluate_readiness(self._facts, monotonic_seconds=monotonic_seconds())
        self._waiting_for = watch.waiting_for(self._readiness)
        self._faults = copy_faults(app.stores.values())
        partitions = tuple(
            PartitionSnapshot(
                topic=self._topics[p.stage],
                partition=p.partition,
                lag_messages=p.lag_count,
                progress_offset=p.position if p.position >= 0 else None,
            )
            for p in self._facts.partitions
        )
        snapshot = WorkerSnapshot(partitions=partitions, last_event_at=self._metrics.last_event_at)
        self._snapshot = self._enrich(app, snapshot)
        self._looked_at_seconds = monotonic_seconds()

    def _ready(self) -> tuple[bool, Mapping[str, Any]]:
        age_seconds = monotonic_seconds() - self._looked_at_seconds
        readiness, waiting_for = self._readiness, self._probe.waiting_for() + self._waiting_for
        if age_seconds > STALE_SECONDS:
            readiness = Readiness.STUCK
            waiting_for.append(f"the event loop, which stood still for {age_seconds:.0f} s")
        elif readiness is Readiness.READY and not self._probe.answering:
            readiness = Readiness.NO_BROKER
        facts = {
            "readiness": readiness.value,
            "waiting_for": waiting_for,
            "stalled_inputs": [f"{t}/{p}" for (t, p), stalled in sorted(self._snapshot.inputs.items()) if stalled],
            "looked_seconds_ago": round(age_seconds, 1),
            "partitions": [
                {"stage": p.stage, "partition": p.partition, "position": p.position, "lag": p.lag_count}
                for p in self._facts.partitions
            ],
        }
        return readiness is Readiness.READY, facts


def copy_faults(stores: Iterable[PartitionStore]) -> dict[str, int]:
    """Return how many local copies were damaged or could not be written, over all stages."""
    faults = dict.fromkeys((fault.value for fault in CopyFault), 0)
    for store in stores:
        for fault, count in store.counters.copy_faults.items():
            faults[fault] += count
    return faults
