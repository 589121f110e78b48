"""The test servers themselves: a delay that is not there would prove nothing."""

import time
from contextlib import closing

import pytest
from kafka import KafkaProducer

from tests.support.brokers import EmbeddedBroker, KafkaCluster

pytestmark = pytest.mark.integration
LATENCY_SECONDS = 0.05


def send_seconds(bootstrap: str) -> float:
    """Return how long one acknowledged record takes on a warm connection."""
    with closing(KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=0)) as producer:
        producer.send("timed", b"warm", partition=0).get(20)
        started = time.monotonic()
        producer.send("timed", b"timed", partition=0).get(20)
        return time.monotonic() - started


def test_the_delay_is_on_every_call_and_can_be_taken_away() -> None:
    """The road must hold with 50 ms on each call; the calls must really have them."""
    with EmbeddedBroker(latency_seconds=LATENCY_SECONDS) as broker:
        broker.create_topics(["timed"])
        assert send_seconds(broker.bootstrap) >= LATENCY_SECONDS
        broker.set_latency(1.0)
        assert send_seconds(broker.bootstrap) >= 1.0
        broker.set_latency(0.0)
        assert send_seconds(broker.bootstrap) < 1.0


def test_a_killed_node_comes_back_with_what_it_held() -> None:
    """Tests kill brokers; what was acknowledged must be there again on the same address."""
    with KafkaCluster() as cluster:
        cluster.create_topics(["timed"])
        send_seconds(cluster.bootstrap)
        cluster.kill_node(1)
        cluster.start_node(1)
        assert send_seconds(cluster.bootstrap) < 20
        with closing(KafkaProducer(bootstrap_servers=cluster.bootstrap)) as producer:
            assert producer.send("timed", b"next", partition=0).get(20).offset == 4
