"""Counters of the alert engine, published by the worker; no decision depends on them."""

from collections import Counter
from collections.abc import Callable

from streams.contracts.alert import AlertState


def _stands_still() -> float:
    return 0.0


class EngineMetrics:
    """Counts of all partitions of one worker since it was published last.

    `stopwatch` reads a monotonic clock in seconds; without one no time is measured.
    """

    def __init__(self, *, stopwatch: Callable[[], float] = _stands_still) -> None:
        self.stopwatch = stopwatch
        self.transitions: Counter[tuple[str, AlertState]] = Counter()
        self.errors: Counter[str] = Counter()
        self.evaluations_count = 0
        self.evaluation_seconds = 0.0

    def moved(self, rule: str, to: AlertState) -> None:
        """Count an alert that went to a state."""
        self.transitions[rule, to] += 1

    def evaluated(self, count: int, *, since: float) -> None:
        """Count evaluations that began when the stopwatch stood at `since`."""
        self.evaluations_count += count
        self.evaluation_seconds += self.stopwatch() - since

    def clear(self) -> None:
        """Begin again at zero."""
        self.transitions.clear()
        self.errors.clear()
        self.evaluations_count, self.evaluation_seconds = 0, 0.0
