"""What the topics hold, asked of a real Apache Kafka: in whatever form and codec it was sent."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaProducer

from producers.held_events import held_ids, is_noted_complete, note_complete, signals_time, wait_admitted
from producers.publisher import Publisher
from streams.contracts.codec import encode_event
from streams.contracts.records import SignalRecord, encode
from streams.contracts.topics import PRICE, SIGNALS, topic_name
from streams.reference import load_history
from streams.reference.editions import HISTORY_SOURCE
from tests.support.brokers import KafkaCluster
from tests.support.provisioning import provision

pytestmark = pytest.mark.integration
T0 = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaCluster]:
    with KafkaCluster() as cluster:
        yield cluster


def held(kafka: KafkaCluster, prefix: str) -> frozenset[str]:
    return held_ids(kafka.bootstrap, prefix=prefix, source=HISTORY_SOURCE)


def test_events_of_the_history_are_found_and_those_of_others_are_not(kafka: KafkaCluster) -> None:
    """An event that is not found would be sent twice; one taken for it would never be sent."""
    prefix = "found"
    assert held(kafka, prefix) == frozenset()
    provision(kafka, prefix=prefix)
    policy, prices = load_history("policy")[:3], load_history("price")[:4]
    with closing(Publisher(kafka.bootstrap, prefix=prefix)) as publisher:
        for event in policy:
            publisher.publish(event)
        publisher.publish_batch(prices)
        publisher.publish(msgspec.structs.replace(load_history("price")[5], source="somebody"))
    assert held(kafka, prefix) == {event.id for event in (*policy, *prices)}


def test_what_others_wrote_in_any_codec_or_badly_is_read_over(kafka: KafkaCluster) -> None:
    """Outside systems write to the same topics; none of it may keep a stack from starting."""
    prefix = "codecs"
    provision(kafka, prefix=prefix)
    event, topic = load_history("price")[0], topic_name(PRICE, prefix=prefix)

    async def write(codec: str) -> None:
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type=codec) as producer:
            await producer.send_and_wait(topic, encode_event(event) + b" " * 2_000, partition=1)

    for codec in ("gzip", "snappy", "lz4", "zstd"):
        asyncio.run(write(codec))
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap)) as producer:
        producer.send(topic, b"no event", partition=1).get(20)
        producer.send(topic, None, key=b"tombstone", partition=1).get(20)
        producer.send(topic, encode_event(load_history("price")[1]), partition=1).get(20)
    assert held(kafka, prefix) == {event.id, load_history("price")[1].id}


def test_a_history_is_noted_as_sent_until_another_one_is_shipped(kafka: KafkaCluster) -> None:
    """A long log is read once a version, not at each start."""
    prefix = "noted"
    assert not is_noted_complete(kafka.bootstrap, prefix=prefix, digest="a")  # no topics: nothing is complete
    provision(kafka, prefix=prefix)
    assert not is_noted_complete(kafka.bootstrap, prefix=prefix, digest="a")
    note_complete(kafka.bootstrap, prefix=prefix, digest="a")
    assert is_noted_complete(kafka.bootstrap, prefix=prefix, digest="a")
    assert not is_noted_complete(kafka.bootstrap, prefix=prefix, digest="b")
    assert not is_noted_complete(kafka.bootstrap, prefix="other", digest="a")


def test_the_signals_log_says_how_far_a_replay_came(kafka: KafkaCluster) -> None:
    """Ticks at the end of every partition, or the replay was interrupted."""
    prefix = "ticks"
    assert signals_time(kafka.bootstrap, prefix=prefix) == (False, None)
    provision(kafka, prefix=prefix)
    topic = topic_name(SIGNALS, prefix=prefix)
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap)) as producer:
        for partition in range(4):
            assert signals_time(kafka.bootstrap, prefix=prefix) == (False, T0 if partition else None)
            producer.send(topic, encode(SignalRecord(ticks=[T0])), partition=partition).get(20)
        producer.send(topic, encode(SignalRecord(segments=[])), partition=2).get(20)
    assert signals_time(kafka.bootstrap, prefix=prefix) == (False, None)


def test_nothing_is_waited_for_where_intake_has_read_everything(kafka: KafkaCluster) -> None:
    """Empty topics have been read to their end."""
    provision(kafka, prefix="idle")
    wait_admitted(kafka.bootstrap, prefix="idle", seconds=5)
