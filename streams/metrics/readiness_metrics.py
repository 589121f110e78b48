"""Shows whether a process is ready, and what was wrong with its local copies, at the instant of the scrape."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.metrics import catalogue
from streams.runtime.logs import PatientLogger


class ReadinessCollector(Collector):
    """One series each; `copy_faults` gives counts by fault, nothing in a process without local copies."""

    def __init__(self, ready: Callable[[], bool], copy_faults: Callable[[], Mapping[str, int]] = dict) -> None:
        self._ready = ready
        self._copy_faults = copy_faults

    def describe(self) -> Iterable[Metric]:
        """Name the families without samples."""
        return [_ready_family(), _faults_family(), _lost_family()]

    def collect(self) -> Iterable[Metric]:
        """Ask now."""
        ready, faults, lost = _ready_family(), _faults_family(), _lost_family()
        ready.add_metric([], float(self._ready()))
        for fault, count in sorted(self._copy_faults().items()):
            faults.add_metric([fault], count)
        lost.add_metric([], PatientLogger.lost_lines_total)
        return [ready, faults, lost]


def _ready_family() -> GaugeMetricFamily:
    return GaugeMetricFamily(catalogue.READY.name, catalogue.READY.meaning)


def _faults_family() -> CounterMetricFamily:
    metric = catalogue.LOCAL_COPY_FAULTS
    return CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)


def _lost_family() -> CounterMetricFamily:
    return CounterMetricFamily(catalogue.LOG_LINES_LOST.name, catalogue.LOG_LINES_LOST.meaning)
