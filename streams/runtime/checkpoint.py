"""When a group is closed.

A group per record costs about 0.9 ms of CPU and two round trips for a single event (docs/engine-traps.md 14); a
checkpoint over many records writes each dirty key once, which is what makes Quix and cached Kafka Streams fast. The
price is work done again after a crash: at most what the limits below allow.
"""

from dataclasses import dataclass
from enum import StrEnum


class CheckpointReason(StrEnum):
    """Why a group is closed."""

    TICK = "tick"
    RECORDS = "records"
    CHANGES = "changes"
    AGE = "age"
    IDLE = "idle"
    REVOKED = "revoked"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointPolicy:
    """Limits of an open group; the first one reached closes it.

    A tick closes a group that is at least `minimum_age_seconds` old, so that years of ticks in a replay do not each
    cost a round trip. A change is a key that became dirty, however often it was written. `idle_seconds` is how often a
    timer looks for a group left open by a log that went quiet. A group in which nothing but time passed is closed at
    `time_only_age_seconds`: to read those records again costs nothing, to write a group for each 14 MB a day.
    """

    maximum_record_count: int = 1_000
    maximum_change_count: int = 20_000
    maximum_age_seconds: float = 1.0
    minimum_age_seconds: float = 0.2
    idle_seconds: float = 1.0
    time_only_age_seconds: float = 30.0


def decide_checkpoint(
    policy: CheckpointPolicy,
    *,
    record_count: int,
    change_count: int,
    age_seconds: float,
    ticked: bool,
    time_only: bool = False,
) -> CheckpointReason | None:
    """Return why the open group must be closed after a record, or `None` to leave it open.

    `ticked`: the record stated time for a replay; `time_only`: nothing but time has passed since the last group.
    """
    if time_only:
        return CheckpointReason.AGE if age_seconds >= policy.time_only_age_seconds else None
    if record_count >= policy.maximum_record_count:
        return CheckpointReason.RECORDS
    if change_count >= policy.maximum_change_count:
        return CheckpointReason.CHANGES
    if age_seconds >= policy.maximum_age_seconds:
        return CheckpointReason.AGE
    if ticked and age_seconds >= policy.minimum_age_seconds:
        return CheckpointReason.TICK
    return None
