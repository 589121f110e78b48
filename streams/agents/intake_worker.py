"""The intake process: the intake loop with its metrics and a clean stop."""

import asyncio
import signal
from datetime import timedelta

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.agents.intake_readiness import IntakeReadiness
from streams.agents.worker_settings import PipelineSettings
from streams.contracts.topics import DEAD_LETTERS, INPUTS, SIGNALS, topic_name
from streams.intake.intake_clients import run_intake
from streams.intake.intake_settings import IntakeSettings
from streams.intake.stats import IntakeStats
from streams.metrics import catalogue
from streams.metrics.metrics_endpoint import MetricsEndpoint
from streams.metrics.readiness_metrics import ReadinessCollector
from streams.metrics.worker_metrics import WorkerMetrics
from streams.runtime.broker_probe import BrokerProbe
from streams.runtime.cluster import NeededTopic, ask_cluster, decide_topics
from streams.runtime.collection import configure_gc
from streams.runtime.exits import fatal
from streams.runtime.logs import configure_logs
from streams.runtime.version import monazite_version

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


async def serve_intake(settings: PipelineSettings) -> None:
    """Run intake until SIGTERM or SIGINT."""
    session = settings.session
    stats, stop = IntakeStats(), asyncio.Event()
    intake = IntakeSettings(
        brokers=settings.bootstrap,
        prefix=settings.prefix,
        partitions=settings.partitions,
        group=f"{settings.prefix}-intake",
        session_timeout=timedelta(seconds=session.session_seconds),
        heartbeat_interval=timedelta(seconds=session.heartbeat_seconds),
        rebalance_timeout=timedelta(seconds=session.rebalance_seconds),
        tick_seconds=settings.tick_seconds,
        static_member=None if settings.static_member is None else f"{settings.prefix}-{settings.static_member}",
        input_prefix=settings.input_prefix,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    metrics = WorkerMetrics(process="intake", version=monazite_version())
    # The worker's own counters of these names stand at zero here; the loop's plain counters take their place.
    for counter in (metrics._events, metrics._dead_letters):
        metrics.registry.unregister(counter)
    metrics.registry.register(IntakeCollector(stats, intake.inputs()))

    probe = BrokerProbe(settings.bootstrap)
    readiness = IntakeReadiness(stats, probe)
    metrics.registry.register(ReadinessCollector(lambda: readiness.look()[0]))
    with MetricsEndpoint(metrics.registry, port=settings.metrics_port, readiness=readiness.look), probe:
        await run_intake(intake, stats=stats, stop=stop)


def require_topics(settings: PipelineSettings) -> None:
    """End the process where a topic that intake reads or writes is missing (blocking, before the start)."""
    read = [topic_name(name, prefix=settings.input_prefix or settings.prefix) for name in INPUTS]
    needed = [NeededTopic(name=name, role="input of intake", partition_count=None) for name in read]
    signals, letters = settings.topic(SIGNALS), settings.topic(DEAD_LETTERS)
    needed.append(NeededTopic(name=signals, role="output of intake", partition_count=settings.partitions))
    needed.append(NeededTopic(name=letters, role="dead letters", partition_count=None))
    fault = decide_topics(ask_cluster(settings.bootstrap), needed)
    if fault is not None:
        fatal(fault, bootstrap=settings.bootstrap)


def run_intake_process(settings: PipelineSettings) -> None:
    """Run intake as this process."""
    import uvloop

    configure_logs()
    require_topics(settings)
    configure_gc()
    uvloop.run(serve_intake(settings))
