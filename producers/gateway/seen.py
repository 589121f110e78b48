"""The window of seen identities: tells a sender that an event came before. A courtesy, not the guarantee.

The road itself drops repeats by (source, id). An identity is noted only after the broker has the event, so a failure
never turns a retry into a false duplicate; without Redis every event goes through and the road's check decides.
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import redis
import redis.asyncio
import structlog

Identity = tuple[str, str]
"""Source and id of an event."""


class SeenIdentities(Protocol):
    """Remembers identities for a while."""

    available: bool

    async def known(self, identities: Sequence[Identity]) -> list[bool]:
        """Say for each identity whether it was noted; all `False` where that cannot be known."""

    async def note(self, identities: Sequence[Identity]) -> None:
        """Remember identities; failing to is no error."""

    async def close(self) -> None:
        """Let go of connections."""


class InMemorySeen:
    """Remembers without end; for tests and for a gateway without Redis in a demonstration."""

    def __init__(self) -> None:
        self.available = True
        self._identities: set[Identity] = set()

    async def known(self, identities: Sequence[Identity]) -> list[bool]:
        """Say for each identity whether it was noted."""
        return [identity in self._identities for identity in identities]

    async def note(self, identities: Sequence[Identity]) -> None:
        """Remember identities."""
        self._identities.update(identities)

    async def close(self) -> None:
        """Do nothing."""


class NoWindow:
    """Remembers nothing: the road's own check decides."""

    available = False

    async def known(self, identities: Sequence[Identity]) -> list[bool]:
        """Say that none is known."""
        return [False] * len(identities)

    async def note(self, identities: Sequence[Identity]) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


class RedisSeen:
    """Remembers in Redis for `seen_for`; while Redis is gone it knows nothing, and says so once."""

    def __init__(self, url: str, *, prefix: str, seen_for: timedelta) -> None:
        self._client = redis.asyncio.Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5)
        self._prefix = prefix
        self._seconds = int(seen_for.total_seconds())
        self.available = True

    async def known(self, identities: Sequence[Identity]) -> list[bool]:
        """Say for each identity whether it was noted."""
        if not identities:
            return []
        try:
            values = await self._client.mget([self._key(identity) for identity in identities])
        except (redis.RedisError, OSError) as error:
            self._lost(error)
            return [False] * len(identities)
        self._found()
        return [value is not None for value in values]

    async def note(self, identities: Sequence[Identity]) -> None:
        """Remember identities."""
        if not identities:
            return
        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                for identity in identities:
                    pipeline.set(self._key(identity), b"1", nx=True, ex=self._seconds)
                await pipeline.execute()
        except (redis.RedisError, OSError) as error:
            self._lost(error)
            return
        self._found()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _key(self, identity: Identity) -> str:
        source, event_id = identity
        digest = hashlib.blake2b(f"{len(source)}:{source}{event_id}".encode(), digest_size=16).hexdigest()
        return f"{self._prefix}:seen:{digest}"

    def _lost(self, error: Exception) -> None:
        if self.available:
            structlog.get_logger().warning(
                "seen_window_lost", error=repr(error), meaning="repeats are dropped by the road itself until it is back"
            )
        self.available = False

    def _found(self) -> None:
        if not self.available:
            structlog.get_logger().info("seen_window_back")
        self.available = True
