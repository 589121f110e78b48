"""`produce replay`: live through a recorded history again, with the alerts that living through it would have given.

An instant is published, seen admitted in `signals`, and only then time ticks on. Policy events go one at a time,
because the order in which two of them are admitted is part of the log; others of an instant go in batches.

What the topics hold already can be left out: so a replay that was interrupted goes on, and a stack that is live gets
what is new in a history, without the ticks of a replay.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as day_time
from pathlib import Path

from kafka import KafkaProducer

from producers.history import Instant, instants, read_history
from producers.log_watch import AdmissionWatch, DrainWatch, monotonic_clock
from producers.publisher import Publisher
from streams.contracts.events import Event, family_of
from streams.contracts.records import SignalRecord, encode
from streams.contracts.topics import BROADCAST_FAMILIES, DEFAULT_PARTITIONS, DEFAULT_PREFIX, SIGNALS, topic_name

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplaySettings:
    """What to replay, and how.

    `until` is the last day, replayed to its end (23:59:59 UTC). `batch_size` is 1 to 500 events a record.
    `days_per_second` `None` means as fast as the road goes. `wait_seconds` bounds each wait for the road. `held`: ids
    of events that the topics hold and that are not sent again. `states_time` False: the road states its own, live.
    """

    directory: Path
    until: date
    bootstrap: str
    prefix: str = DEFAULT_PREFIX
    partitions: int = DEFAULT_PARTITIONS
    batch_size: int = 500
    days_per_second: float | None = None
    wait_seconds: float = 60.0
    idempotent: bool = True
    held: Collection[str] = frozenset()
    states_time: bool = True

    @property
    def end(self) -> datetime:
        """The last instant."""
        return datetime.combine(self.until, day_time(23, 59, 59), UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayReport:
    """What a replay did; `seconds` is wall time."""

    events: int
    instants: int
    ticks: int
    first_at: datetime | None
    until: datetime
    seconds: float


class Replay:
    """One replay; use `replay`."""

    def __init__(self, settings: ReplaySettings, progress: Callable[[datetime], None]) -> None:
        self._settings = settings
        self._progress = progress
        common = {"prefix": settings.prefix, "partitions": settings.partitions}
        self._publisher = Publisher(settings.bootstrap, idempotent=settings.idempotent, **common)  # type: ignore[arg-type]
        self._ticker = KafkaProducer(bootstrap_servers=settings.bootstrap, acks="all", enable_idempotence=False)
        self._admitted = AdmissionWatch(
            settings.bootstrap,
            seconds=settings.wait_seconds,
            clock=monotonic_clock,
            **common,  # type: ignore[arg-type]
        )
        self._drained = DrainWatch(settings.bootstrap, clock=monotonic_clock, **common)  # type: ignore[arg-type]
        self.ticks = 0

    def run(self) -> ReplayReport:
        """Replay everything and wait until the alerts log has reached the end."""
        settings, began = self._settings, time.monotonic()
        events = read_history(settings.directory)
        now: datetime | None = None
        first: datetime | None = None
        event_count = instant_count = 0
        for instant in instants(events, until=settings.end):
            first = first or instant.at
            instant = without(instant, settings.held)  # noqa: PLW2901 - the same instant, less what was sent
            if now is not None and instant.events:
                self._tick(_days_between(now, instant.at))
                self._pace(instant.at - now)
            self._publish(instant)
            now, event_count, instant_count = instant.at, event_count + len(instant.events), instant_count + 1
            self._progress(instant.at)
        self._tick([*(_days_between(now, settings.end) if now is not None else ()), settings.end])
        if settings.states_time:
            self._drained.wait(settings.end, seconds=settings.wait_seconds, beat=lambda: None)
        self._progress(settings.end)
        return ReplayReport(
            events=event_count,
            instants=instant_count,
            ticks=self.ticks,
            first_at=first,
            until=settings.end,
            seconds=time.monotonic() - began,
        )

    def _publish(self, instant: Instant) -> None:
        rest: list[Event] = []
        for event in instant.events:
            if family_of(event.type) in BROADCAST_FAMILIES:
                self._admitted.wait([self._publisher.publish(event)])
            else:
                rest.append(event)
        size = self._settings.batch_size
        for start in range(0, len(rest), max(size, 1)):
            batch = rest[start : start + size]
            if size == 1:
                self._admitted.wait([self._publisher.publish(batch[0])])
            else:
                self._admitted.wait(self._publisher.publish_batch(batch))

    def _tick(self, ticks: list[datetime]) -> None:
        if not ticks or not self._settings.states_time:
            return
        value = encode(SignalRecord(ticks=ticks))
        topic = topic_name(SIGNALS, prefix=self._settings.prefix)
        key = f"ticks/{ticks[-1].isoformat()}".encode()  # every record of signals needs one: the log is compacted
        sent = [self._ticker.send(topic, key=key, value=value, partition=p) for p in range(self._settings.partitions)]
        for future in sent:
            future.get(self._settings.wait_seconds)
        self.ticks += len(ticks)

    def _pace(self, gap: timedelta) -> None:
        if self._settings.days_per_second is not None:
            time.sleep(gap / DAY / self._settings.days_per_second)

    def close(self) -> None:
        """Close every connection."""
        self._publisher.close()
        self._ticker.close()
        self._admitted.close()
        self._drained.close()


def without(instant: Instant, held: Collection[str]) -> Instant:
    """Return the instant less the events whose ids are held."""
    return replace(instant, events=tuple(event for event in instant.events if event.id not in held))


def _days_between(start: datetime, end: datetime) -> list[datetime]:
    """Return the midnights (UTC) after `start` and before `end`."""
    day = datetime.combine(start.date() + DAY, day_time(), UTC)
    days = []
    while day < end:
        days.append(day)
        day += DAY
    return days


def replay(settings: ReplaySettings, *, progress: Callable[[datetime], None] = lambda _: None) -> ReplayReport:
    """Replay a history through a running road.

    Raises `UnreadableHistoryError` for a bad file, `NotAdmittedError` when the road does not follow, and Kafka's
    errors when the broker does not. Running it twice changes nothing: events are known by source and id.
    """
    run = Replay(settings, progress)
    try:
        return run.run()
    finally:
        run.close()
