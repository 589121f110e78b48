"""Reading the view: one consistent look at all partitions, with the positions it reflects and how old it is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import MeasureAssessed, RiskAssessed
from streams.view.view_layout import DEFAULT_VIEW_PREFIX, Position, Row, hash_key, position_key

SCORING_STAGE = "assess"
ALERTS_STAGE = "rules"
"""Names of the stages that write the view."""
READ_TIMEOUT_SECONDS = 2.0

_T = TypeVar("_T", bound=Row)


class ViewUnavailableError(RuntimeError):
    """Redis does not answer, or holds what we cannot read. The road goes on; only this view is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewAge:
    """How far a look can be trusted.

    `positions` are those found, `missing` the (stage, partition) without one; `age_seconds` is the time since the
    oldest of them was written, `None` where none is there; `clock_at` the smallest partition clock, `None` if unknown.
    """

    positions: Sequence[Position]
    missing: Sequence[tuple[str, int]]
    age_seconds: float | None
    clock_at: datetime | None

    def is_stale(self, *, after_seconds: float) -> bool:
        """Tell whether anything is missing or older than `after_seconds`."""
        return bool(self.missing) or self.age_seconds is None or self.age_seconds > after_seconds


class ReadView:
    """The reader's side. `partitions` is their count; every method raises `ViewUnavailableError` without Redis."""

    def __init__(
        self,
        redis_url: str,
        *,
        partitions: int,
        clock: Callable[[], datetime],
        prefix: str = DEFAULT_VIEW_PREFIX,
        scoring_stage: str = SCORING_STAGE,
        alerts_stage: str = ALERTS_STAGE,
    ) -> None:
        self._client = redis.Redis.from_url(
            redis_url,
            socket_timeout=READ_TIMEOUT_SECONDS,
            socket_connect_timeout=READ_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._partitions = partitions
        self._prefix = prefix
        self._clock = clock
        self._scoring = scoring_stage
        self._alerts = alerts_stage

    def measures(self) -> tuple[list[MeasureAssessed], ViewAge]:
        """Return the latest state of every measure, sorted by id."""
        rows, age = self._read(self._scoring, "measures", MeasureAssessed)
        return sorted(rows, key=lambda m: m.measure), age

    def risks(self) -> tuple[list[RiskAssessed], ViewAge]:
        """Return the latest assessment of every entity, sorted by material and aspect."""
        rows, age = self._read(self._scoring, "risks", RiskAssessed)
        return sorted(rows, key=lambda r: (r.material, r.aspect, sorted(r.labels.items()))), age

    def open_alerts(self) -> tuple[list[AlertChanged], ViewAge]:
        """Return the last change of every open alert, the newest first."""
        rows, age = self._read(self._alerts, "alerts", AlertChanged)
        return sorted(rows, key=lambda a: (-a.at.timestamp(), a.fingerprint)), age

    def positions(self) -> ViewAge:
        """Return where both stages stand."""
        places = [(stage, p) for stage in (self._scoring, self._alerts) for p in range(self._partitions)]
        with _reading():
            pipe = self._client.pipeline(transaction=True)
            for stage, partition in places:
                pipe.hget(position_key(self._prefix, stage=stage, partition=partition), "document")
            return self._age(places, pipe.execute())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _read(self, stage: str, name: str, kind: type[_T]) -> tuple[list[_T], ViewAge]:
        places = [(stage, partition) for partition in range(self._partitions)]
        with _reading():
            pipe = self._client.pipeline(transaction=True)
            for _, partition in places:
                pipe.hget(position_key(self._prefix, stage=stage, partition=partition), "document")
                pipe.hvals(hash_key(self._prefix, stage=stage, partition=partition, name=name))
            found = pipe.execute()
            decode = msgspec.json.Decoder(kind).decode
            rows = [decode(raw) for values in found[1::2] for raw in values]
            return rows, self._age(places, found[0::2])

    def _age(self, places: Sequence[tuple[str, int]], documents: Iterable[bytes | None]) -> ViewAge:
        decode = msgspec.json.Decoder(Position).decode
        read = [(place, decode(raw) if raw else None) for place, raw in zip(places, documents, strict=True)]
        positions = [position for _, position in read if position is not None]
        clocks = [p.clock_at for p in positions if p.clock_at is not None]
        oldest = min((p.written_at for p in positions), default=None)
        return ViewAge(
            positions=positions,
            missing=[place for place, position in read if position is None],
            age_seconds=None if oldest is None else max(0.0, (self._clock() - oldest).total_seconds()),
            clock_at=min(clocks, default=None),
        )


class _reading:  # noqa: N801 - a context, used like a function
    """Turns what Redis and the decoder raise into the one error of this module."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        if isinstance(error, RedisError | OSError | TimeoutError):
            raise ViewUnavailableError(f"Redis does not answer ({type(error).__name__})") from error
        if isinstance(error, msgspec.MsgspecError):
            raise ViewUnavailableError(f"the view holds what this version cannot read: {error}") from error
