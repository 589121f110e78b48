"""What an intake worker states of time, and when it states it alone. Pure."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec
from aiokafka import TopicPartition

from streams.contracts.records import SignalRecord, Statement


def statement_of(
    up_to: int, inputs: Sequence[TopicPartition], *, topics: Sequence[str], counts: Mapping[str, int]
) -> Statement:
    """Return the statement for some input partitions; `topics` are the inputs, `counts` their partition counts."""
    masks = dict.fromkeys(topics, 0)
    for place in inputs:
        masks[place.topic] |= 1 << place.partition
    return Statement(up_to, [f"{masks[topic]:x}" for topic in topics], [counts.get(topic, 0) for topic in topics])


def with_statement(records: Sequence[SignalRecord], statement: Statement, *, said_at: int) -> list[SignalRecord]:
    """Put a statement on every record of a batch: the whole on the last, on those before as far as they go."""
    stated = []
    for number, record in enumerate(records, 1):
        said = statement
        if number < len(records):
            up_to = min(statement.up_to, record.segments[-1].at - 1)
            said = Statement(up_to, statement.owned, statement.counts)
        stated.append(msgspec.structs.replace(record, w=said, s=said_at))
    return stated


class Cadence(StrEnum):
    """Why a partition gets a bare statement now, or gets none yet."""

    PASSED_EVENTS = "passed_events"
    DUE = "due"
    WAIT = "wait"


def decide_statement(
    *,
    since_written_seconds: float,
    since_event_seconds: float,
    last_event_at: int,
    stated_up_to: int,
    up_to: int,
    every_seconds: float,
    idle_every_seconds: float,
    idle_after_seconds: float,
) -> Cadence:
    """Say whether a partition of `signals` gets a bare statement that the inputs have come to `up_to`.

    At once when that passes the last event written to it (`last_event_at`), which what was stated with it
    (`stated_up_to`) did not: composites and timers wait for that. Else when nothing was written for the cadence.
    """
    if stated_up_to < last_event_at <= up_to:
        return Cadence.PASSED_EVENTS
    idle = since_event_seconds > idle_after_seconds
    return Cadence.DUE if since_written_seconds >= (idle_every_seconds if idle else every_seconds) else Cadence.WAIT
