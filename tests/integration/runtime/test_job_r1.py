"""Job R1 of the benchmark: with two kills in the middle exactly the true alerts, each once."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from bench.job_r1 import read_alerts, truth, write_source
from tests.integration.runtime.job_worker import JobOptions
from tests.integration.runtime.processes import WorkerProcess, read_topic
from tests.support.brokers import KafkaCluster
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration
EVENT_COUNT = 60_000


@pytest.fixture
def kafka() -> Iterator[KafkaCluster]:
    with KafkaCluster(properties={"group.min.session.timeout.ms": "1000"}) as cluster:
        yield cluster


def test_two_kills_leave_exactly_the_true_alerts(kafka: KafkaCluster, tmp_path: Path) -> None:
    """Plain Faust: 3 missing and 158 false alerts of 249, as old prices hit newer state (docs/engine-traps.md 9)."""
    last_offsets = write_source(kafka.bootstrap, "r1", event_count=EVENT_COUNT, batch_count=20)
    options = JobOptions(bootstrap=kafka.bootstrap, prefix="r1", delay_seconds=0.006)
    worker = WorkerProcess("tests.integration.runtime.job_worker", options, tmp_path / "worker.log")

    def progress() -> int:
        read = read_topic(kafka.bootstrap, "r1-job-volatility-changelog", at_most_seconds=1.5)
        positions = [[msgspec.msgpack.decode(v)[0] for _, k, v in p if k == b"\x00progress"] for p in read]
        return sum(max(of_partition, default=-1) + 1 for of_partition in positions)

    def reached(goal: float) -> bool:
        return progress() >= goal

    total = sum(offset + 1 for offset in last_offsets.values())
    try:
        worker.start()
        for share in (0.15, 0.4):
            goal = share * total
            wait_until(partial(reached, goal), timeout_seconds=60, what=f"{share:.0%} of the source")
            assert progress() < total, "the kill must hit a running job"
            worker.kill()
            worker.start()
        wait_until(lambda: progress() == total, timeout_seconds=60, what="the end of the source")
    finally:
        worker.end()
    alerts = read_alerts(kafka.bootstrap, "r1")
    assert len(alerts) == len(set(alerts))
    assert set(alerts) == truth(EVENT_COUNT)
