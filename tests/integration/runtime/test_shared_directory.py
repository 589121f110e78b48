"""Two topic prefixes on one cluster, one data directory: neither meets the state of the other."""

from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from msgspec import Raw

from streams.contracts.records import Segment, SignalRecord, decode_linked, encode
from tests.integration.runtime.oracle_worker import WorkerOptions
from tests.integration.runtime.processes import WorkerProcess, read_topic
from tests.support.brokers import KafkaCluster
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

COMPACTED = {"cleanup.policy": "compact", "min.compaction.lag.ms": "60000"}


def create_topics(broker: Any, prefix: str) -> None:
    broker.create_topics({f"{prefix}.signals": {}, f"{prefix}.assessments": {}}, partitions=4)
    broker.create_topics({f"{prefix}-assess-assess-changelog": COMPACTED}, partitions=4)


def send(broker: Any, prefix: str, *, count: int) -> None:
    """Write `count` records of one event each to partition 0."""
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    for number in range(count):
        segment = Segment(topic="in", partition=0, offset=number, indexes=[0], events=[raw(number)])
        producer.send(f"{prefix}.signals", value=encode(SignalRecord(segments=[segment])), partition=0)
    producer.flush()
    producer.close()


def raw(number: int) -> Raw:
    return Raw(b'{"id":%d,"key":"k"}' % number)


def origins_of(broker: Any, prefix: str) -> list[int]:
    """Return where the assessments of partition 0 come from, in order."""
    log = read_topic(broker.bootstrap, f"{prefix}.assessments", at_most_seconds=1.5)[0]
    return [decode_linked(value).o for _, _, value in log]


def test_a_second_prefix_in_the_data_directory_begins_at_its_own_beginning(tmp_path: Path) -> None:
    """The second worker took the first one's copy for its own state, found its log too short, and ended itself."""
    with KafkaCluster(properties={"group.min.session.timeout.ms": "1000"}) as broker:
        for prefix, count in (("one", 50), ("two", 3)):
            create_topics(broker, prefix)
            send(broker, prefix, count=count)
            options = WorkerOptions(
                stages=["assess"], bootstrap=broker.bootstrap, prefix=prefix, data_directory=str(tmp_path / "data"),
                checkpoint_records=5,
            )  # fmt: skip
            worker = WorkerProcess("tests.integration.runtime.oracle_worker", options, tmp_path / f"{prefix}.log")
            worker.start()
            try:
                wait_until(
                    lambda prefix=prefix, count=count: len(origins_of(broker, prefix)) >= count,  # type: ignore[misc]
                    timeout_seconds=40,
                    what=f"the assessments of prefix {prefix}",
                )
                worker.terminate()
            finally:
                worker.end()
            assert origins_of(broker, prefix) == list(range(count))
