"""The intake process: the intake loop with its metrics and a clean stop."""

import asyncio
import signal
from collections.abc import Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.adapters.metrics import catalogue
from streams.adapters.metrics.endpoint import MetricsEndpoint
from streams.adapters.metrics.worker import WorkerMetrics
from streams.agents.settings import VERSION, RoadSettings
from streams.intake.loop import run_intake
from streams.intake.settings import IntakeSettings
from streams.intake.stats import IntakeStats
from streams.runtime.collection import calm_collector
from streams.runtime.logs import configure_logs

_OUTCOMES = {"admitted": "admitted", "dead_letter": "refused"}


class IntakeCollector(Collector):
    """Shows the plain counters of an intake worker under the names of the catalogue."""

    def __init__(self, stats: IntakeStats, topics: tuple[str, ...]) -> None:
        self._stats = stats
        self._topics = topics

    def describe(self) -> list[Metric]:
        """Name the families without samples."""
        return [
            CounterMetricFamily(catalogue.EVENTS.name, catalogue.EVENTS.meaning, labels=catalogue.EVENTS.labels),
            CounterMetricFamily(
                catalogue.DEAD_LETTERS.name, catalogue.DEAD_LETTERS.meaning, labels=catalogue.DEAD_LETTERS.labels
            ),
            GaugeMetricFamily(
                catalogue.LAST_EVENT.name, catalogue.LAST_EVENT.meaning, labels=catalogue.LAST_EVENT.labels
            ),
        ]

    def collect(self) -> list[Metric]:
        """Read the counters now; topics without events stand at 0."""
        events, letters, last = self.describe()
        for topic in self._topics:
            for outcome, shown in _OUTCOMES.items():
                events.add_metric([topic, shown], self._stats.events[topic, outcome])  # type: ignore[attr-defined]
        for (topic, reason), count in self._stats.dead_letters.copy().items():
            letters.add_metric([topic, reason], count)  # type: ignore[attr-defined]
        for source, at in self._stats.last_event_at.copy().items():
            last.add_metric([source], at.timestamp())  # type: ignore[attr-defined]
        return [events, letters, last]


async def serve_intake(settings: RoadSettings) -> None:
    """Run intake until SIGTERM or SIGINT."""
    session = settings.session
    stats, stop = IntakeStats(), asyncio.Event()
    from datetime import timedelta

    intake = IntakeSettings(
        brokers=settings.bootstrap, prefix=settings.prefix, partitions=settings.partitions,
        group=f"{settings.prefix}-intake", session_timeout=timedelta(seconds=session.session_seconds),
        heartbeat_interval=timedelta(seconds=session.heartbeat_seconds),
        rebalance_timeout=timedelta(seconds=session.rebalance_seconds), tick_seconds=settings.tick_seconds,
        input_prefix=settings.input_prefix,
    )  # fmt: skip
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    metrics = WorkerMetrics(process="intake", version=VERSION)
    # The worker's own counters of these names stand at zero here; the loop's plain counters take their place.
    for counter in (metrics._events, metrics._dead_letters):
        metrics.registry.unregister(counter)
    metrics.registry.register(IntakeCollector(stats, intake.inputs()))

    def ready() -> tuple[bool, Mapping[str, Any]]:
        return stats.ready, {"assigned": len(stats.assigned), "records_read": stats.records_read}

    with MetricsEndpoint(metrics.registry, port=settings.metrics_port, readiness=ready):
        await run_intake(intake, stats=stats, stop=stop)


def run_intake_process(settings: RoadSettings) -> None:
    """Run intake as this process."""
    import uvloop

    configure_logs()
    calm_collector()
    uvloop.run(serve_intake(settings))
