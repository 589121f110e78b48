"""The broker's clock as an intake worker knows it. Pure: both clocks are arguments."""

from collections import deque

JUMP_MS = 5_000
"""A clock that moved further ahead than this against ours is not believed at once."""
BELIEVED_AFTER_SECONDS = 30.0
WINDOW_SECONDS = 10.0
SLEW_RATIO = 0.001
"""How much slower time may go than the monotonic clock; quartz clocks differ by less than a tenth of it."""


class BrokerClock:
    """A lower bound of the broker's clock, carried on by a monotonic clock; the wall clock of this machine has no say.

    A clock that jumped ahead is believed when it stood there for `BELIEVED_AFTER_SECONDS`: until then time goes on at
    the pace of the monotonic clock, so that it never stops and no passing error moves it for good. One that was set
    back is not followed: time goes on, by `SLEW_RATIO` slower than the monotonic clock until the two meet. So is one
    that merely runs slower, which no clock does by that much.
    """

    def __init__(self) -> None:
        self._offsets: deque[tuple[float, float]] = deque()  # instant and broker minus monotonic, the largest first
        self._held: tuple[float, float] | None = None  # the last offset that counted, and when
        self._jumped_at: float | None = None
        self._stated_ms = 0
        self.jump_count = 0

    def begin_at(self, stated_ms: int) -> None:
        """Take note of what was stated in an earlier life: a clock that stands before it was set back meanwhile."""
        self._stated_ms = stated_ms

    def observe(self, broker_ms: float, seconds: float) -> None:
        """Take note that the broker's clock stood at or beyond `broker_ms` at a monotonic instant."""
        if self._held is None:
            broker_ms = max(broker_ms, self._stated_ms)
        offset = broker_ms - seconds * 1000
        known = self._offset(seconds)
        if known is not None and offset - known > JUMP_MS:
            if self._jumped_at is None:
                self._jumped_at = seconds
                self.jump_count += 1
            if seconds - self._jumped_at < BELIEVED_AFTER_SECONDS:
                return
            self._offsets.clear()
            known = None
        self._jumped_at = None
        self._held = (seconds, offset if known is None else max(offset, known))
        while self._offsets and self._offsets[-1][1] <= offset:
            self._offsets.pop()
        self._offsets.append((seconds, offset))
        while self._offsets[0][0] < seconds - WINDOW_SECONDS:
            self._offsets.popleft()

    def at(self, seconds: float) -> int | None:
        """Return the broker's milliseconds since 1970 at a monotonic instant, `None` where nothing was observed yet."""
        offset = self._offset(seconds)
        return None if offset is None else int(seconds * 1000 + offset)

    def _offset(self, seconds: float) -> float | None:
        if self._held is None:
            return None
        held_at, held = self._held
        slewed = held - max(seconds - held_at, 0.0) * 1000 * SLEW_RATIO
        return max(self._offsets[0][1], slewed) if self._offsets else slewed
