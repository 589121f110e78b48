"""Whether an intake worker can do its work now: broker, assignment, a loop that turns, inputs that move."""

from collections.abc import Mapping
from typing import Any

from streams.intake.stats import IntakeStats
from streams.runtime.broker_probe import BrokerProbe
from streams.runtime.clock import monotonic_seconds
from streams.runtime.health import PartitionFacts, ProgressWatch, Readiness, WorkerFacts

STUCK_SECONDS = 5.0
"""A loop that waits for the broker's answer to a write for so long does no work; it turns five times a second."""
STALLED_SECONDS = 15.0


class IntakeReadiness:
    """Told from the counters of the loop and the probe; asked from the thread that serves `/readyz`."""

    def __init__(self, stats: IntakeStats, probe: BrokerProbe) -> None:
        self._stats = stats
        self._probe = probe
        self._watch = ProgressWatch(STALLED_SECONDS)

    def look(self) -> tuple[bool, Mapping[str, Any]]:
        """Return whether the worker is ready, and the facts."""
        stats, now = self._stats, monotonic_seconds()
        partitions = tuple(
            PartitionFacts(stage=topic, partition=partition, position=position - 1, end_offset=end)
            for (topic, partition), (position, end) in sorted(stats.read_inputs().items())
        )
        facts = WorkerFacts(assigned=stats.ready, recovering=False, partitions=partitions)
        readiness = self._watch.evaluate_readiness(facts, monotonic_seconds=now)
        waiting_for = self._probe.waiting_for() + self._watch.waiting_for(readiness)
        stood_seconds = now - stats.turned_at_seconds
        if stats.ready and stood_seconds > STUCK_SECONDS:
            readiness = Readiness.STUCK
            waiting_for.append(f"the broker to take what was written {stood_seconds:.0f} s ago")
        elif readiness is Readiness.READY and not self._probe.answering:
            readiness = Readiness.NO_BROKER
        return readiness is Readiness.READY, {
            "readiness": readiness.value,
            "waiting_for": waiting_for,
            "assigned": len(stats.assigned),
            "records_read": stats.records_read,
            "partitions": [
                {"topic": p.stage, "partition": p.partition, "position": p.position, "lag": p.lag_count}
                for p in partitions
            ],
        }
