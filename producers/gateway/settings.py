"""Settings of the gateway."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from streams.contracts.topics import DEFAULT_PARTITIONS, DEFAULT_PREFIX


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewaySettings:
    """Where the gateway listens and writes, and what it allows.

    `redis` `None` runs without the window of seen identities: repeats are then dropped further down the road only.
    `late_after`: an event whose `time` lies further back is accepted and answered as `late`. `max_ahead`: how far a
    `recordedtime` may lie ahead of our clock. `events_per_minute` counts for each key.
    """

    bootstrap: str
    key_file: Path
    redis: str | None = None
    prefix: str = DEFAULT_PREFIX
    partitions: int = DEFAULT_PARTITIONS
    host: str = "127.0.0.1"
    port: int = 8320
    max_body_bytes: int = 1024 * 1024
    events_per_minute: int = 600_000
    seen_for: timedelta = timedelta(hours=24)
    late_after: timedelta = timedelta(days=1)
    max_ahead: timedelta = timedelta(seconds=5)
    idempotent: bool = True
