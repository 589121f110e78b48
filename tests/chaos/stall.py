"""An input partition that nobody can read: how long time stands still, and whether it goes on without it and back."""

import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from deploy.kafka.topic_admin import ensure_topics
from deploy.kafka.topic_declaration import declared_topics
from deploy.stack.waiting import wait_until
from streams.contracts.topics import PRICE, partition_of, topic_name
from streams.runtime.clock import monotonic_seconds, utc_now
from tests.chaos.load import MATERIALS, EventSource, Load, Sent
from tests.chaos.logs import PARTITIONS, SignalsTail
from tests.chaos.pipeline import Pipeline, Slot
from tests.support.brokers import KafkaCluster, on_node

PREFIX = "stall"
LOST = partition_of(MATERIALS[0], partitions=PARTITIONS)
"""The partition of the prices whose leader goes away."""
RATE = 50


@dataclass(kw_only=True)
class Seen:
    """What was measured: seconds from the loss on."""

    stood_seconds: float
    stalled: list[str]
    returned_seconds: float
    metrics: dict[str, list[str]] = field(default_factory=dict)
    readiness: dict[str, str] = field(default_factory=dict)


class StallRun:
    """One pipeline over two nodes; the second leads one partition of the prices and nothing else."""

    def __init__(self, cluster: KafkaCluster, directory: Path) -> None:
        self.cluster, self.bootstrap = cluster, cluster.bootstrap.split(",")[0]
        self._place()
        self.pipeline = Pipeline(
            bootstrap=cluster.bootstrap, prefix=PREFIX, input_prefix=PREFIX, directory=directory
        )  # fmt: skip
        self.tail = SignalsTail(self.bootstrap, prefix=PREFIX)

    def _place(self) -> None:
        prices = topic_name(PRICE, prefix=PREFIX)
        placed = {topic.name: on_node(1, partitions=topic.partitions) for topic in declared_topics(prefix=PREFIX)}
        placed[prices][LOST] = [2]
        ensure_topics(self.bootstrap, prefix=PREFIX, assignments=placed)
        offsets = {TopicPartition("__consumer_offsets", p): [1] for p in range(PARTITIONS)}
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin:
            admin.alter_partition_reassignments(offsets)
            wait_until(
                lambda: not admin.list_partition_reassignments(),
                timeout_seconds=30,
                what="the groups to move to node 1",
            )

    def close(self) -> None:
        """End everything."""
        self.pipeline.end()
        self.tail.close()

    def wait(self, condition: Callable[[], object], *, seconds: float, what: str) -> None:
        """Wait while workers that end are started again."""

        def kept_up() -> object:
            self.pipeline.keep_up()
            self.tail.read()
            return condition()

        logs = [slot.log for slot in self.pipeline.slots.values()]
        wait_until(kept_up, timeout_seconds=seconds, what=what,
                   detail=lambda: f"time stands at {self.tail.up_to()}, stalled {self.tail.stalled()}\n"
                   + "\n".join(log() for log in logs))  # fmt: skip

    def run(self) -> Seen:
        """Lose the partition, see time stand and go on, bring it back, see it counted again."""
        self.pipeline.start()
        self.wait(self.pipeline.ready, seconds=90, what="the pipeline to be ready")
        source = EventSource(seed=3, rate=RATE, today=utc_now().date())
        load = Load(source, bootstrap=self.bootstrap, prefix=PREFIX, rate=RATE, keep=_elsewhere)
        load.start()
        try:
            self._wait_passed(utc_now() + timedelta(seconds=3), seconds=60)
            self.cluster.kill_node(2)
            lost_at, began = utc_now(), monotonic_seconds()
            self._wait_passed(lost_at + timedelta(seconds=15), seconds=120)
            seen = Seen(stood_seconds=monotonic_seconds() - began, stalled=sorted(self.tail.stalled()),
                        returned_seconds=0.0)  # fmt: skip
            for slot in self.pipeline.slots.values():
                seen.metrics[slot.name], seen.readiness[slot.name] = _stall_metrics(slot), _readiness(slot)
            self.cluster.start_node(2)
            began = monotonic_seconds()
            self.wait(lambda: not self.tail.stalled(), seconds=90, what="the partition to be counted again")
            seen.returned_seconds = monotonic_seconds() - began
            self._wait_passed(utc_now(), seconds=60)
        finally:
            load.end()
        return seen

    def _wait_passed(self, instant: datetime, *, seconds: float) -> None:
        self.wait(lambda: self.tail.up_to() > instant, seconds=seconds, what=f"time to pass {instant}")


def _elsewhere(sent: Sent) -> bool:
    """Leave out the events of the partition that goes away: nobody could send them."""
    return sent.topic != PRICE or partition_of(sent.key, partitions=PARTITIONS) != LOST


def _stall_metrics(slot: Slot) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{slot.port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return [line for line in lines if "stalled" in line and not line.startswith("#")]


def _readiness(slot: Slot) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{slot.port}/readyz", timeout=5) as answer:
            return f"{answer.status} {answer.read().decode()}"
    except OSError as error:
        return str(getattr(error, "code", error))
