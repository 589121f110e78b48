"""Settings of an intake worker."""

from dataclasses import dataclass, field
from datetime import timedelta

from streams.contracts.topics import DEFAULT_PARTITIONS, DEFAULT_PREFIX, INPUTS, topic_name
from streams.intake.limit import DeadLetterPolicy


@dataclass(frozen=True, kw_only=True, slots=True)
class IntakeSettings:
    """How an intake worker reads and writes.

    `partitions` is the partition count of `signals`; another count on the broker is refused at start. The session and
    heartbeat defaults suit Kafka; the embedded broker wants 2 s and 0.5 s (docs/runtime.md 13). Offsets are committed
    at most every `commit_interval`: what is read again after a crash is skipped downstream by its position.
    `gather_interval` is the least time from one batch to the next: a record of `signals` costs about 1 ms of CPU at
    every stage behind, so under load records are gathered; an event that comes alone waits for nothing.
    `tick_seconds`: a partition of `signals` to which nothing else was written for so long gets a bare statement of how
    far the inputs have come, after `idle_after_seconds` without an event every `idle_tick_seconds`; `None`: no
    statements, events bring their instants (a replay). `input_prefix`: the prefix of the input topics where it is not
    that of the other topics, as for a second pipeline over one input. `fetch_wait`: how long the broker holds an answer
    back while there is nothing new; the watermark of quiet inputs lags by it. `static_member`: the name of this
    worker in its consumer group, for one that a supervisor restarts at once; `None`: it joins and leaves like others.
    """

    brokers: str
    prefix: str = DEFAULT_PREFIX
    partitions: int = DEFAULT_PARTITIONS
    group: str = "monazite-intake"
    session_timeout: timedelta = timedelta(seconds=6)
    heartbeat_interval: timedelta = timedelta(seconds=1)
    rebalance_timeout: timedelta = timedelta(seconds=10)
    request_timeout: timedelta = timedelta(seconds=20)
    start_timeout: timedelta = timedelta(seconds=30)
    commit_interval: timedelta = timedelta(milliseconds=200)
    poll_timeout: timedelta = timedelta(milliseconds=200)
    gather_interval: timedelta = timedelta(milliseconds=10)
    fetch_wait: timedelta = timedelta(milliseconds=200)
    max_poll_records: int = 2_000
    max_ahead: timedelta = timedelta(seconds=5)
    max_letter_bytes: int = 900_000
    input_prefix: str | None = None
    static_member: str | None = None
    tick_seconds: float | None = None
    idle_tick_seconds: float = 5.0
    idle_after_seconds: float = 60.0
    dead_letter_policy: DeadLetterPolicy = field(default_factory=DeadLetterPolicy)

    def inputs(self) -> tuple[str, ...]:
        """Return the full names of the topics that intake reads."""
        return tuple(topic_name(topic, prefix=self.input_prefix or self.prefix) for topic in INPUTS)
