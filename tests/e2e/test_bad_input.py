"""Promise 3: nothing bad stops the road. Each malformed kind ends in the dead letters; all else goes through."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from streams.contracts.codec import encode_event
from streams.contracts.dead_letters import DeadLetterRecord, decode_dead_letter
from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance
from streams.contracts.reasons import RejectReason
from streams.contracts.records import decode_signal
from streams.contracts.topics import CAPACITY, DEAD_LETTERS, POLICY, PRICE, SIGNALS, topic_name
from tests.support.brokers import KafkaCluster
from tests.support.provisioning import provision
from tests.support.road import Road
from tests.support.waiting import wait_until

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
PREFIX = "bad"
pytestmark = [pytest.mark.integration, pytest.mark.e2e]


def good_price(number: int) -> bytes:
    """Return a valid price event."""
    data = PriceQuoted(
        material="dysprosium", form="oxide", basis="FOB China", assessor="test", amount=200.0 + number, currency="USD",
        per_unit="kg", reference_period=f"2026-01-{number + 1:02d}",
        provenance=Provenance(source="test", synthetic=True),
    )  # fmt: skip
    event = Event(id=f"good-{number}", source="test", subject="dysprosium", occurred_at=T0, recorded_at=T0, data=data)
    return encode_event(event)


def price(**changes: Any) -> bytes:
    """Return a price event with changed data fields; `None` removes a field."""
    document = json.loads(good_price(0))
    document["id"] = f"bad-{sorted(changes)}"
    for name, value in changes.items():
        if value is None:
            del document["data"][name]
        else:
            document["data"][name] = value
    return json.dumps(document).encode()


def policy(kind: str, **data: Any) -> bytes:
    """Return a policy event with the given data."""
    subject = data.get("measure") or data["claim"]
    document = {
        "specversion": "1.0", "id": f"bad-{subject}", "source": "test", "type": f"org.monazite.policy.{kind}.v1",
        "subject": subject, "time": "2026-03-01T12:00:00Z", "recordedtime": "2026-03-01T12:00:00Z",
        "data": {"zone": "Asia/Shanghai", "provenance": {"source": "test"}, **data},
    }  # fmt: skip
    return json.dumps(document).encode()


BAD: dict[str, tuple[str, bytes | None, RejectReason]] = {
    "not JSON": (PRICE, b"{this is no JSON", RejectReason.NOT_JSON),
    "a wrong type": (PRICE, price(amount="two hundred"), RejectReason.WRONG_TYPE),
    "a missing field": (PRICE, price(assessor=None), RejectReason.MISSING_FIELD),
    "NaN": (PRICE, good_price(0).replace(b"200.0", b"NaN"), RejectReason.NOT_JSON),
    "an unknown material": (PRICE, good_price(0).replace(b"dysprosium", b"unobtainium"), RejectReason.UNKNOWN_MATERIAL),
    "a tombstone": (CAPACITY, None, RejectReason.TOMBSTONE),
    "two megabytes": (PRICE, b'{"x":"' + b"x" * 2_000_000 + b'"}', RejectReason.TOO_LARGE),
    "a wrong date order": (
        POLICY,
        policy("measure-changed", measure="X-1", action="suspend", instrument="X", issuer="X",
               effective_at="2026-02-01", ends_at="2026-01-01"),
        RejectReason.DATE_ORDER,
    ),
    "a claim with the force of law": (
        POLICY,
        policy("claim-made", claim="X-2", speaker="X", legal_force="instrument"),
        RejectReason.LEGAL_FORCE,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def refused(kafka: KafkaCluster) -> Iterator[dict[str, DeadLetterRecord | int]]:
    """Send good events with the bad among them; return the letters by name, and how many good ones were admitted."""
    provision(kafka, prefix=PREFIX)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", max_request_size=4 * 1024 * 1024)
    with Road(kafka.bootstrap, PREFIX) as road:
        road.start_all()
        places = {}
        for number, (name, (topic, value, _)) in enumerate(BAD.items()):
            producer.send(topic_name(PRICE, prefix=PREFIX), value=good_price(number), partition=0).get(10)
            sent = producer.send(topic_name(topic, prefix=PREFIX), key=b"k", value=value, partition=1).get(10)
            places[sent.topic, sent.partition, sent.offset] = name
        producer.send(topic_name(PRICE, prefix=PREFIX), value=good_price(len(BAD)), partition=0).get(10)
        producer.close()
        letters = read(kafka, DEAD_LETTERS, lambda found: len(found) >= len(BAD))
        found: dict[str, DeadLetterRecord | int] = {}
        for value in letters:
            letter = decode_dead_letter(value)
            found[places[letter.topic, letter.partition, letter.offset]] = letter
        admitted = read(kafka, SIGNALS, lambda found: good(found) >= len(BAD) + 1)
        found["admitted"] = good(admitted)
        assert all(worker.process.poll() is None for worker in road.workers)
    yield found


def good(values: list[bytes]) -> int:
    """Count the admitted events."""
    return sum(len(segment.events) for value in values for segment in decode_signal(value).segments)


def read(kafka: KafkaCluster, topic: str, enough: Callable[[list[bytes]], bool]) -> list[bytes]:
    """Read a topic from its start until there is enough."""
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=None, max_partition_fetch_bytes=8_000_000)
    tps = [TopicPartition(topic_name(topic, prefix=PREFIX), p) for p in range(4)]
    consumer.assign(tps)
    consumer.seek_to_beginning(*tps)
    values: list[bytes] = []

    def filled() -> bool:
        for records in consumer.poll(timeout_ms=200).values():
            values.extend(record.value for record in records)
        return enough(values)

    try:
        wait_until(filled, timeout_seconds=40, what=f"enough records in {topic}")
    finally:
        consumer.close()
    return values


@pytest.mark.parametrize("name", BAD)
def test_what_is_malformed_ends_in_the_dead_letters_with_its_reason(
    refused: dict[str, DeadLetterRecord | int], name: str
) -> None:
    """The sender must be able to find what was wrong, and where."""
    letter = refused[name]
    assert isinstance(letter, DeadLetterRecord)
    assert letter.reason == BAD[name][2].value
    assert letter.detail
    assert letter.stage == "intake"


def test_everything_good_among_the_bad_was_admitted(refused: dict[str, DeadLetterRecord | int]) -> None:
    """Nothing else is lost, and the road goes on."""
    assert refused["admitted"] == len(BAD) + 1
