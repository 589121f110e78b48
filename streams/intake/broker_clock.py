"""The broker's clock as an intake worker knows it. Pure: both clocks are arguments."""

from collections import deque

JUMP_MS = 5_000
"""A clock that moved further ahead than this against ours is not believed at once."""
BELIEVED_AFTER_SECONDS = 30.0
WINDOW_SECONDS = 10.0


class BrokerClock:
    """A lower bound of the broker's clock, carried on by a monotonic clock; the wall clock of this machine has no say.

    A clock that jumped ahead is believed when it stood there for `BELIEVED_AFTER_SECONDS`: until then time goes on at
    the pace of the monotonic clock, so that it never stops and no passing error moves it for good. One that jumped back
    is followed after `WINDOW_SECONDS`; what was stated before stands, since a watermark never goes back.
    """

    def __init__(self) -> None:
        self._offsets: deque[tuple[float, float]] = deque()  # instant and broker minus monotonic, the largest first
        self._jumped_at: float | None = None
        self.jump_count = 0

    def observe(self, broker_ms: float, seconds: float) -> None:
        """Take note that the broker's clock stood at or beyond `broker_ms` at a monotonic instant."""
        offset = broker_ms - seconds * 1000
        if self._offsets and offset - self._offsets[0][1] > JUMP_MS:
            if self._jumped_at is None:
                self._jumped_at = seconds
                self.jump_count += 1
            if seconds - self._jumped_at < BELIEVED_AFTER_SECONDS:
                return
            self._offsets.clear()
        self._jumped_at = None
        while self._offsets and self._offsets[-1][1] <= offset:
            self._offsets.pop()
        self._offsets.append((seconds, offset))
        while self._offsets[0][0] < seconds - WINDOW_SECONDS:
            self._offsets.popleft()

    def at(self, seconds: float) -> int | None:
        """Return the broker's milliseconds since 1970 at a monotonic instant, `None` where nothing was observed yet."""
        return int(seconds * 1000 + self._offsets[0][1]) if self._offsets else None
