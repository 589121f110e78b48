"""When a process that died is started again."""

from dataclasses import dataclass

FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 10.0
HEALTHY_AFTER_SECONDS = 60.0


@dataclass(frozen=True)
class Restarts:
    """Deaths so far: all of them, and those since the process last lived long enough to count as healthy."""

    total_count: int = 0
    recent_count: int = 0


def next_restart(prior: Restarts, *, lived_seconds: float) -> tuple[Restarts, float]:
    """Return the new counts and the delay before the next start, in seconds: 0.2, 1, 2, 4, 8, 10, 10, ...

    The first death is followed at once; there is no last attempt. A process that lived a minute was healthy, and the
    delays begin anew.
    """
    recent = 0 if lived_seconds >= HEALTHY_AFTER_SECONDS else prior.recent_count
    delay = FIRST_DELAY_SECONDS if recent == 0 else min(2.0 ** (min(recent, 10) - 1), LONGEST_DELAY_SECONDS)
    return Restarts(total_count=prior.total_count + 1, recent_count=recent + 1), delay
