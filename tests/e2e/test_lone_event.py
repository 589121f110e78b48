"""What fires last before a silence is told at once, and a silence costs one statement of time, not one a look."""

import time
from collections.abc import Callable
from contextlib import closing

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.codec import decode_event
from streams.contracts.records import decode_linked, decode_signal
from streams.contracts.topics import ALERTS, PRICE, SIGNALS, partition_of, topic_name
from tests.support.brokers import KafkaCluster
from tests.support.prices import rise
from tests.support.provisioning import provision
from tests.support.road import Road
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.e2e]

TICK_SECONDS = 600.0
MATERIAL = "dysprosium"
PARTITION = partition_of(MATERIAL, partitions=4)


def test_the_last_event_before_a_silence_is_told_at_once_and_time_is_stated_once_behind_it(
    kafka: KafkaCluster, fresh_prefix: Callable[[], str]
) -> None:
    """Nobody waits for an alert because nothing else happens; timers and composites wait for one statement."""
    prefix = fresh_prefix()
    provision(kafka, prefix=prefix)
    with Road(kafka.bootstrap, prefix, tick_seconds=TICK_SECONDS) as road:
        road.start_all()
        with closing(KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=None)) as reader:
            alerts = TopicPartition(topic_name(ALERTS, prefix=prefix), PARTITION)
            signals = TopicPartition(topic_name(SIGNALS, prefix=prefix), PARTITION)
            reader.assign([alerts])
            reader.seek_to_beginning(alerts)
            with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")) as producer:
                for value in rise(MATERIAL, prefix="lone"):
                    producer.send(topic_name(PRICE, prefix=prefix), key=MATERIAL.encode(), value=value,
                                  partition=PARTITION)  # fmt: skip
                producer.flush()
            sent_at, fired = time.monotonic(), list[AlertChanged]()

            def told() -> bool:
                for records in reader.poll(timeout_ms=100).values():
                    for record in records:
                        changes = [decode_event(item).data for item in decode_linked(record.value).x]
                        fired.extend(c for c in changes
                                     if isinstance(c, AlertChanged) and c.to_state is AlertState.FIRING)  # fmt: skip
                return bool(fired)

            wait_until(told, timeout_seconds=20, what="the alert about the last event")
            print(f"told {time.monotonic() - sent_at:.3f} s after the last event was sent")
            assert "lone-30" in fired[0].causes
            told_at = fired[0].at.timestamp() * 1000
            reader.assign([signals])
            reader.seek_to_beginning(signals)
            stated: list[int] = []

            def passed() -> bool:
                for records in reader.poll(timeout_ms=100).values():
                    said = [decode_signal(record.value).w for record in records]
                    stated.extend(each.up_to for each in said if each is not None)
                return bool(stated) and stated[-1] >= told_at

            wait_until(passed, timeout_seconds=20, what="the statement that passes the last event")
            assert [up_to >= told_at for up_to in stated].count(True) == 1
            assert reader.poll(timeout_ms=2_000) == {}  # a long time: the next statement is due in ten minutes
