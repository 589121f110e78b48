"""The read view: the latest measures, assessments and open alerts in Redis, for people and pages.

The worker writes what its state says, after each checkpoint; Redis being away delays the view and nothing else. Only
newer positions replace older ones, so a stalled former owner cannot put old rows over new ones.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from streams.metrics.catalogue import ViewOutcome
from streams.view.view_layout import (
    DEFAULT_VIEW_PREFIX,
    HASHES,
    WRITE_SCRIPT,
    Position,
    ViewSlice,
    hash_key,
    position_key,
)

REDIS_TIMEOUT_SECONDS = 2.0
CHECK_SECONDS = 2.0
"""Rhythm at which an idle partition is written too: it shows that the worker lives, and heals an emptied Redis."""
GATHER_SECONDS = 0.1
"""Checkpoints within this time are written as one; a live page does not see the difference."""
_LONGEST_BACK_OFF_SECONDS = 5.0

SliceOf = Callable[[int], ViewSlice | None]
"""Gives what a partition shows now, `None` once it is no longer owned and ready; called in the event loop."""
Written = dict[str, dict[str, bytes]]

_log = structlog.get_logger(__name__)


class ReadViewWriter:
    """Writes the view of one stage's owned partitions; a `CheckpointObserver` of the runtime, plus the loop `run`.

    `lineage` names the log that positions count in (such as the cluster id): positions of another lineage are replaced
    whatever their number. `clock` gives the wall clock; `count` is told what became of each write.
    """

    def __init__(
        self,
        *,
        redis_url: str,
        stage: str,
        slice_of: SliceOf,
        clock: Callable[[], datetime],
        count: Callable[[ViewOutcome], None] = lambda _: None,
        prefix: str = DEFAULT_VIEW_PREFIX,
        lineage: str = "",
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        self._url = redis_url
        self._stage = stage
        self._slice_of = slice_of
        self._clock = clock
        self._count = count
        self._prefix = prefix
        self._lineage = lineage
        self._check_seconds = check_seconds
        self._owned: set[int] = set()
        self._dirty: set[int] = set()
        self._written: dict[int, tuple[int, Written]] = {}
        self._wake = asyncio.Event()

    def on_ready(self, stage: str, partition: int, state: Any) -> None:
        """Take note that a partition is ours and recovered."""
        if stage == self._stage:
            self._owned.add(partition)
            self._mark(partition)

    def on_checkpoint(self, stage: str, partition: int, progress: int, changed: Mapping[bytes, Any | None]) -> None:
        """Take note that a partition moved on."""
        if stage == self._stage:
            self._owned.add(partition)
            self._mark(partition)

    def on_dropped(self, stage: str, partition: int) -> None:
        """Forget a partition that is no longer ours."""
        if stage == self._stage:
            self._owned.discard(partition)
            self._dirty.discard(partition)
            self._written.pop(partition, None)

    def _mark(self, partition: int) -> None:
        self._dirty.add(partition)
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled. A Redis that is away is tried again with growing pauses, at most 5 s."""
        client = redis.asyncio.Redis.from_url(
            self._url,
            socket_timeout=REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),  # a retry inside the client would hide how long Redis is away
        )
        pause_seconds = GATHER_SECONDS
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._check_seconds)
                self._wake.clear()
                due, self._dirty = self._dirty | self._owned, set()
                try:
                    await self._write_all(client, due)
                    pause_seconds = GATHER_SECONDS
                except (RedisError, OSError, TimeoutError) as error:
                    _log.warning("read view not written", stage=self._stage, error=type(error).__name__)
                    self._count(ViewOutcome.FAILED)
                    self._dirty |= due & self._owned
                    pause_seconds = min(_LONGEST_BACK_OFF_SECONDS, pause_seconds * 2)
                await asyncio.sleep(pause_seconds)
        finally:
            await client.aclose()

    async def _write_all(self, client: redis.asyncio.Redis, partitions: set[int]) -> None:
        for partition in sorted(partitions):
            shown = self._slice_of(partition) if partition in self._owned else None
            if shown is None:
                continue
            self._count(await self._write(client, partition, shown))

    async def _write(self, client: redis.asyncio.Redis, partition: int, shown: ViewSlice) -> ViewOutcome:
        rows = shown.hashes()
        base = self._written.get(partition)
        outcome = ViewOutcome.WRITTEN
        answer = await self._evaluate(client, partition, shown, rows, base) if base is not None else "rebuild"
        if answer == "rebuild":
            outcome = ViewOutcome.REBUILT
            answer = await self._evaluate(client, partition, shown, rows, None)
        if answer == "older":
            self._written.pop(partition, None)
            return ViewOutcome.OLDER
        if partition in self._owned:
            self._written[partition] = (shown.position, rows)
        return outcome

    async def _evaluate(
        self,
        client: redis.asyncio.Redis,
        partition: int,
        shown: ViewSlice,
        rows: Written,
        base: tuple[int, Written] | None,
    ) -> str:
        place = {"stage": self._stage, "partition": partition}
        document = Position(
            stage=self._stage,
            partition=partition,
            position=shown.position,
            written_at=self._clock(),
            clock_at=shown.clock_at,
            lineage=self._lineage,
            rule_set=shown.rule_set,
        )
        keys = [position_key(self._prefix, stage=self._stage, partition=partition)]
        keys += [hash_key(self._prefix, name=name, stage=self._stage, partition=partition) for name in HASHES]
        arguments: list[bytes | str | int] = [
            "" if base is None else base[0],
            shown.position,
            msgspec.json.encode(document),
            self._lineage,
        ]
        for name in HASHES:
            arguments += _changes(rows[name], {} if base is None else base[1][name])
        answer = await client.eval(WRITE_SCRIPT, len(keys), *keys, *arguments)
        _log.debug("read view", answer=answer, **place)
        return answer.decode() if isinstance(answer, bytes) else str(answer)


def _changes(rows: dict[str, bytes], base: dict[str, bytes]) -> list[bytes | str | int]:
    """Return the script's arguments for one hash: counts, what to set, what to delete."""
    to_set = [(key, value) for key, value in rows.items() if base.get(key) != value]
    to_delete = [key for key in base if key not in rows]
    return [len(rows), len(to_set), len(to_delete), *(part for pair in to_set for part in pair), *to_delete]
