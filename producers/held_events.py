"""Which events of a source the input topics hold. The broker is asked and nothing else: what it has was sent.

A reader of a long log need not read it each time: when all events of a history are there, that is noted on the broker,
as the committed offsets of a group of its own with the digest of the history beside them.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from hashlib import sha256

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.structs import OffsetAndMetadata

from streams.contracts.codec import split_record
from streams.contracts.events import Event
from streams.contracts.reasons import DecodeError
from streams.contracts.records import SignalRecord, decode_signal
from streams.contracts.topics import CAPACITY, POLICY, PRICE, SIGNALS, topic_name
from streams.runtime.clock import monotonic_seconds

HISTORY_TOPICS = (POLICY, PRICE, CAPACITY)
GROUP = "monazite-history"
STALLED_SECONDS = 30.0


class UnreadableTopicError(RuntimeError):
    """An input topic could not be read to its end; the message says which."""


class _Identity(msgspec.Struct, frozen=True):
    id: str
    source: str


_decode_identity = msgspec.json.Decoder(_Identity).decode


def held_ids(bootstrap: str, *, prefix: str, source: str) -> frozenset[str]:
    """Return the ids of the events of `source` that the input topics hold.

    What cannot be decoded is passed over: it is no event of ours. Raises `UnreadableTopicError` when the broker stops
    answering.
    """
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)) as asking:
        partitions = _input_partitions(asking, prefix)
    tps = [TopicPartition(tp.topic, tp.partition) for tp in partitions]
    return asyncio.run(_held_ids(bootstrap, tps, source=source)) if tps else frozenset()


async def _held_ids(bootstrap: str, tps: Sequence[TopicPartition], *, source: str) -> frozenset[str]:
    # Not kafka-python: it reads no record that somebody compressed with snappy, lz4 or zstd.
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 * 1024 * 1024,
    )
    await consumer.start()
    try:
        found: set[str] = set()
        for tp in tps:
            found.update(await _ids_in(consumer, tp, source=source))
        return frozenset(found)
    finally:
        await consumer.stop()


async def _ids_in(consumer: AIOKafkaConsumer, tp: TopicPartition, *, source: str) -> set[str]:
    """Read one partition to the end that it has now."""
    consumer.assign([tp])
    end = (await consumer.end_offsets([tp]))[tp]
    consumer.seek(tp, (await consumer.beginning_offsets([tp]))[tp])
    found: set[str] = set()
    moved_at, last = monotonic_seconds(), -1
    while (position := await consumer.position(tp)) < end:
        try:
            records = (await consumer.getmany(tp, timeout_ms=500)).get(tp, ())
        except KafkaError:  # a batch that nobody can decode; intake passes it over too
            consumer.seek(tp, position + 1)
            continue
        for record in records:
            found.update(ids_of(record.value, record.headers, source=source))
        now = monotonic_seconds()
        if position > last:
            moved_at, last = now, position
        elif now - moved_at > STALLED_SECONDS:
            raise UnreadableTopicError(
                f"{tp.topic} partition {tp.partition} gave nothing from offset {position} (end {end}) for "
                f"{STALLED_SECONDS:g} s: is the broker up (`monazite stack status`)?"
            )
    return found


def ids_of(value: bytes | None, headers: Sequence[tuple[str, bytes]] = (), *, source: str) -> Iterator[str]:
    """Return the ids of a record's events that are of `source`; none for a record that holds no events."""
    try:
        raws = split_record(value, headers)
    except DecodeError:
        return
    for raw in raws:
        try:
            identity = _decode_identity(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        if identity.source == source:
            yield identity.id


def digest_of_history(events: Iterable[Event]) -> str:
    """Return a digest of the identities of a history."""
    names = sorted(f"{event.source}\0{event.id}" for event in events)
    return sha256("\n".join(names).encode()).hexdigest()[:32]


def is_noted_complete(bootstrap: str, *, prefix: str, digest: str) -> bool:
    """Say whether it is noted on the broker, for every input partition, that all of this history was sent."""
    with closing(_group_member(bootstrap)) as consumer:
        partitions = _input_partitions(consumer, prefix)
        noted = [consumer.committed(tp, metadata=True) for tp in partitions]
        return bool(partitions) and all(mark is not None and mark.metadata == digest for mark in noted)


def note_complete(bootstrap: str, *, prefix: str, digest: str) -> None:
    """Note that all of this history was sent. A topic that is deleted takes its note with it."""
    with closing(_group_member(bootstrap)) as consumer:
        consumer.commit({tp: OffsetAndMetadata(0, digest, -1) for tp in _input_partitions(consumer, prefix)})


def _group_member(bootstrap: str) -> KafkaConsumer:
    return KafkaConsumer(bootstrap_servers=bootstrap, group_id=GROUP, enable_auto_commit=False)


def _input_partitions(consumer: KafkaConsumer, prefix: str) -> list[KafkaPartition]:
    found = [tp for topic in HISTORY_TOPICS for tp in _partitions_of(consumer, topic_name(topic, prefix=prefix))]
    consumer.assign(found)
    return found


def _partitions_of(consumer: KafkaConsumer, topic: str) -> list[KafkaPartition]:
    """Return the partitions of a topic, none where it was never made: an embedded broker that is asked makes it."""
    if topic not in consumer.topics():
        return []
    partitions = consumer.partitions_for_topic(topic)
    if not partitions:
        raise UnreadableTopicError(f"the broker names no partitions of {topic}: is it up (`monazite stack status`)?")
    return [KafkaPartition(topic, partition) for partition in sorted(partitions)]


def signals_time(bootstrap: str, *, prefix: str) -> tuple[bool, datetime | None]:
    """Return how time is stated at the end of the signals log: whether intake states it live, and else the replayed.

    The replayed instant is the least of the partitions' last ticks, `None` where one does not end with a tick.
    """
    last = _last_signals(bootstrap, topic_name(SIGNALS, prefix=prefix))
    if any(record.w is not None for record in last):
        return True, None
    ticks = [max(record.ticks, default=None) for record in last]
    known = [at for at in ticks if at is not None]
    return False, min(known) if known and len(known) == len(ticks) else None


def _last_signals(bootstrap: str, topic: str) -> list[SignalRecord]:
    """Return the last record of each partition that has any."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)) as consumer:
        tps = _partitions_of(consumer, topic)
        if not tps:
            return []
        consumer.assign(tps)
        ends = consumer.end_offsets(tps)
        awaited = {tp for tp in tps if ends[tp] > 0}
        for tp in tps:
            consumer.seek(tp, max(ends[tp] - 1, 0))
        found: list[SignalRecord] = []
        deadline = monotonic_seconds() + STALLED_SECONDS
        while awaited:
            for tp, records in consumer.poll(timeout_ms=200).items():
                if tp in awaited and records:
                    awaited.discard(tp)
                    found.append(decode_signal(records[0].value))
            if monotonic_seconds() > deadline:
                raise UnreadableTopicError(f"{topic} could not be read: is the broker up (`monazite stack status`)?")
        return found


def wait_admitted(bootstrap: str, *, prefix: str, seconds: float) -> None:
    """Wait until intake has admitted all that the input topics hold now; raises `UnreadableTopicError`."""
    deadline = monotonic_seconds() + seconds
    group = f"{prefix}-intake"
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)) as consumer:
        tps = _input_partitions(consumer, prefix)
        ends = consumer.end_offsets(tps)
        while behind := [tp for tp in tps if (consumer.committed(tp) or 0) < ends[tp]]:
            if monotonic_seconds() > deadline:
                first = behind[0]
                raise UnreadableTopicError(
                    f"intake has not read {first.topic} partition {first.partition} to offset {ends[first]} within "
                    f"{seconds:g} s: see `monazite stack status` and its log"
                )
            time.sleep(0.2)
