"""When dead letters are so many that the worker should stop loudly instead of emptying a topic into them. Pure."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum


class LimitReached(StrEnum):
    """Which limit was reached."""

    RUN_LENGTH = "run_length"
    RATIO = "ratio"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetterPolicy:
    """Stop after `max_run_count` refused events in a row, or when more than `max_ratio` (0..1) of the last
    `window_count` events were refused. Generous on purpose: one broken sender must not stop the others' road.
    """

    max_run_count: int = 5_000
    max_ratio: float = 0.9
    window_count: int = 20_000


class DeadLetterLimit:
    """Counts admitted and refused events against a policy."""

    def __init__(self, policy: DeadLetterPolicy) -> None:
        self._policy = policy
        self._run_count = 0
        self._records: deque[tuple[int, int]] = deque()
        self._event_count = 0
        self._refused_count = 0

    def observe(self, *, admitted_count: int, refused_count: int) -> LimitReached | None:
        """Count one record's events; return the limit that it reached, or `None`."""
        self._run_count = 0 if admitted_count else self._run_count + refused_count
        self._records.append((admitted_count + refused_count, refused_count))
        self._event_count += admitted_count + refused_count
        self._refused_count += refused_count
        while self._event_count - self._records[0][0] >= self._policy.window_count:
            events, refused = self._records.popleft()
            self._event_count -= events
            self._refused_count -= refused
        if self._run_count > self._policy.max_run_count:
            return LimitReached.RUN_LENGTH
        full = self._event_count >= self._policy.window_count
        if full and self._refused_count > self._policy.max_ratio * self._event_count:
            return LimitReached.RATIO
        return None
