"""What a worker process of the road is told: where the broker and Redis are, and where it listens."""

from dataclasses import dataclass
from pathlib import Path

from streams.contracts.topics import DEFAULT_PARTITIONS, DEFAULT_PREFIX, topic_name
from streams.runtime.runtime_settings import EMBEDDED, KAFKA, RuntimeSettings, SessionTimes


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineSettings:
    """Settings shared by all workers.

    `redis_url` `None` writes no read view. `tick_seconds` `None` sends no live ticks (a replay sends its own).
    `data_directory` `None` keeps state in memory only; the embedded broker forgets everything at a stop, so there a
    local copy would be ahead of the log and is never used. `secrets_file` holds the signing secrets of webhooks.
    `static_member` names this worker in its consumer group for one that a supervisor restarts under the same name: its
    partitions wait for it, for as long as a session lasts.
    `identity_events`: how many events of a partition scoring knows again by source and id, in steps of 512: 12 bytes of
    changelog and some 90 of memory each. A backtest of the log uses the default.
    `input_prefix`: prefix of the input topics where intake reads those of another road (`None`: its own).
    """

    bootstrap: str
    metrics_port: int
    prefix: str = DEFAULT_PREFIX
    partitions: int = DEFAULT_PARTITIONS
    redis_url: str | None = None
    embedded: bool = False
    data_directory: Path | None = None
    tick_seconds: float | None = None
    static_member: str | None = None
    input_prefix: str | None = None
    identity_events: int = 131_072
    secrets_file: Path = Path(".monazite/secrets.json")

    def topic(self, topic: str) -> str:
        """Return the full name of a topic."""
        return topic_name(topic, prefix=self.prefix)

    @property
    def session(self) -> SessionTimes:
        """Group session times that suit the broker."""
        return EMBEDDED if self.embedded else KAFKA

    @property
    def view_prefix(self) -> str:
        """Prefix of the keys of the read view."""
        return self.prefix

    def runtime(self, app: str) -> RuntimeSettings:
        """Return the runtime settings of the app `<prefix>-<app>`."""
        return RuntimeSettings(
            app_id=f"{self.prefix}-{app}",
            bootstrap=self.bootstrap,
            partition_count=self.partitions,
            session=self.session,
            dead_letter_topic=self.topic("dead-letters.v1"),
            data_directory=None if self.embedded else self.data_directory,
            exact_end_offsets=not self.embedded,
            static_member=None if self.static_member is None else f"{self.prefix}-{self.static_member}",
        )
