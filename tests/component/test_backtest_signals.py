"""Backtest over a signals log: the shipped history spread over partitions gives the log that one partition gives."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import msgspec
import pytest

from alerts.backtest.pipeline import PipelineError
from alerts.backtest.run_backtest import backtest, in_order
from alerts.backtest.signals_backtest import backtest_signals, end_of, events_of
from alerts.rules.loader import shipped_rules
from producers.history import read_history
from streams.contracts.alert import AlertChanged
from streams.contracts.codec import encode_event
from streams.contracts.events import family_of
from streams.contracts.records import Segment, SignalRecord, encode
from streams.contracts.topics import BROADCAST_FAMILIES, partition_of

HISTORY = Path(__file__).resolve().parents[2] / "streams/reference/history"
UNTIL = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
PARTITIONS = 3


@cache
def log() -> dict[int, list[tuple[int, bytes]]]:
    """Write the history as intake does, every record twice, a tick a week between."""
    records: dict[int, list[bytes]] = defaultdict(list)
    tick = None
    for number, event in enumerate(sorted(read_history(HISTORY), key=in_order)):
        tick = tick or event.recorded_at
        while tick < event.recorded_at:
            for partition in range(PARTITIONS):
                records[partition].append(encode(SignalRecord(ticks=[tick])))
            tick += timedelta(days=7)
        broadcast = family_of(event.type) in BROADCAST_FAMILIES
        to = range(PARTITIONS) if broadcast else [partition_of(event.subject, partitions=PARTITIONS)]
        raw = msgspec.Raw(encode_event(event))
        segment = Segment(topic="in", partition=0, offset=number, indexes=[0], events=[raw])
        for partition in to:
            records[partition] += [encode(SignalRecord(segments=[segment]))] * 2
    return {partition: list(enumerate(of)) for partition, of in records.items()}


def expected(until: datetime) -> list[AlertChanged]:
    return list(backtest(read_history(HISTORY), until=until, rules=shipped_rules()))


def test_partitions_repeats_and_ticks_change_nothing() -> None:
    """Promise 1: what runs live can be asked again."""
    assert backtest_signals(log(), until=UNTIL, rules=shipped_rules()) == expected(UNTIL)


def test_a_log_can_be_cut_anywhere() -> None:
    """As known on a day: what came later is not known."""
    until = datetime(2025, 11, 8, 12, tzinfo=UTC)
    assert backtest_signals(log(), until=until, rules=shipped_rules()) == expected(until)


def test_the_end_of_a_log_is_what_every_partition_has_reached() -> None:
    """Beyond it a partition may still speak."""
    end = end_of(log())
    assert end is not None
    assert end < UNTIL
    assert end_of({**log(), 0: []}) is None


def test_the_events_of_a_log_come_once() -> None:
    """Policy stands in every partition, and every record stands twice."""
    assert len(events_of(log())) == len(read_history(HISTORY))


def test_what_is_no_record_is_an_error_with_its_offset() -> None:
    """A hole in the past must not look like quiet."""
    with pytest.raises(PipelineError, match="record 7"):
        backtest_signals({0: [(7, b"nonsense")]}, until=UNTIL, rules=shipped_rules())
