"""Instants at which time alone changes an alert: a heap in which each alert stands once, at its earliest."""

import heapq
from datetime import datetime


class TimerQueue:
    """Fingerprints by due instant. What was put off is found at its old instant, and put back by whoever asks."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str]] = []
        self._at: dict[str, datetime] = {}

    def schedule(self, fingerprint: str, at: datetime) -> None:
        """Make an alert come up at an instant at the latest."""
        known = self._at.get(fingerprint)
        if known is None or at < known:
            self._at[fingerprint] = at
            heapq.heappush(self._heap, (at, fingerprint))

    def first_at(self) -> datetime | None:
        """Return the earliest instant, `None` where nothing is due ever."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self) -> tuple[datetime, str]:
        """Take the earliest, those of one instant in order of fingerprint. Call after `first_at`."""
        at, fingerprint = heapq.heappop(self._heap)
        del self._at[fingerprint]
        return at, fingerprint
