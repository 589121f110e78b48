"""When a failed delivery is tried again: exponential back-off within bounds, spread without chance."""

import zlib
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrySchedule:
    """`first` after the first failure, doubled each time up to `longest`; `attempts` in all, then given up.

    The defaults try for about nine hours, which outlasts a night's maintenance of the receiver.
    """

    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(hours=2)
    attempts: int = 16

    def delay(self, attempt: int, *, delivery: str, asked_seconds: float | None = None) -> timedelta | None:
        """Return the wait after failed attempt `attempt` (from 1), `None` when it was the last.

        Up to a quarter is added by the delivery's id, so that deliveries that failed together do not return together.
        `asked_seconds` is the least the receiver asked for.
        """
        if attempt >= self.attempts:
            return None
        wait = min(self.first * (1 << min(attempt - 1, 30)), self.longest)
        wait += wait / 4 * (zlib.crc32(f"{delivery}/{attempt}".encode()) % 1000 / 1000)
        return max(wait, timedelta(seconds=asked_seconds or 0))
