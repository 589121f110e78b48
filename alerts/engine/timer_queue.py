"""Timers of alerts: a heap in which each alert has one entry, at its earliest instant."""

import heapq
from datetime import datetime


class TimerQueue:
    """Fingerprints by due instant. A postponed timer comes up at its old instant; the caller schedules it again."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str]] = []
        self._at: dict[str, datetime] = {}

    def schedule(self, fingerprint: str, at: datetime) -> None:
        """Schedule a timer; an earlier one of the same alert stays."""
        known = self._at.get(fingerprint)
        if known is None or at < known:
            self._at[fingerprint] = at
            heapq.heappush(self._heap, (at, fingerprint))

    def first_at(self) -> datetime | None:
        """Return the earliest instant, `None` without timers."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self) -> tuple[datetime, str]:
        """Remove and return the earliest timer, those of one instant in order of fingerprint. Call after `first_at`."""
        at, fingerprint = heapq.heappop(self._heap)
        del self._at[fingerprint]
        return at, fingerprint
