"""The gateway as a process with Kafka and Redis: what is answered with 202 is on the topic, and Redis may go."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition

from producers.gateway.keys import SCOPE, KeyFile
from streams.contracts.codec import decode_event, encode_batch, encode_event, split_record
from streams.contracts.dead_letters import decode_dead_letter
from streams.contracts.events import Event
from streams.contracts.topics import DEAD_LETTERS, PRICE, topic_name
from streams.runtime.clock import utc_now
from tests.support.brokers import KafkaCluster, RedisServer
from tests.support.examples import EXAMPLE_EVENTS
from tests.support.ports import free_port
from tests.support.provisioning import provision
from tests.support.road import ROOT
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration
PREFIX = "gw"
BATCH = "application/cloudevents-batch+json"
STRUCTURED = "application/cloudevents+json"


def fresh(number: int) -> Event:
    now = utc_now()
    return msgspec.structs.replace(EXAMPLE_EVENTS[3], id=f"e-{number}", occurred_at=now, recorded_at=now)


class RunningGateway:
    """`monazite serve gateway` as a process."""

    def __init__(self, folder: Path, *, bootstrap: str, redis: str) -> None:
        self.port = free_port()
        _, self.key = KeyFile(folder / "keys.json").create(scopes=(SCOPE,), at=utc_now(), lifetime=timedelta(days=1))
        self.log = folder / "gateway.log"
        argv = [
            sys.executable, "-m", "deploy.cli", "serve", "gateway", "--port", str(self.port), "--bootstrap", bootstrap,
            "--redis", redis, "--prefix", PREFIX, "--key-file", str(folder / "keys.json"),
        ]  # fmt: skip
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(argv, cwd=ROOT, stdout=out, stderr=out)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        wait_until(self._ready, timeout_seconds=40, what=f"the gateway to be ready, see {self.log}")

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def post(self, body: bytes, kind: str = STRUCTURED) -> httpx.Response:
        headers = {"content-type": kind, "authorization": f"Bearer {self.key}"}
        return self.client.post("/v1/events", content=body, headers=headers)

    def stop(self) -> int:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaCluster]:
    with KafkaCluster() as cluster:
        provision(cluster, prefix=PREFIX)
        yield cluster


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def gateway(kafka: KafkaCluster, redis: RedisServer) -> Iterator[RunningGateway]:
    with tempfile.TemporaryDirectory() as folder:
        running = RunningGateway(Path(folder), bootstrap=kafka.bootstrap, redis=redis.url)
        yield running
        assert running.stop() in (0, -signal.SIGTERM)


def values(bootstrap: str, topic: str) -> list[bytes]:
    """Read everything that stands on a topic now."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
    try:
        places = [TopicPartition(topic, p) for p in range(4)]
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        consumer.seek_to_beginning(*places)
        found: list[bytes] = []
        deadline = time.monotonic() + 20
        while any(consumer.position(place) < ends[place] for place in places):
            assert time.monotonic() < deadline, f"{topic} could not be read to its end"
            for records in consumer.poll(timeout_ms=100).values():
                found.extend(record.value for record in records)
        return found
    finally:
        consumer.close()


def ids(bootstrap: str) -> list[str]:
    found = [raw for value in values(bootstrap, topic_name(PRICE, prefix=PREFIX)) for raw in split_record(value)]
    return [decode_event(raw).id for raw in found]


def statuses(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 202, answer.text
    return [result["status"] for result in answer.json()["results"]]


def test_what_is_accepted_is_on_the_topic(gateway: RunningGateway, kafka: KafkaCluster) -> None:
    """202 promises that the broker has it, and a refusal that it is kept."""
    bad = encode_event(fresh(3)).replace(b"dysprosium", b"unobtainium")
    body = b"[" + b",".join([encode_event(fresh(1)), encode_event(fresh(2)), bad]) + b"]"
    assert statuses(gateway.post(body, BATCH)) == ["accepted", "accepted", "invalid"]
    assert {"e-1", "e-2"} <= set(ids(kafka.bootstrap))
    letters = [decode_dead_letter(v) for v in values(kafka.bootstrap, topic_name(DEAD_LETTERS, prefix=PREFIX))]
    assert [(letter.reason, letter.value) for letter in letters] == [("unknown_material", bad)]


def test_the_window_recognises_repeats_and_redis_may_go_and_come_back_empty(
    gateway: RunningGateway, kafka: KafkaCluster, redis: RedisServer
) -> None:
    """Redis holds nothing that cannot be lost (docs/architecture.md 5.6): without it every event goes through."""
    event = encode_event(fresh(10))
    assert statuses(gateway.post(event)) == ["accepted"]
    assert statuses(gateway.post(event)) == ["duplicate"]
    redis.server.process.kill()
    assert statuses(gateway.post(event)) == ["accepted"]
    assert statuses(gateway.post(encode_event(fresh(11)))) == ["accepted"]
    assert gateway.client.get("/readyz").status_code == 200
    assert ids(kafka.bootstrap).count("e-10") == 2
    assert "e-11" in ids(kafka.bootstrap)


def test_a_full_batch_is_taken_within_a_second(gateway: RunningGateway, kafka: KafkaCluster) -> None:
    """Systems that collect send the most a request may hold."""
    answer = gateway.post(encode_batch([fresh(n) for n in range(1_000, 1_500)]), BATCH)
    assert statuses(answer) == ["accepted"] * 500
    assert {f"e-{n}" for n in range(1_000, 1_500)} <= set(ids(kafka.bootstrap))
