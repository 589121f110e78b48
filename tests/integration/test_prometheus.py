"""Prometheus with our configuration and rules: checked by its own tools, and scraping a real endpoint."""

import subprocess
from collections.abc import Iterator

import pytest

from deploy.prometheus.config import FOLDER, RULES_FILE, prometheus_config
from streams.metrics.catalogue import EventOutcome
from streams.metrics.collector import register_collector
from streams.metrics.metrics_endpoint import MetricsEndpoint
from streams.metrics.snapshot import PartitionSnapshot, WorkerSnapshot
from streams.metrics.worker_metrics import WorkerMetrics
from tests.support.measures import measure_assessed
from tests.support.prometheus import PrometheusServer, require_prometheus
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def tools() -> None:
    require_prometheus()


@pytest.mark.parametrize("command", [
    ("check", "config", "prometheus.yml"), ("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml"),
])  # fmt: skip
def test_prometheus_own_tool_accepts_what_ships(command: tuple[str, ...]) -> None:
    """A rule that does not load takes all others with it."""
    done = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def worker() -> Iterator[MetricsEndpoint]:
    metrics = WorkerMetrics(process="scoring", version="1", topics=("monazite.signals.v1",))
    metrics.count_events(topic="monazite.signals.v1", outcome=EventOutcome.PROCESSED, count=5)
    snapshot = WorkerSnapshot(
        measures=[measure_assessed()], partitions=[PartitionSnapshot(topic="monazite.signals.v1", partition=0)]
    )
    register_collector(metrics.registry, lambda: snapshot)
    with MetricsEndpoint(metrics.registry, port=0, readiness=lambda: (True, {})) as endpoint:
        yield endpoint


def test_a_live_scrape_reaches_the_rules(worker: MetricsEndpoint) -> None:
    """The whole chain once: our page, Prometheus' reading of it, a recording rule, and the watchdog."""
    config = prometheus_config({"monazite-scoring": (f"127.0.0.1:{worker.port}",)}, scrape_seconds=1)
    with PrometheusServer(config=config, rules=RULES_FILE) as server:
        wait_until(
            lambda: server.ask("monazite:measure_time_left:seconds"), timeout_seconds=30, what="the recording rule"
        )
        wait_until(
            lambda: server.ask('ALERTS{alertname="MonaziteWatchdog",alertstate="firing"}'),
            timeout_seconds=30, what="the watchdog",
        )  # fmt: skip
        assert server.ask('up{job="monazite-scoring"}') != {}
        assert list(server.ask("sum(monazite_events_total)").values()) == [5.0]
