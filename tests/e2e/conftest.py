"""Servers shared by the tests of the whole road; each test uses a topic prefix of its own."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.support.brokers import EmbeddedBroker, KafkaCluster, RedisServer

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaCluster]:
    """One Apache Kafka for the whole session."""
    with KafkaCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedBroker]:
    """One embedded broker for the whole session."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """One Redis for the whole session."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def fresh_prefix() -> Callable[[], str]:
    """Give a topic prefix that nobody used before in this session."""
    return lambda: f"e{next(_numbers)}"
