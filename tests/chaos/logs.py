"""What stands on the logs of a pipeline, and how far it has come."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.consumer.fetcher import ConsumerRecord

from alerts.backtest.signals_backtest import SignalLog
from streams.contracts.alert import AlertChanged
from streams.contracts.codec import decode_event
from streams.contracts.topics import ALERTS, ASSESSMENTS, DEAD_LETTERS, SIGNALS, topic_name
from streams.runtime.admission import Admission, admit
from streams.runtime.marks import ProgressMetadata
from streams.runtime.stage import SourceKind

PARTITIONS = 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOPELESS = 20
"""Empty polls of half a second, one after the other, after which a log that should go on is a failure."""


def read_topic(bootstrap: str, topic: str, *, partitions: int = PARTITIONS) -> list[list[tuple[int, int, bytes]]]:
    """Return (offset, time stamp, value) of the records of a topic up to its end of now, by partition."""
    found: list[list[tuple[int, int, bytes]]] = [[] for _ in range(partitions)]
    with closing(_consumer(bootstrap)) as consumer:
        tps = [TopicPartition(topic, p) for p in range(partitions)]
        consumer.assign(tps)
        consumer.seek_to_beginning(*tps)
        for tp, records in poll_to_end(consumer, tps):
            found[tp.partition].extend((r.offset, r.timestamp, r.value) for r in records)
    return found


def poll_to_end(
    consumer: KafkaConsumer, tps: Sequence[TopicPartition]
) -> Iterator[tuple[TopicPartition, list[ConsumerRecord]]]:  # fmt: skip
    """Yield what stands between a consumer's positions and the ends of its partitions as they are at the call."""
    ends, empty = consumer.end_offsets(tps), 0
    while any(consumer.position(tp) < end for tp, end in ends.items()):
        polled = consumer.poll(timeout_ms=500, max_records=10_000)
        empty = 0 if polled else empty + 1
        if empty > _HOPELESS:
            raise TimeoutError(f"no records come before the ends {ends}")
        yield from polled.items()


def _consumer(bootstrap: str) -> KafkaConsumer:
    return KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, max_partition_fetch_bytes=8 << 20
    )


class SignalsTail:
    """The signals log of a pipeline as it grows, with the watermark that it states."""

    def __init__(self, bootstrap: str, *, prefix: str) -> None:
        self._tps = [TopicPartition(topic_name(SIGNALS, prefix=prefix), p) for p in range(PARTITIONS)]
        self._consumer = _consumer(bootstrap)
        self._consumer.assign(self._tps)
        self._consumer.seek_to_beginning(*self._tps)
        self.log: dict[int, list[tuple[int, bytes]]] = {p: [] for p in range(PARTITIONS)}
        self._marks = {p: ProgressMetadata() for p in range(PARTITIONS)}

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def read(self) -> None:
        """Take what is there now; what comes while it is read is for the next time, or this would not end."""
        for tp, records in poll_to_end(self._consumer, self._tps):
            for record in records:
                self._take(tp.partition, record.offset, record.value)

    def _take(self, partition: int, offset: int, value: bytes) -> None:
        self.log[partition].append((offset, value))
        result = admit(
            SourceKind.SIGNALS, value, offset=offset, recorded_at=_EPOCH, marks=self._marks[partition]
        )  # fmt: skip
        self._marks[partition] = result.marks

    def up_to(self) -> datetime:
        """Return the instant that every partition has reached."""
        return datetime.fromtimestamp(min(marks.clock.now for marks in self._marks.values()) / 1000, UTC)

    def stalled(self) -> set[str]:
        """Return the inputs that time goes on without, in any partition, such as `price.v1/3`."""
        return {each for marks in self._marks.values() for each in marks.clock.stalled}

    def until(self, ends: Sequence[int]) -> SignalLog:
        """Return the log up to offsets, by partition."""
        return {p: [each for each in records if each[0] < ends[p]] for p, records in self.log.items()}


def ends_of(bootstrap: str, topic: str) -> list[int]:
    """Return the end offsets of a topic, by partition."""
    with closing(_consumer(bootstrap)) as consumer:
        tps = [TopicPartition(topic, p) for p in range(PARTITIONS)]
        ends = consumer.end_offsets(tps)
        return [ends[tp] for tp in tps]


def committed(bootstrap: str, group: str, topic: str) -> list[int]:
    """Return the offsets that a group has committed, by partition; 0 where it has not."""
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        found = admin.list_group_offsets({group: [TopicPartition(topic, p) for p in range(PARTITIONS)]})[group]
    return [max(0, getattr(found.get(TopicPartition(topic, p)), "offset", 0)) for p in range(PARTITIONS)]


def reached(bootstrap: str, *, prefix: str, app: str, source: str, ends: Sequence[int]) -> bool:
    """Say whether a stage has worked off its source up to offsets."""
    done = committed(bootstrap, f"{prefix}-{app}", topic_name(source, prefix=prefix))
    return all(have >= end for have, end in zip(done, ends, strict=True))


def signals_done(bootstrap: str, *, prefix: str, ends: Sequence[int]) -> bool:
    """Say whether scoring has worked off the signals log up to offsets."""
    return reached(bootstrap, prefix=prefix, app="scoring", source=SIGNALS, ends=ends)


def assessments_done(bootstrap: str, *, prefix: str, ends: Sequence[int]) -> bool:
    """Say whether the rules have worked off the assessments log up to offsets."""
    return reached(bootstrap, prefix=prefix, app="alerts", source=ASSESSMENTS, ends=ends)


def read_alerts(bootstrap: str, *, prefix: str) -> list[AlertChanged]:
    """Return the alert changes of a pipeline as a reader takes them: repeats dropped by position; a hole fails."""
    found: list[AlertChanged] = []
    for partition, records in enumerate(read_topic(bootstrap, topic_name(ALERTS, prefix=prefix))):
        marks = ProgressMetadata()
        for offset, _, value in records:
            result = admit(SourceKind.LINKED, value, offset=offset, recorded_at=_EPOCH, marks=marks)
            assert result.decision is not Admission.HOLE, f"hole in the alerts of {prefix} {partition}: {result.detail}"
            marks = result.marks
            items = result.admitted.items if result.admitted is not None else ()
            found.extend(data for item in items if isinstance(data := decode_event(item).data, AlertChanged))
    return found


def dead_letter_count(bootstrap: str, *, prefix: str) -> int:
    """Return how many dead letters a pipeline wrote."""
    return sum(ends_of(bootstrap, topic_name(DEAD_LETTERS, prefix=prefix)))
