"""The window of identities seen lately, in Redis; without Redis every event passes, and the in-stream check decides.

An identity is marked only after the broker has the event: marked before, a failure would turn the sender's retry into a
false duplicate, and the event would be lost.
"""

from collections.abc import Sequence
from hashlib import sha256

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

WINDOW_SECONDS = 24 * 3600
_TIMEOUT_SECONDS = 0.5
_log = structlog.get_logger(__name__)

Identity = tuple[str, str]
"""CloudEvents `source` and `id`."""


class SeenWindow:
    """Remembers identities for a day. `available` is false while Redis does not answer."""

    def __init__(self, url: str | None, *, prefix: str) -> None:
        self._prefix = prefix
        self._client = (
            redis.Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
            if url
            else None
        )
        self.available = self._client is not None

    def already(self, identities: Sequence[Identity]) -> list[bool]:
        """Tell which identities were marked; none where Redis is away."""
        if self._client is None or not identities:
            return [False] * len(identities)
        try:
            found: list[bytes | None] = self._client.mget([self._key(i) for i in identities])  # type: ignore[assignment]
        except (redis.RedisError, OSError) as error:
            self._away(error)
            return [False] * len(identities)
        self.available = True
        return [value is not None for value in found]

    def mark(self, identities: Sequence[Identity]) -> None:
        """Remember identities that the broker has."""
        if self._client is None or not identities:
            return
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for identity in identities:
                    pipeline.set(self._key(identity), b"1", ex=WINDOW_SECONDS)
                pipeline.execute()
        except (redis.RedisError, OSError) as error:
            self._away(error)

    def _away(self, error: Exception) -> None:
        if self.available:
            _log.warning("seen window away, duplicates are found in the stream", error=type(error).__name__)
        self.available = False

    def _key(self, identity: Identity) -> str:
        digest = sha256("\0".join(identity).encode()).hexdigest()
        return f"{self._prefix}:seen:{digest}"

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
