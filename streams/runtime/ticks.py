"""Time is data: a tick goes into each owned partition of `signals`, from the worker that owns it.

Two workers may tick one partition for a moment, or none during a rebalance: harmless, the largest tick counts. A
worker whose clock is ahead would move time for its partitions for good, so a jump of the wall clock against the
monotonic one is refused (RUNTIME.md 2.8).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TickDecision(StrEnum):
    """Whether a tick is sent."""

    SEND = "send"
    CLOCK_JUMPED = "clock_jumped"


@dataclass(frozen=True, slots=True)
class ClockReading:
    """One look at both clocks."""

    wall: datetime
    monotonic_seconds: float


def decide_tick(anchor: ClockReading | None, now: ClockReading, *, maximum_jump_seconds: float | None) -> TickDecision:
    """Say whether a tick with the wall clock of `now` may be sent, given the last reading trusted (`None`: none yet).

    The wall clock may run ahead of the monotonic one by at most `maximum_jump_seconds` (`None`: unlimited).
    """
    if anchor is None or maximum_jump_seconds is None:
        return TickDecision.SEND
    wall_seconds = (now.wall - anchor.wall).total_seconds()
    drift_seconds = wall_seconds - (now.monotonic_seconds - anchor.monotonic_seconds)
    return TickDecision.CLOCK_JUMPED if drift_seconds > maximum_jump_seconds else TickDecision.SEND
