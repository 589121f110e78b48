"""Time is data: a tick goes into each owned partition of `signals`, from the worker that owns it.

Two workers may tick one partition for a moment, or none during a rebalance: harmless, the largest tick counts. A
worker whose clock is ahead would move time for its partitions for good, so a jump of the wall clock against the
monotonic one is refused (RUNTIME.md 2.8).

Besides the regular ticks a partition that went quiet gets one more, a closing tick: what is told once an instant is
over would else wait for the next regular one. While events flow the next event closes the instant.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TickDecision(StrEnum):
    """Whether a tick is sent."""

    SEND = "send"
    CLOCK_JUMPED = "clock_jumped"


class ClosingReason(StrEnum):
    """Why a partition gets a closing tick (`quiet`), or gets none."""

    QUIET = "quiet"
    NOTHING_NEW = "nothing_new"
    EVENTS_FLOW = "events_flow"


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


@dataclass(frozen=True, slots=True)
class ClosingDecision:
    """Whether a partition gets a closing tick, and in how many seconds to ask again where it does not."""

    reason: ClosingReason
    ask_again_seconds: float


def decide_closing(
    *, taken_at_seconds: float | None, ticked_at_seconds: float | None, now_seconds: float, quiet_seconds: float
) -> ClosingDecision:
    """Say whether a partition whose last event was taken at `taken_at_seconds` gets a closing tick (`None`: no event).

    `ticked_at_seconds` is when the last tick of any sort was sent to it (`None`: none yet): what was taken before is
    closed by that. All instants are readings of one monotonic clock, in seconds. Asked again when it says, no event
    waits for its closing tick longer than `quiet_seconds`.
    """
    if taken_at_seconds is None or (ticked_at_seconds is not None and taken_at_seconds <= ticked_at_seconds):
        return ClosingDecision(ClosingReason.NOTHING_NEW, quiet_seconds)
    left_seconds = taken_at_seconds + quiet_seconds - now_seconds
    if left_seconds > 0:
        return ClosingDecision(ClosingReason.EVENTS_FLOW, left_seconds)
    return ClosingDecision(ClosingReason.QUIET, quiet_seconds)
