"""Reading the logs of a running road from outside: alert changes and the delivery ledger."""

from collections.abc import Iterator
from datetime import datetime

from kafka import KafkaConsumer, TopicPartition

from alerts.delivery.ledger import split_ledger_record
from streams.contracts.alert import AlertChanged, DeliveryChanged
from streams.contracts.codec import decode_event, split_record
from streams.contracts.dead_letters import DeadLetterRecord, decode_dead_letter
from streams.contracts.events import Event, Tick
from streams.contracts.reasons import DecodeError
from streams.contracts.records import NOWHERE, OutputPosition, decode_linked
from streams.contracts.topics import ALERTS, DEAD_LETTERS, DELIVERIES, DIRECTIVES, SIGNALS, topic_name

IDLE_POLLS = 15
"""Empty polls of 100 ms after which a log counts as read although its end was not met: what is there does not come."""


def _records(bootstrap: str, topic: str, *, partitions: int) -> Iterator[tuple[int, bytes]]:
    for partition, _, value in _numbered(bootstrap, topic, partitions=partitions):
        yield partition, value


def _numbered(bootstrap: str, topic: str, *, partitions: int) -> Iterator[tuple[int, int, bytes]]:
    """Read a topic as far as it went at the start: a living log has no end, statements of time come every second."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, isolation_level="read_committed"
    )
    try:
        tps = [TopicPartition(topic, p) for p in range(partitions)]
        consumer.assign(tps)
        consumer.seek_to_beginning(*tps)
        ends = consumer.end_offsets(tps)
        idle = 0
        is_last = False
        while not is_last and idle < IDLE_POLLS:
            # The embedded broker names the first record of the last batch as the end: the rest of it comes at once.
            is_last = all(consumer.position(tp) >= ends[tp] for tp in tps)
            batches = consumer.poll(timeout_ms=0 if is_last else 100, max_records=5000)
            idle = 0 if batches else idle + 1
            for tp, records in batches.items():
                for record in records:
                    yield tp.partition, record.offset, record.value
    finally:
        consumer.close()


def read_signals(bootstrap: str, *, prefix: str, partitions: int = 4) -> dict[int, list[tuple[int, bytes]]]:
    """Return the records of the signals log by partition, oldest first: offset and value."""
    found: dict[int, list[tuple[int, bytes]]] = {partition: [] for partition in range(partitions)}
    for partition, offset, value in _numbered(bootstrap, topic_name(SIGNALS, prefix=prefix), partitions=partitions):
        found[partition].append((offset, value))
    return found


def read_directives(bootstrap: str, *, prefix: str, partitions: int = 4) -> list[Event]:
    """Return the directives that were given, in the order of their partitions; one target is in one partition."""
    topic = topic_name(DIRECTIVES, prefix=prefix)
    found: list[Event] = []
    for _, value in _records(bootstrap, topic, partitions=partitions):
        for raw in split_record(value):
            try:
                found.append(decode_event(raw))
            except DecodeError:
                continue  # intake has sent it to the dead letters
    return found


def read_alert_changes(
    bootstrap: str, *, prefix: str, partitions: int = 4
) -> tuple[list[AlertChanged], datetime | None]:
    """Return the alert changes in order of their instants, and the last tick that every partition has forwarded."""
    seen: dict[int, OutputPosition] = {}
    ticks: dict[int, datetime] = {}
    alerts: list[AlertChanged] = []
    for partition, value in _records(bootstrap, topic_name(ALERTS, prefix=prefix), partitions=partitions):
        record = decode_linked(value)
        if record.place <= seen.get(partition, NOWHERE):
            continue
        seen[partition] = record.place
        for item in record.x:
            event = decode_event(item)
            if isinstance(event.data, AlertChanged):
                alerts.append(event.data)
            elif isinstance(event.data, Tick):
                ticks[partition] = event.occurred_at
    alerts.sort(key=lambda alert: (alert.at, alert.alert))
    return alerts, min(ticks.values()) if len(ticks) == partitions else None


def read_deliveries(bootstrap: str, *, prefix: str, partitions: int = 4) -> list[DeliveryChanged]:
    """Return the entries of the delivery ledger, repeats of one attempt once, in order of their instants."""
    entries: dict[tuple[str, str, int], DeliveryChanged] = {}
    for _, value in _records(bootstrap, topic_name(DELIVERIES, prefix=prefix), partitions=partitions):
        for entry in _delivery_entries(value):
            entries.setdefault((entry.delivery, entry.state, entry.attempt), entry)
    return sorted(entries.values(), key=lambda entry: (entry.at, entry.delivery, entry.attempt))


def _delivery_entries(value: bytes) -> Iterator[DeliveryChanged]:
    for item in split_ledger_record(value).entries:
        try:
            data = decode_event(item).data
        except DecodeError:
            continue
        if isinstance(data, DeliveryChanged):
            yield data


def read_dead_letters(bootstrap: str, *, prefix: str, partitions: int = 4) -> list[DeadLetterRecord]:
    """Return the dead letters in the order of their partitions."""
    topic = topic_name(DEAD_LETTERS, prefix=prefix)
    return [decode_dead_letter(value) for _, value in _records(bootstrap, topic, partitions=partitions)]
