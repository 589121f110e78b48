"""The publisher on real brokers: where an event goes, and that it can be read there."""

from collections.abc import Iterator

import pytest
from kafka import KafkaConsumer, TopicPartition

from producers.publisher import NotPublishableError, Published, Publisher
from streams.contracts.codec import decode_event, split_record
from streams.contracts.events import PREFIX, Event, family_of
from streams.contracts.topics import FAMILY_TOPICS, partition_of, topic_name
from tests.support.brokers import EmbeddedBroker, KafkaCluster
from tests.support.examples import EXAMPLE_EVENTS
from tests.support.provisioning import provision
from tests.support.waiting import wait_for_value

pytestmark = pytest.mark.integration
INPUTS = [event for event in EXAMPLE_EVENTS if family_of(event.type) in FAMILY_TOPICS]


@pytest.fixture(scope="module", params=["kafka", "embedded"])
def broker(request: pytest.FixtureRequest) -> Iterator[KafkaCluster | EmbeddedBroker]:
    with KafkaCluster() if request.param == "kafka" else EmbeddedBroker() as started:
        provision(started, prefix="p")
        yield started


@pytest.fixture(scope="module")
def publisher(broker: KafkaCluster | EmbeddedBroker) -> Iterator[Publisher]:
    made = Publisher(broker.bootstrap, prefix="p", idempotent=isinstance(broker, KafkaCluster))
    yield made
    made.close()


def read(bootstrap: str, place: Published) -> list[Event]:
    """Read the events of one record back."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
    try:
        partition = TopicPartition(place.topic, place.partition)
        consumer.assign([partition])
        consumer.seek(partition, place.offset)
        records = wait_for_value(
            lambda: consumer.poll(timeout_ms=200).get(partition), timeout_seconds=20, what=str(place)
        )
        record = records[0]
        assert record.offset == place.offset
        return [decode_event(raw) for raw in split_record(record.value, record.headers)]
    finally:
        consumer.close()


@pytest.mark.parametrize("event", INPUTS, ids=lambda event: event.type.removeprefix(PREFIX))
def test_an_event_goes_to_the_topic_of_its_family_and_the_partition_of_its_subject(
    broker: KafkaCluster | EmbeddedBroker, publisher: Publisher, event: Event
) -> None:
    """The order of events of one measure or material is the order in which they were sent."""
    place = publisher.publish(event)
    assert place.topic == topic_name(FAMILY_TOPICS[family_of(event.type)], prefix="p")
    assert place.partition == partition_of(event.subject, partitions=4)
    assert read(broker.bootstrap, place) == [event]


def test_a_batch_is_a_record_for_each_topic_and_partition(
    broker: KafkaCluster | EmbeddedBroker, publisher: Publisher
) -> None:
    """One record costs as much as some hundred events in it."""
    places = publisher.publish_batch(INPUTS * 3)
    assert len({(place.topic, place.partition) for place in places}) == len(places) < len(INPUTS) * 3
    found = [event for place in places for event in read(broker.bootstrap, place)]
    assert sorted(event.type for event in found) == sorted(event.type for event in INPUTS * 3)


def test_what_the_road_itself_writes_cannot_be_published(publisher: Publisher) -> None:
    """A producer that could write ticks would move time."""
    with pytest.raises(NotPublishableError, match="written by the road itself"):
        publisher.publish(EXAMPLE_EVENTS[-1])


def test_a_broker_that_answers_makes_the_publisher_connected(publisher: Publisher) -> None:
    """Readiness of the gateway rests on it."""
    assert publisher.is_connected()
