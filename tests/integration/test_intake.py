"""Intake against real brokers: what is good reaches `signals` once and in order, what is bad the dead letters."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from streams.contracts.codec import decode_event, encode_batch, encode_event
from streams.contracts.dead_letters import DeadLetterRecord, decode_dead_letter
from streams.contracts.events import Event
from streams.contracts.policy import ClaimMade
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance
from streams.contracts.records import SignalRecord, decode_signal
from streams.contracts.topics import DEAD_LETTERS, POLICY, PRICE, SIGNALS, partition_of, topic_name
from streams.intake.intake_clients import run_intake
from streams.intake.intake_settings import IntakeSettings
from streams.intake.limit import DeadLetterPolicy
from streams.intake.stats import IntakeStats
from tests.support.brokers import EmbeddedBroker, KafkaCluster
from tests.support.provisioning import provision
from tests.support.waiting import wait_for_value, wait_until_async

pytestmark = pytest.mark.integration
T0 = datetime(2026, 1, 5, tzinfo=UTC)
PARTITIONS = 4
Broker = KafkaCluster | EmbeddedBroker


@pytest.fixture(scope="module", params=["kafka", "embedded"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with KafkaCluster() if request.param == "kafka" else EmbeddedBroker() as started:
        yield started


@pytest.fixture
def prefix(broker: Broker, request: pytest.FixtureRequest) -> str:
    name = "t" + "".join(c for c in request.node.name if c.isalnum())[:60]
    provision(broker, prefix=name)
    return name


def quote(number: int, *, material: str = "dysprosium") -> Event:
    at = T0 + timedelta(seconds=number)
    return Event(
        id=f"q-{number}", source="test", subject=material, occurred_at=at, recorded_at=at,
        data=PriceQuoted(
            material=material, form="oxide", basis="FOB", assessor="test", amount=200.0 + number, currency="USD",
            per_unit="kg", reference_period="2026-01-05", provenance=Provenance(source="test"),
        ),
    )  # fmt: skip


def claim(number: int) -> Event:
    at = T0 + timedelta(seconds=number)
    return Event(
        id=f"c-{number}", source="test", subject=f"CLAIM-{number}", occurred_at=at, recorded_at=at,
        data=ClaimMade(
            claim=f"CLAIM-{number}", speaker="a press office", zone="UTC", legal_force="statement",
            provenance=Provenance(source="test"),
        ),
    )  # fmt: skip


class Log:
    """A topic read from its start, as far as it has come."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, max_partition_fetch_bytes=8_000_000
        )
        places = [TopicPartition(topic, p) for p in range(PARTITIONS)]
        self._consumer.assign(places)
        self._consumer.seek_to_beginning(*places)
        self.values: dict[int, list[bytes]] = {p: [] for p in range(PARTITIONS)}

    def read(self) -> dict[int, list[bytes]]:
        for place, records in self._consumer.poll(timeout_ms=100).items():
            self.values[place.partition].extend(record.value for record in records)
        return self.values

    def close(self) -> None:
        self._consumer.close()


class Watched:
    """The logs that intake writes."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.signals = Log(bootstrap, topic_name(SIGNALS, prefix=prefix))
        self.letters = Log(bootstrap, topic_name(DEAD_LETTERS, prefix=prefix))

    def records(self, partition: int) -> list[SignalRecord]:
        return [decode_signal(value) for value in self.signals.read()[partition]]

    def admitted(self, partition: int) -> list[str]:
        """Return ids as the assess agent takes them: segments at or below the last offset of their origin skipped."""
        last: dict[tuple[str, int], int] = {}
        ids: list[str] = []
        for record in self.records(partition):
            for segment in record.segments:
                origin = (segment.topic, segment.partition)
                if segment.offset > last.get(origin, -1):
                    last[origin] = segment.offset
                    ids.extend(decode_event(raw).id for raw in segment.events)
        return ids

    def refused(self) -> list[DeadLetterRecord]:
        return [decode_dead_letter(value) for values in self.letters.read().values() for value in values]

    def close(self) -> None:
        self.signals.close()
        self.letters.close()


@pytest.fixture
def watched(broker: Broker, prefix: str) -> Iterator[Watched]:
    logs = Watched(broker.bootstrap, prefix)
    yield logs
    logs.close()


def send(bootstrap: str, topic: str, values: Sequence[bytes | None], *, partition: int = 0) -> None:
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=False, max_request_size=4_000_000,
        max_in_flight_requests_per_connection=1,
    )  # fmt: skip
    try:
        for future in [producer.send(topic, key=b"k", value=value, partition=partition) for value in values]:
            future.get(30)
    finally:
        producer.close()


def settings_of(broker: Broker, prefix: str, **more: object) -> IntakeSettings:
    quick = isinstance(broker, EmbeddedBroker)
    return IntakeSettings(
        brokers=broker.bootstrap, prefix=prefix, group=f"{prefix}-intake",
        session_timeout=timedelta(seconds=2 if quick else 6),
        heartbeat_interval=timedelta(seconds=0.5 if quick else 1),
        rebalance_timeout=timedelta(seconds=3 if quick else 10),
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


@asynccontextmanager
async def intake(
    settings: IntakeSettings, *, stop_loudly: Callable[[str], None] = pytest.fail
) -> AsyncIterator[IntakeStats]:
    """Run a worker for the length of the block, then stop it as SIGTERM does."""
    stats, stop = IntakeStats(), asyncio.Event()
    worker = asyncio.create_task(run_intake(settings, stats=stats, stop=stop, stop_loudly=stop_loudly))
    try:
        yield stats
    finally:
        stop.set()
        await asyncio.wait_for(worker, 30)


async def until(condition: Callable[[], bool], what: str) -> None:
    async def asked() -> bool:
        return await asyncio.to_thread(condition)

    await wait_until_async(asked, timeout_seconds=40, what=what)


async def test_good_events_reach_their_partitions_in_order(broker: Broker, prefix: str, watched: Watched) -> None:
    """A material's events keep their order, and policy stands in every partition (docs/architecture.md 5.2)."""
    send(broker.bootstrap, topic_name(PRICE, prefix=prefix), [encode_event(quote(n)) for n in range(300)])
    send(broker.bootstrap, topic_name(PRICE, prefix=prefix), [encode_batch(quote(n) for n in range(300, 800))])
    send(broker.bootstrap, topic_name(POLICY, prefix=prefix), [encode_event(claim(1))], partition=1)
    home = partition_of("dysprosium", partitions=PARTITIONS)
    async with intake(settings_of(broker, prefix)) as stats:
        await until(lambda: len(watched.admitted(home)) == 801, "801 events in the home partition")
        await until(lambda: all("c-1" in watched.admitted(p) for p in range(PARTITIONS)), "the claim everywhere")
    assert [i for i in watched.admitted(home) if i != "c-1"] == [f"q-{n}" for n in range(800)]
    assert all(watched.admitted(p) == ["c-1"] for p in range(PARTITIONS) if p != home)
    assert stats.events[topic_name(PRICE, prefix=prefix), "admitted"] == 800
    assert watched.refused() == []


async def test_a_backlog_is_packed_into_few_records(broker: Broker, prefix: str, watched: Watched) -> None:
    """One record costs the engine 64 microseconds and an event inside it under one (docs/engine-traps.md 13)."""
    send(broker.bootstrap, topic_name(PRICE, prefix=prefix), [encode_event(quote(n)) for n in range(2_000)])
    home = partition_of("dysprosium", partitions=PARTITIONS)
    async with intake(settings_of(broker, prefix)):
        await until(lambda: len(watched.admitted(home)) == 2_000, "2,000 events")
    assert len(watched.records(home)) <= 40
    sizes = [sum(len(s.events) for s in record.segments) for record in watched.records(home)]
    assert max(sizes) <= 500


async def test_what_comes_while_records_gather_goes_on_together(broker: Broker, prefix: str, watched: Watched) -> None:
    """What a client fetches ahead is the first of them, and the others would wait for one interval more."""
    price, home = topic_name(PRICE, prefix=prefix), partition_of("dysprosium", partitions=PARTITIONS)

    def sizes() -> list[int]:
        counts = (sum(len(s.events) for s in record.segments) for record in watched.records(home))
        return [count for count in counts if count]

    live = settings_of(broker, prefix, tick_seconds=1.0, gather_interval=timedelta(seconds=4))
    async with intake(live):
        await asyncio.to_thread(send, broker.bootstrap, price, [encode_event(quote(0))])
        await until(lambda: sizes() == [1], "the first event, which waits for nothing")
        for number in range(1, 6):
            await asyncio.to_thread(send, broker.bootstrap, price, [encode_event(quote(number))])
        await until(lambda: sum(sizes()) == 6, "the events that gathered")
    assert sizes() == [1, 5]


async def test_bad_records_end_in_the_dead_letters_and_the_road_goes_on(
    broker: Broker, prefix: str, watched: Watched
) -> None:
    """Promise 3: nothing bad stops the road, and everything that was refused can be read again as it came."""
    good, price = encode_event(quote(1)), topic_name(PRICE, prefix=prefix)
    huge = b'{"x":"' + b"y" * 2_000_000 + b'"}'
    bad: list[bytes | None] = [
        b"not json", None, huge, good.replace(b'"dysprosium"', b'"unobtainium"'), good.replace(b"201.0", b"NaN"),
        good.replace(b'"USD"', b"7"), encode_event(claim(1)), good.replace(b'"amount":201.0,', b""),
    ]  # fmt: skip
    send(broker.bootstrap, price, [*bad, good, b"[" + good.replace(b"q-1", b"q-2") + b',{"id":1}]'])
    home = partition_of("dysprosium", partitions=PARTITIONS)
    async with intake(settings_of(broker, prefix)):
        await until(lambda: watched.admitted(home) == ["q-1", "q-2"], "the good events")
        await until(lambda: len(watched.refused()) == 9, "nine dead letters")
    letters = sorted(watched.refused(), key=lambda letter: letter.offset)
    assert [letter.reason for letter in letters] == [
        "not_json", "tombstone", "too_large", "unknown_material", "not_json", "wrong_type", "wrong_topic",
        "missing_field", "invalid_envelope",
    ]  # fmt: skip
    assert [letter.value for letter in letters[:2]] == [b"not json", None]
    assert letters[2].cut_from == len(huge) and letters[2].value == huge[:900_000]
    assert (letters[8].index, letters[8].value, letters[8].topic) == (1, b'{"id":1}', price)
    assert letters[3].field == "/data/material"


async def test_a_new_worker_goes_on_where_the_last_one_stopped(broker: Broker, prefix: str, watched: Watched) -> None:
    """A clean stop commits what was written: nothing is lost, and nothing is read twice."""
    home = partition_of("dysprosium", partitions=PARTITIONS)
    for start in (0, 100, 200):
        send(broker.bootstrap, topic_name(PRICE, prefix=prefix), [encode_event(quote(start + n)) for n in range(100)])
        async with intake(settings_of(broker, prefix)):
            await until(lambda wanted=start + 100: len(watched.admitted(home)) == wanted, "the next hundred")  # type: ignore[misc]
    events = [len(segment.events) for record in watched.records(home) for segment in record.segments]
    assert sum(events) == 300


async def test_joining_and_leaving_workers_lose_nothing_and_keep_the_order(
    broker: Broker, prefix: str, watched: Watched
) -> None:
    """A rebalance ends or drops the batch under way; what is repeated is skipped by position downstream."""
    price = topic_name(PRICE, prefix=prefix)
    home = partition_of("dysprosium", partitions=PARTITIONS)
    settings = settings_of(broker, prefix)

    def feed(start: int) -> None:
        for partition in range(PARTITIONS):
            numbers = range(start + partition, start + 2_000, PARTITIONS)
            send(broker.bootstrap, price, [encode_event(quote(n)) for n in numbers], partition=partition)

    async with intake(settings) as first:
        await until(lambda: first.ready, "the first worker")
        feeding = asyncio.create_task(asyncio.to_thread(feed, 0))
        async with intake(settings) as second:
            await until(lambda: bool(second.assigned), "partitions for the second worker")
            await feeding
            await asyncio.to_thread(feed, 2_000)
        await until(lambda: len(watched.admitted(home)) == 4_000, "4,000 events")
    admitted = watched.admitted(home)
    assert sorted(admitted) == sorted(f"q-{n}" for n in range(4_000))
    for partition in range(PARTITIONS):
        mine = [int(i[2:]) for i in admitted if int(i[2:]) % PARTITIONS == partition]
        assert mine == sorted(mine)


async def test_too_many_dead_letters_stop_the_worker_loudly(broker: Broker, prefix: str, watched: Watched) -> None:
    """A topic must not run into the dead letters unnoticed; what was refused is safe and committed before."""
    said: list[str] = []
    settings = settings_of(broker, prefix, dead_letter_policy=DeadLetterPolicy(max_run_count=20))
    send(broker.bootstrap, topic_name(PRICE, prefix=prefix), [b"junk"] * 30)
    async with intake(settings, stop_loudly=said.append):
        await until(lambda: bool(said), "a loud stop")
    assert "run_length" in said[0]
    wait_for_value(lambda: len(watched.refused()) == 30 or None, timeout_seconds=10, what="30 dead letters")


async def test_another_partition_count_is_refused_at_start(broker: Broker, prefix: str) -> None:
    """Events would go to partitions that nobody, or somebody else, owns."""
    with pytest.raises(RuntimeError, match="has 4 partitions, 3 are configured"):
        await run_intake(settings_of(broker, prefix, partitions=3), stats=IntakeStats(), stop=asyncio.Event())
