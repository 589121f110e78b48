"""A signals log with a long idle time: statements of time are compacted away, events and what follows of them stay."""

from contextlib import closing
from datetime import UTC, datetime

import msgspec
import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from alerts.backtest.signals_backtest import backtest_signals, end_of
from alerts.rules.loader import shipped_rules
from deploy.cli.pipeline_logs import read_alert_changes, read_signals
from streams.contracts.codec import encode_event
from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance
from streams.contracts.records import WATERMARK_KEY, Segment, SignalRecord, Statement, encode
from streams.contracts.topics import INPUTS, SIGNALS, partition_of, topic_name
from tests.support.brokers import KafkaCluster
from tests.support.provisioning import provision
from tests.support.road import Road
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.integration]

PARTITIONS = 4
STATEMENTS = 3_000
"""Bare statements behind every event, in each partition."""
QUOTES = 31
STEP_MS = 5_000
T0 = 1_790_000_000_000
FULL = Statement(0, ["f", "f", "f", "1"], [4, 4, 4, 1])
COMPACTING = {
    "segment.ms": "1000", "min.compaction.lag.ms": "0", "max.compaction.lag.ms": "1000",
    "min.cleanable.dirty.ratio": "0.01",
}  # fmt: skip


def quote(number: int, *, at: int) -> bytes:
    """Give the observations of a series whose last one is two fifths higher: a shipped rule fires."""
    instant = datetime.fromtimestamp(at / 1000, UTC)
    data = PriceQuoted(
        material="dysprosium", form="oxide", basis="FOB China", assessor="test",
        amount=140.0 if number == QUOTES - 1 else 100.0, currency="USD", per_unit="kg",
        reference_period=f"2026-08-{number + 1:02}", provenance=Provenance(source="test", synthetic=True),
    )  # fmt: skip
    return encode_event(
        Event(id=f"q{number}", source="t", subject="dysprosium", occurred_at=instant, recorded_at=instant, data=data)
    )


class Writer:
    """Writes `signals` as intake does, a long time of it at once."""

    def __init__(self, producer: KafkaProducer, prefix: str) -> None:
        self._producer = producer
        self._topic = topic_name(SIGNALS, prefix=prefix)
        self._numbers = dict.fromkeys(range(PARTITIONS), 0)
        self.at = T0

    def _send(self, partition: int, record: SignalRecord, key: bytes) -> None:
        said = msgspec.structs.replace(FULL, up_to=self.at)
        whole = msgspec.structs.replace(record, w=said, s=self.at, i="life", q=self._numbers[partition])
        self._producer.send(self._topic, key=key, value=encode(whole), partition=partition)

    def idle(self, statements: int) -> None:
        """State time alone."""
        for _ in range(statements):
            self.at += STEP_MS
            for partition in range(PARTITIONS):
                self._send(partition, SignalRecord(), WATERMARK_KEY + b"life")

    def event(self, value: bytes, *, offset: int) -> None:
        """Write an event with its statement."""
        partition = partition_of("dysprosium", partitions=PARTITIONS)
        self._numbers[partition] += 1
        segment = Segment(
            topic=INPUTS[1], partition=0, offset=offset, indexes=[0], events=[msgspec.Raw(value)], at=self.at
        )
        self._send(partition, SignalRecord(segments=[segment]), b"life%d" % self._numbers[partition])


def test_compaction_takes_statements_only_and_a_worker_reads_on_across_the_gaps() -> None:
    """A year of idling must not stand between a command and its answer, nor cost an event."""
    prefix = "idle"
    with KafkaCluster(properties={"log.cleaner.backoff.ms": "200"}) as kafka:
        provision(kafka, prefix=prefix)
        with closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap)) as admin:
            topic = topic_name(SIGNALS, prefix=prefix)
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=COMPACTING)])
        with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", linger_ms=20)) as producer:
            writer = Writer(producer, prefix)
            for number in range(QUOTES):
                writer.idle(STATEMENTS // QUOTES)
                writer.event(quote(number, at=writer.at), offset=number)
            writer.idle(STATEMENTS)
            producer.flush()
            before = read_signals(kafka.bootstrap, prefix=prefix)
            until = end_of(before)
            assert until is not None
            truth = backtest_signals(before, until=until, rules=shipped_rules())
            assert truth

            def count() -> int:
                writer.idle(1)  # a segment is closed by what comes after its time
                producer.flush()
                return sum(map(len, read_signals(kafka.bootstrap, prefix=prefix).values()))

            written = sum(map(len, before.values()))
            wait_until(lambda: count() < written / 10, timeout_seconds=90, what="the cleaner", poll_seconds=1.0)
        after = read_signals(kafka.bootstrap, prefix=prefix)
        segments = [msgspec.json.decode(v, type=SignalRecord).segments for log in after.values() for _, v in log]
        assert sum(map(bool, segments)) == QUOTES
        assert backtest_signals(after, until=until, rules=shipped_rules()) == truth
        with Road(kafka.bootstrap, prefix) as road:
            for kind in ("scoring", "alerts"):
                road.wait_ready(road.start("work", kind))

            def told() -> list[str]:
                changes, _ = read_alert_changes(kafka.bootstrap, prefix=prefix)
                return [change.alert for change in changes if change.at <= until]

            wanted = [change.alert for change in sorted(truth, key=lambda change: (change.at, change.alert))]
            wait_until(lambda: told() == wanted, timeout_seconds=60, what="the alerts of the compacted log",
                       detail=lambda: str(told()))  # fmt: skip
