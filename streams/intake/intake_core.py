"""What intake makes of one input record: segments for partitions of `signals`, and dead letters. Pure.

The answer depends on the record and on frozen rules only, so a record that is read twice (after a crash, or by two
workers for a moment) gives the same segments, and the assess agent can skip the second by position alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec

from streams.contracts.codec import decode_event, encode_event, split_record
from streams.contracts.events import TYPE_OF, Event, family_of
from streams.contracts.reasons import DecodeError, RejectReason
from streams.contracts.records import Segment
from streams.contracts.topics import BROADCAST_FAMILIES, FAMILY_TOPICS, partition_of, topic_name
from streams.runtime.stage_ports import DeadLetter

_FAMILY = MappingProxyType({payload: family_of(name) for payload, name in TYPE_OF.items()})


@dataclass(frozen=True, kw_only=True, slots=True)
class InputRecord:
    """One record of an input topic. `received_at` is the broker's time stamp, `None` where the record has none."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    received_at: datetime | None = None
    at_ms: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class AdmissionRules:
    """What admission depends on beside the record.

    `families` maps a full topic name to the family of events it may hold. `max_ahead` is how far the recorded time of
    an event of a replay may lie ahead of the broker's time stamp: there events are the time, and one record from a
    clock that is wrong would move it for good. Live, the broker's instant counts whatever an event says.
    """

    partitions: int
    families: Mapping[str, str]
    max_ahead: timedelta = timedelta(seconds=5)


def admission_rules(*, prefix: str, partitions: int, max_ahead: timedelta = timedelta(seconds=5)) -> AdmissionRules:
    """Return the rules for the input topics with a prefix."""
    families = {topic_name(topic, prefix=prefix): family for family, topic in FAMILY_TOPICS.items()}
    return AdmissionRules(partitions=partitions, families=families, max_ahead=max_ahead)


@dataclass(frozen=True, kw_only=True, slots=True)
class IntakeDecision:
    """What became of one record: at most one segment for each partition of `signals`, and what was refused.

    `last_event_at` is the newest recorded instant by CloudEvents source, for the freshness metric.
    """

    segments: Mapping[int, Segment] = field(default_factory=dict)
    dead_letters: Sequence[DeadLetter] = ()
    admitted_count: int = 0
    last_event_at: Mapping[str, datetime] = field(default_factory=dict)


def admit(record: InputRecord, *, rules: AdmissionRules) -> IntakeDecision:
    """Decode, validate and address every event of a record; never raises for what is in it."""
    try:
        raws = split_record(record.value, record.headers)
    except DecodeError as error:
        return IntakeDecision(dead_letters=(_letter(record, error, value=record.value, index=None),))
    is_batch = isinstance(raws, list)
    family = rules.families.get(record.topic)
    latest = None if record.received_at is None else record.received_at + rules.max_ahead
    is_broadcast = family in BROADCAST_FAMILIES
    everywhere = range(rules.partitions)
    shares: dict[int, tuple[list[int], list[msgspec.Raw]]] = {}
    letters: list[DeadLetter] = []
    newest: dict[str, datetime] = {}
    for index, raw in enumerate(raws):
        try:
            event = decode_event(raw, recorded_at=record.received_at)
            if _FAMILY[type(event.data)] != family:
                raise _wrong_topic(event, record)
            # The codec hands the broker's instant through as it is, so identity tells that the event brought none.
            if event.recorded_at is record.received_at:
                admitted = msgspec.Raw(encode_event(event))
            elif latest is not None and event.recorded_at > latest and not record.at_ms:
                raise _ahead(event, record, rules)
            else:
                admitted = raw if isinstance(raw, msgspec.Raw) else msgspec.Raw(raw)
        except DecodeError as error:
            original = bytes(raw) if is_batch else record.value
            letters.append(_letter(record, error, value=original, index=index if is_batch else None))
            continue
        targets = everywhere if is_broadcast else (partition_of(event.subject, partitions=rules.partitions),)
        for partition in targets:
            share = shares.get(partition)
            if share is None:
                share = shares[partition] = ([], [])
            share[0].append(index)
            share[1].append(admitted)
        known = newest.get(event.source)
        if known is None or event.recorded_at > known:
            newest[event.source] = event.recorded_at
    segments = {partition: _segment(record, *share) for partition, share in shares.items()}
    return IntakeDecision(
        segments=segments, dead_letters=letters, admitted_count=len(raws) - len(letters), last_event_at=newest
    )


def _segment(record: InputRecord, indexes: list[int], events: list[msgspec.Raw]) -> Segment:
    return Segment(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        indexes=indexes,
        events=events,
        at=record.at_ms,
    )


def _wrong_topic(event: Event, record: InputRecord) -> DecodeError:
    return DecodeError(
        reason=RejectReason.WRONG_TOPIC,
        field="/type",
        detail=f"an event of type {event.type} does not belong on {record.topic}",
    )


def _ahead(event: Event, record: InputRecord, rules: AdmissionRules) -> DecodeError:
    assert record.received_at is not None
    return DecodeError(
        reason=RejectReason.OUT_OF_RANGE,
        field="/recordedtime",
        detail=f"recorded at {event.recorded_at.isoformat()}, which is more than "
        f"{rules.max_ahead.total_seconds():g} s ahead of the broker's {record.received_at.isoformat()}; "
        "check the sender's clock",
    )


def _letter(record: InputRecord, error: DecodeError, *, value: bytes | None, index: int | None) -> DeadLetter:
    return DeadLetter(
        value=value,
        reason=error.reason.value,
        field=error.field,
        detail=error.detail,
        key=record.key,
        headers=record.headers,
        index=index,
    )
