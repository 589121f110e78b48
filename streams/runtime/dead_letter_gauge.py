"""What could not be processed: the original bytes with the reason, and the limit on how many there may be.

Bad data must not stop the road (promise 3), and a defect of ours must not empty the road into the dead letters:
beyond a ratio or a run the worker stops loudly, as in getsentry/arroyo.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum


class DeadLetterVerdict(StrEnum):
    """Whether the worker may go on after a record."""

    WITHIN_LIMITS = "within_limits"
    RATIO_EXCEEDED = "ratio_exceeded"
    RUN_EXCEEDED = "run_exceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterLimits:
    """How much may be refused: a share of the last `window_count` records, and how many in a row.

    The ratio counts only when the window is full, so the first bad record of a quiet day stops nothing.
    """

    maximum_ratio: float = 0.2
    window_count: int = 200
    maximum_run_count: int = 50


class DeadLetterGauge:
    """Counts records with and without dead letters and says when the limits are exceeded."""

    def __init__(self, limits: DeadLetterLimits) -> None:
        self._limits = limits
        self._recent: deque[bool] = deque(maxlen=limits.window_count)
        self._bad_count = 0
        self._run_count = 0

    def record(self, *, refused: bool) -> DeadLetterVerdict:
        """Count one source record and return the verdict."""
        if len(self._recent) == self._limits.window_count:
            self._bad_count -= self._recent[0]
        self._recent.append(refused)
        self._bad_count += refused
        self._run_count = self._run_count + 1 if refused else 0
        if self._run_count > self._limits.maximum_run_count:
            return DeadLetterVerdict.RUN_EXCEEDED
        full = len(self._recent) == self._limits.window_count
        if full and self._bad_count > self._limits.maximum_ratio * self._limits.window_count:
            return DeadLetterVerdict.RATIO_EXCEEDED
        return DeadLetterVerdict.WITHIN_LIMITS
