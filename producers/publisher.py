"""Publishes events to their topics: acknowledged by all replicas, idempotent, in order for one key."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError

from streams.contracts.codec import BATCH_TYPE, MAX_BATCH_EVENTS, MAX_RECORD_BYTES, STRUCTURED_TYPE, encode_event
from streams.contracts.dead_letters import DeadLetterRecord, encode_dead_letter
from streams.contracts.events import Event, family_of
from streams.contracts.topics import (
    DEAD_LETTERS,
    DEFAULT_PARTITIONS,
    DEFAULT_PREFIX,
    FAMILY_TOPICS,
    POLICY,
    partition_of,
    topic_name,
)

SEND_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Published:
    """Where a record went: full topic name, partition, offset."""

    topic: str
    partition: int
    offset: int


class NotPublishableError(ValueError):
    """An event of a family that has no input topic."""


class Publisher:
    """One producer for all input topics; thread-safe. Waits for the broker's answer before it returns."""

    def __init__(
        self,
        bootstrap: str,
        *,
        prefix: str = DEFAULT_PREFIX,
        partitions: int = DEFAULT_PARTITIONS,
        idempotent: bool = True,
    ) -> None:
        self._prefix = prefix
        self._partitions = partitions
        # The embedded broker knows no producer ids; there a retry may write twice, which the in-stream check absorbs.
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            enable_idempotence=idempotent,
            linger_ms=0,
            max_request_size=4 * 1024 * 1024,
            request_timeout_ms=int(SEND_SECONDS * 1000),
        )

    def publish(self, event: Event) -> Published:
        """Publish one event; raises `kafka.errors.KafkaError` when the broker does not take it in time."""
        value, headers = encode_event(event), [("content-type", STRUCTURED_TYPE.encode())]
        return self._send(self.topic_of(event), event.subject, value, headers)

    def publish_batch(self, events: Sequence[Event]) -> list[Published]:
        """Publish events as batch records, a record for each topic and partition (more where they grow too large).

        The order of events of one key is kept.
        """
        groups: dict[tuple[str, int], list[Event]] = {}
        for event in events:
            place = (self.topic_of(event), partition_of(event.subject, partitions=self._partitions))
            groups.setdefault(place, []).append(event)
        headers = [("content-type", BATCH_TYPE.encode())]
        published = []
        for (topic, _), group in groups.items():
            published += [self._send(topic, group[0].subject, value, headers) for value in _records(group)]
        return published

    def publish_dead_letter(self, letter: DeadLetterRecord) -> Published:
        """Keep something that was refused, with the reason; a value that is too large is cut."""
        if letter.value is not None and len(letter.value) > MAX_RECORD_BYTES:
            letter = msgspec.structs.replace(letter, value=letter.value[:MAX_RECORD_BYTES], cut_from=len(letter.value))
        topic = topic_name(DEAD_LETTERS, prefix=self._prefix)
        answer = self._producer.send(topic, value=encode_dead_letter(letter)).get(SEND_SECONDS)
        return Published(topic=answer.topic, partition=answer.partition, offset=answer.offset)

    def topic_of(self, event: Event) -> str:
        """Return the full name of the topic an event belongs to; raises `NotPublishableError` where there is none."""
        topic = FAMILY_TOPICS.get(family_of(event.type))
        if topic is None:
            raise NotPublishableError(f"{event.type} is written by the road itself, not by producers")
        return topic_name(topic, prefix=self._prefix)

    def _send(self, topic: str, key: str, value: bytes, headers: list[tuple[str, bytes]]) -> Published:
        partition = partition_of(key, partitions=self._partitions)
        sent = self._producer.send(topic, key=key.encode(), value=value, headers=headers, partition=partition)
        answer = sent.get(SEND_SECONDS)
        return Published(topic=answer.topic, partition=answer.partition, offset=answer.offset)

    def is_connected(self) -> bool:
        """Ask the broker for a topic's partitions; waits at most the metadata time-out of the client."""
        try:
            return bool(self._producer.partitions_for(topic_name(POLICY, prefix=self._prefix)))
        except KafkaError:
            return False

    def close(self) -> None:
        """Flush and close."""
        self._producer.close(timeout=SEND_SECONDS)


def _records(events: Iterable[Event]) -> Iterable[bytes]:
    batch: list[bytes] = []
    size = 2
    for event in events:
        value = encode_event(event)
        if batch and (len(batch) >= MAX_BATCH_EVENTS or size + len(value) + 1 > MAX_RECORD_BYTES):
            yield b"[" + b",".join(batch) + b"]"
            batch, size = [], 2
        batch.append(value)
        size += len(value) + 1
    if batch:
        yield b"[" + b",".join(batch) + b"]"
