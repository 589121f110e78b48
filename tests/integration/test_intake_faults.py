"""What others may write to an input topic and no reader may die of: codecs, transactions, damaged batches."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaProducer

from deploy.cli.pipeline_logs import read_directives
from streams.contracts.codec import encode_event
from streams.contracts.reasons import RejectReason
from streams.contracts.records import SignalRecord, Statement, encode
from streams.contracts.topics import DIRECTIVES, PRICE, SIGNALS, partition_of, topic_name
from streams.runtime.clock import utc_now
from tests.integration.test_intake import (
    Watched,
    intake,
    quote,
    send,
    settings_of,
    until,
)
from tests.support.brokers import KafkaCluster
from tests.support.examples import EXAMPLE_EVENTS
from tests.support.provisioning import provision
from tests.support.segments import (
    Damage,
    damage_batch,
    malformed_frame,
    truncated_records,
    unknown_codec,
    wrong_checksum,
    wrong_checksum_and_end,
)

pytestmark = pytest.mark.integration
CODECS = ("gzip", "snappy", "lz4", "zstd")
HOME = partition_of("dysprosium", partitions=4)


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaCluster]:
    with KafkaCluster() as started:
        yield started


@pytest.fixture
def prefix(broker: KafkaCluster, request: pytest.FixtureRequest) -> str:
    name = "f" + "".join(c for c in request.node.name if c.isalnum())[-60:]
    provision(broker, prefix=name)
    return name


@pytest.fixture
def watched(broker: KafkaCluster, prefix: str) -> Iterator[Watched]:
    logs = Watched(broker.bootstrap, prefix)
    yield logs
    logs.close()


@asynccontextmanager
async def aiokafka_producer(bootstrap: str, **options: object) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def send_compressed(bootstrap: str, topic: str, values: Sequence[bytes], codec: str) -> None:
    """Send with the other client library."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=codec, linger_ms=50)
    try:
        for sent in [producer.send(topic, key=b"k", value=value, partition=0) for value in values]:
            sent.get(30)
    finally:
        producer.close()


async def test_an_event_in_a_batch_of_any_codec_is_admitted(
    broker: KafkaCluster, prefix: str, watched: Watched
) -> None:
    """Whoever writes to the topic chooses the codec: intake died at the same offset for ever without it."""
    price = topic_name(PRICE, prefix=prefix)
    for number, codec in enumerate(CODECS):
        async with aiokafka_producer(broker.bootstrap, compression_type=codec) as producer:
            await producer.send_and_wait(price, encode_event(quote(number)), partition=0)
        values = [encode_event(quote(100 + number * 10 + n)) for n in range(3)]
        await asyncio.to_thread(send_compressed, broker.bootstrap, price, values, codec)
    async with intake(settings_of(broker, prefix)):
        await until(lambda: len(watched.admitted(HOME)) == 16, "an event of each codec and client")
    assert watched.refused() == []


@pytest.mark.parametrize("codec", CODECS)
def test_commands_read_what_was_written_with_any_codec(broker: KafkaCluster, prefix: str, codec: str) -> None:
    """Others may write directives too, and `rules apply` must not die of their codec."""
    (directive, *_) = [event for event in EXAMPLE_EVENTS if event.type.endswith("directive.given.v1")]
    send_compressed(broker.bootstrap, topic_name(DIRECTIVES, prefix=prefix), [encode_event(directive)] * 2, codec)
    assert [event.id for event in read_directives(broker.bootstrap, prefix=prefix)] == [directive.id] * 2


async def test_records_of_an_aborted_transaction_are_not_admitted(
    broker: KafkaCluster, prefix: str, watched: Watched
) -> None:
    """What was taken back was never said (read committed); what others sent meanwhile is admitted after the end."""
    price = topic_name(PRICE, prefix=prefix)
    async with (
        intake(settings_of(broker, prefix)) as stats,
        aiokafka_producer(broker.bootstrap, transactional_id=f"{prefix}-t") as producer,
    ):
        await until(lambda: stats.ready, "intake")
        with pytest.raises(ZeroDivisionError):
            async with producer.transaction():
                await producer.send_and_wait(price, encode_event(quote(1)), partition=0)
                raise ZeroDivisionError
        async with producer.transaction():
            await producer.send_and_wait(price, encode_event(quote(2)), partition=0)
        await until(lambda: watched.admitted(HOME) == ["q-2"], "what was committed")
        await producer.begin_transaction()
        await producer.send_and_wait(price, encode_event(quote(3)), partition=0)
        send(broker.bootstrap, price, [encode_event(quote(4))])
        send(broker.bootstrap, price, [encode_event(quote(5))], partition=1)
        await until(lambda: "q-5" in watched.admitted(HOME), "the other partition")
        assert "q-4" not in watched.admitted(HOME)
        await producer.abort_transaction()
        await until(lambda: "q-4" in watched.admitted(HOME), "what stood behind the open transaction")
    assert watched.admitted(HOME) == ["q-2", "q-5", "q-4"]


def stated(watched: Watched) -> int:
    """Return the last instant, in milliseconds, that the home partition was told to have come to."""
    return max((record.w.up_to for record in watched.records(HOME) if record.w is not None), default=0)


async def test_time_stands_before_an_open_transaction_and_passes_a_commit_marker(
    broker: KafkaCluster, prefix: str, watched: Watched
) -> None:
    """What is in it has append times of its own: time must not be past them when it is committed. A partition whose
    last record is a marker is at its end all the same."""
    price = topic_name(PRICE, prefix=prefix)
    async with (
        intake(settings_of(broker, prefix, tick_seconds=0.1, idle_tick_seconds=0.1)) as stats,
        aiokafka_producer(broker.bootstrap, transactional_id=f"{prefix}-t") as producer,
    ):
        await until(lambda: stats.ready and stated(watched) > 0, "time to be stated")
        await producer.begin_transaction()
        inside = await producer.send_and_wait(price, encode_event(quote(1)), partition=0)
        bare = len(watched.records(HOME))
        await until(lambda: len(watched.records(HOME)) > bare + 20, "two seconds of statements")
        assert stated(watched) < inside.timestamp
        await producer.commit_transaction()
        await until(lambda: watched.admitted(HOME) == ["q-1"], "the event")
        await until(lambda: stated(watched) > inside.timestamp + 3_000, "time to pass the marker")


async def test_time_goes_on_where_it_stood_after_a_restart_with_a_clock_that_was_set_back(
    broker: KafkaCluster, prefix: str, watched: Watched
) -> None:
    """The broker's clock lies an hour behind what was stated: nobody waits an hour for it."""
    last = int(utc_now().timestamp() * 1000) + 3_600_000
    said = SignalRecord(w=Statement(last, ["f", "f", "f", "1"], [4, 4, 4, 1]), s=last)
    async with aiokafka_producer(broker.bootstrap) as producer:
        await producer.send_and_wait(topic_name(SIGNALS, prefix=prefix), encode(said), key=b"w", partition=HOME)
    async with intake(settings_of(broker, prefix, tick_seconds=0.1, idle_tick_seconds=0.1)):
        await until(lambda: stated(watched) > last + 500, "time to go on")


DAMAGES: dict[str, tuple[str | None, Damage]] = {
    "a wrong checksum": (None, wrong_checksum),
    "a wrong checksum and a header of nonsense": (None, wrong_checksum_and_end),
    "an unknown codec": (None, unknown_codec),
    "a malformed gzip frame": ("gzip", malformed_frame),
    "a malformed snappy frame": ("snappy", malformed_frame),
    "a malformed lz4 frame": ("lz4", malformed_frame),
    "a malformed zstd frame": ("zstd", malformed_frame),
    "records cut off": (None, truncated_records),
    "a gzip frame cut off": ("gzip", truncated_records),
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_batch_that_cannot_be_decoded_is_skipped_with_its_offsets(
    broker: KafkaCluster, prefix: str, watched: Watched, name: str
) -> None:
    """aiokafka raises at the same offset for ever; everything before, behind and beside it must be admitted."""
    codec, how = DAMAGES[name]
    price = topic_name(PRICE, prefix=prefix)
    send(broker.bootstrap, price, [encode_event(quote(0))])
    async with aiokafka_producer(broker.bootstrap, compression_type=codec) as producer:
        batch = producer.create_batch()
        for number in range(1, 4):
            batch.append(key=None, value=encode_event(quote(number)), timestamp=None)
        await (await producer.send_batch(batch, price, partition=0))
    send(broker.bootstrap, price, [encode_event(quote(n)) for n in range(4, 24)])
    send(broker.bootstrap, price, [encode_event(quote(n)) for n in range(24, 34)], partition=1)
    last = damage_batch(broker.folder, topic=price, partition=0, offset=1, how=how)
    assert last == 3
    wanted = {"q-0", *(f"q-{n}" for n in range(4, 34))}
    first = 1
    if name == "records cut off":  # the first can be read, of the second all but its end, of the third nothing
        wanted.add("q-1")
        first = 3
    async with intake(settings_of(broker, prefix)) as stats:
        await until(lambda: set(watched.admitted(HOME)) == wanted, "everything else")
        await until(lambda: len(watched.refused()) == (2 if first == 3 else 1), "the dead letters")
    *others, letter = sorted(watched.refused(), key=lambda each: each.offset)
    assert [(other.reason, other.offset) for other in others] == [("not_json", 2)] * (first == 3)
    assert (letter.reason, letter.topic, letter.partition) == (RejectReason.UNREADABLE_BATCH, price, 0)
    assert (letter.offset, letter.last_offset) == (first, 3)
    assert stats.dead_letters[price, RejectReason.UNREADABLE_BATCH] == 1
    assert len(watched.admitted(HOME)) == len(wanted)


async def test_a_damaged_batch_at_the_end_is_committed_and_not_met_again(
    broker: KafkaCluster, prefix: str, watched: Watched
) -> None:
    """The next worker goes on behind it, and what comes later is read."""
    price = topic_name(PRICE, prefix=prefix)
    for number in range(3):
        send(broker.bootstrap, price, [encode_event(quote(number))])
    damage_batch(broker.folder, topic=price, partition=0, offset=2, how=wrong_checksum)
    async with intake(settings_of(broker, prefix)):
        await until(lambda: len(watched.refused()) == 1, "the dead letter")
    async with intake(settings_of(broker, prefix)) as stats:
        send(broker.bootstrap, price, [encode_event(quote(3))])
        await until(lambda: watched.admitted(HOME) == ["q-0", "q-1", "q-3"], "what came later")
        assert stats.dead_letters == {}
    assert len(watched.refused()) == 1
