"""The only place that reads a clock.

Everything that decides takes time as an argument; a linter bans the standard functions elsewhere. Ticks, record
time stamps of dead letters and the age of an open checkpoint are read here and nowhere else.
"""

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Read the wall clock as an aware instant in UTC."""
    return datetime.now(UTC)


def monotonic_seconds() -> float:
    """Read seconds of a clock that never goes back; only differences have a meaning. It runs on while stopped."""
    return time.monotonic()
