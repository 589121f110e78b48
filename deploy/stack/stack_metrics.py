"""What the supervisor shows of the processes it looks after: `/metrics`, and `/readyz` for the stack as a whole."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from deploy.stack.disk import free_ratio
from deploy.stack.plan import StackPorts
from deploy.stack.unit import Unit
from streams.metrics import catalogue
from streams.metrics.metrics_endpoint import MetricsEndpoint

log = structlog.get_logger("monazite.stack")


class StackMetrics(Collector):
    """Reads the units at the instant of the scrape; counts what the supervisor could not do."""

    def __init__(self, units: Callable[[], Sequence[Unit]], *, folder: Path) -> None:
        self._units = units
        self._folder = folder
        self._lock = threading.Lock()
        self._faults: Counter[str] = Counter(dict.fromkeys(catalogue.SUPERVISOR_FAULTS.values["fault"], 0))

    def count_fault(self, fault: str) -> None:
        """Count something that the supervisor could not do and tries again."""
        with self._lock:
            self._faults[fault] += 1

    def describe(self) -> Iterable[Metric]:
        """Name the families without samples."""
        return list(_families())

    def collect(self) -> Iterable[Metric]:
        """Ask now."""
        ready, restarts, faults, disk = _families()
        for unit in self._units():
            ready.add_metric([unit.name], float(unit.ready and unit.process.running))
            restarts.add_metric([unit.name], unit.restarts.total_count)
        with self._lock:
            for fault, count in sorted(self._faults.items()):
                faults.add_metric([fault], count)
        disk.add_metric([], free_ratio(self._folder))
        return [ready, restarts, faults, disk]

    def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Say whether every process of the stack is ready, and which are not."""
        waiting_for = [unit.name for unit in self._units() if not (unit.ready and unit.process.running)]
        return not waiting_for, {"waiting_for": waiting_for}

    @contextmanager
    def serving(self, ports: StackPorts | None) -> Iterator[None]:
        """Serve at the supervisor's port; a port that is taken costs the metrics, not the stack."""
        endpoint = None
        if ports is not None and ports.supervisor:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(self)
            try:
                endpoint = MetricsEndpoint(registry, port=ports.supervisor, readiness=self.readiness).start()
            except OSError as error:
                log.error(
                    "the metrics of the stack cannot be served: free the port", port=ports.supervisor, error=str(error)
                )
        try:
            yield
        finally:
            if endpoint is not None:
                endpoint.stop()


def _families() -> tuple[GaugeMetricFamily, CounterMetricFamily, CounterMetricFamily, GaugeMetricFamily]:
    ready, restarts = catalogue.PROCESS_READY, catalogue.PROCESS_RESTARTS
    faults, disk = catalogue.SUPERVISOR_FAULTS, catalogue.DISK_FREE
    return (
        GaugeMetricFamily(ready.name, ready.meaning, labels=ready.labels),
        CounterMetricFamily(restarts.name, restarts.meaning, labels=restarts.labels),
        CounterMetricFamily(faults.name, faults.meaning, labels=faults.labels),
        GaugeMetricFamily(disk.name, disk.meaning),
    )
