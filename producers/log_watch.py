"""Watching the road from outside: what intake admitted, and how far time has been forwarded."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

from kafka import KafkaConsumer, TopicPartition

from producers.publisher import Published
from streams.contracts.codec import decode_event
from streams.contracts.events import Tick
from streams.contracts.records import decode_linked, decode_signal
from streams.contracts.topics import ALERTS, DIRECTIVES, POLICY, SIGNALS, topic_name


class NotAdmittedError(RuntimeError):
    """The road did not do in time what a replay waits for."""


class MonotonicClock(Protocol):
    """Seconds that never go back."""

    def __call__(self) -> float:
        """Return the seconds now."""


class LogWatch:
    """Tails one topic in all partitions, from its end at the moment of construction."""

    def __init__(self, bootstrap: str, topic: str, *, partitions: int) -> None:
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=None,
            enable_auto_commit=False,
            max_partition_fetch_bytes=8 * 1024 * 1024,
            fetch_max_wait_ms=100,
        )
        tps = [TopicPartition(topic, p) for p in range(partitions)]
        self._consumer.assign(tps)
        self._consumer.seek_to_end(*tps)
        for tp in tps:
            self._consumer.position(tp)

    def poll(self) -> Iterable[tuple[int, bytes]]:
        """Return `(partition, value)` of what came since the last call; waits up to 20 ms."""
        batches = self._consumer.poll(timeout_ms=20, max_records=5000)
        return [(tp.partition, record.value) for tp, records in batches.items() for record in records]

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()


class AdmissionWatch:
    """Waits until published records are admitted into `signals`: policy and directives in every partition."""

    def __init__(self, bootstrap: str, *, prefix: str, partitions: int, seconds: float, clock: MonotonicClock) -> None:
        self._watch = LogWatch(bootstrap, topic_name(SIGNALS, prefix=prefix), partitions=partitions)
        self._broadcast = {topic_name(POLICY, prefix=prefix), topic_name(DIRECTIVES, prefix=prefix)}
        self._partitions = partitions
        self._seconds = seconds
        self._clock = clock
        self._seen: dict[Published, set[int]] = {}

    def wait(self, published: Iterable[Published]) -> None:
        """Return when all are admitted; raises `NotAdmittedError` naming the first that is not."""
        waiting = set(published)
        deadline = self._clock() + self._seconds
        while waiting:
            for partition, value in self._watch.poll():
                for segment in decode_signal(value).segments:
                    origin = Published(topic=segment.topic, partition=segment.partition, offset=segment.offset)
                    self._seen.setdefault(origin, set()).add(partition)
            waiting = {p for p in waiting if not self._is_admitted(p)}
            if waiting and self._clock() > deadline:
                first = min(waiting)
                raise NotAdmittedError(
                    f"{first.topic} partition {first.partition} offset {first.offset} was not admitted within "
                    f"{self._seconds:g} s: is intake running (`monazite stack status`)? was the event refused "
                    "(`monazite dead-letters list`)?"
                )
        self._seen.clear()

    def _is_admitted(self, published: Published) -> bool:
        seen = self._seen.get(published, set())
        return len(seen) == self._partitions if published.topic in self._broadcast else bool(seen)

    def close(self) -> None:
        """Close the consumer."""
        self._watch.close()


class DrainWatch:
    """Waits until a tick has gone down the whole road: forwarded on the alerts log of every partition."""

    def __init__(self, bootstrap: str, *, prefix: str, partitions: int, clock: MonotonicClock) -> None:
        self._watch = LogWatch(bootstrap, topic_name(ALERTS, prefix=prefix), partitions=partitions)
        self._reached: dict[int, datetime] = {}
        self._partitions = partitions
        self._clock = clock

    def wait(self, at: datetime, *, seconds: float, beat: Callable[[], None]) -> None:
        """Return when every partition has forwarded a tick of at least `at`; raises `NotAdmittedError`."""
        deadline = self._clock() + seconds
        while any(self._reached.get(p, at.min.replace(tzinfo=at.tzinfo)) < at for p in range(self._partitions)):
            for partition, value in self._watch.poll():
                for item in decode_linked(value).x:
                    event = decode_event(item)
                    if isinstance(event.data, Tick):
                        self._reached[partition] = event.occurred_at
            beat()
            if self._clock() > deadline:
                raise NotAdmittedError(
                    f"the alerts log has not reached {at.isoformat()} within {seconds:g} s (reached: "
                    f"{ {p: t.isoformat() for p, t in sorted(self._reached.items())} }); see `monazite stack status`"
                )

    def close(self) -> None:
        """Close the consumer."""
        self._watch.close()


def monotonic_clock() -> float:
    """Return monotonic seconds."""
    return time.monotonic()
