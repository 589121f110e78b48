"""The settings of a worker, one frozen struct, with the values of docs/runtime.md 13."""

from dataclasses import dataclass, field
from pathlib import Path

from streams.runtime.checkpoint import CheckpointPolicy
from streams.runtime.dead_letter_gauge import DeadLetterLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTimes:
    """Time limits of group membership, in seconds.

    The default suits Apache Kafka: a slow machine must not lose its session. On the embedded broker a join waits
    for about half the rebalance time, so there short values are what makes it usable (`EMBEDDED`).
    """

    session_seconds: float = 6.0
    heartbeat_seconds: float = 1.0
    rebalance_seconds: float = 10.0


KAFKA = SessionTimes()
EMBEDDED = SessionTimes(session_seconds=2.0, heartbeat_seconds=0.5, rebalance_seconds=3.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSettings:
    """What one worker process needs to know.

    `app_id` names the consumer group and, with the stage, the changelog `<app_id>-<stage>-changelog`. `data_directory`
    set means a durable local copy per partition below it, apart by cluster and app; `None` keeps state in memory only.
    `static_member` is for a supervisor that restarts at once (1.4 s instead of 5.5-7.7); static members do not leave
    on SIGTERM, so never with scaling. `stall_limit_seconds` is how long the event loop may stand still before the
    worker ends itself; `None` switches the watchdog off (tests of the fences behind it). `commit_seconds` is how often
    consumed offsets are committed, for others to see: nothing resumes from them, the position of the state counts.
    `maximum_record_bytes` is the `max.message.bytes` of the changelogs; outputs of one record that take more than
    `maximum_output_bytes` are split over several (below a broker's default limit of 1 MiB, the frame included).
    `exact_end_offsets` false: the broker reports ends that are too low (the embedded one), so a log that looks
    shortened is not taken for one.
    """

    app_id: str
    bootstrap: str
    partition_count: int = 4
    session: SessionTimes = KAFKA
    checkpoint: CheckpointPolicy = field(default_factory=CheckpointPolicy)
    dead_letter_topic: str | None = None
    dead_letter_limits: DeadLetterLimits = field(default_factory=DeadLetterLimits)
    data_directory: Path | None = None
    static_member: str | None = None
    stall_limit_seconds: float | None = 6.0
    stalled_progress_seconds: float = 15.0
    maximum_record_bytes: int = 4 * 1024 * 1024
    maximum_output_bytes: int = 1_000_000
    request_timeout_seconds: float = 20.0
    commit_seconds: float = 10.0
    log_level: str = "info"
    use_uvloop: bool = True
    exact_end_offsets: bool = True

    def changelog_topic(self, stage: str) -> str:
        """Return the name of the changelog of `stage`; it must exist, compacted, with `partition_count` partitions."""
        return f"{self.app_id}-{stage}-changelog"
