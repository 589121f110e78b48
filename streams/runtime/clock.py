"""The only place that reads a clock.

Everything that decides takes time as an argument; a linter bans the standard functions elsewhere.
"""

import time
from datetime import UTC, datetime

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def utc_now() -> datetime:
    """Read the wall clock as an aware instant in UTC."""
    return datetime.now(UTC)


def monotonic_seconds() -> float:
    """Read seconds of a clock that never goes back; only differences have a meaning. It runs on while stopped."""
    return time.monotonic()


def boot_seconds() -> float:
    """Read seconds of a clock that never goes back and also runs while the machine sleeps, where there is one."""
    return time.clock_gettime(_BOOT_CLOCK)
