"""A stack of its own processes for tests of what befalls it, and alerts that show that it works."""

import os
import signal
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from deploy.stack.plan import StackPlan
from deploy.stack.stack_status import ProcessStatus, StackStatus, status
from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.codec import decode_event
from streams.contracts.records import decode_linked
from streams.contracts.topics import ALERTS, PRICE, partition_of, topic_name
from tests.support.prices import rise
from tests.support.waiting import wait_until


@dataclass
class RealStack:
    """A stack that runs, and its plan."""

    folder: Path
    plan: StackPlan

    def status(self) -> StackStatus:
        """Ask every process."""
        return status(self.folder)

    def process(self, name: str) -> ProcessStatus:
        """Return one process."""
        return next(p for p in self.status().processes if p.name == name)

    def kill(self, *names: str) -> None:
        """Kill -9 processes, all at once."""
        for process in [p for p in self.status().processes if p.name in names]:
            os.kill(process.pid, signal.SIGKILL)

    def wait_ready(self, *, seconds: float, other_than: Mapping[str, int] | None = None) -> float:
        """Wait until all is ready, with other pids than those given; return how long it took."""
        began = time.monotonic()

        def ready() -> bool:
            seen = self.status()
            pids = {p.name: p.pid for p in seen.processes}
            return seen.phase == "ready" and all(pids[name] != pid for name, pid in (other_than or {}).items())

        wait_until(ready, timeout_seconds=seconds, what="the stack to be ready", poll_seconds=0.1,
                   detail=lambda: f"{self.status().detail}\n{self.log('supervisor')[-3000:]}")  # fmt: skip
        return time.monotonic() - began

    def log(self, name: str) -> str:
        """Return the log of a process."""
        return (self.folder / "logs" / f"{name}.log").read_text(errors="replace")

    def pids(self) -> dict[str, int]:
        """Return the pid of each process."""
        return {p.name: p.pid for p in self.status().processes}

    def restarts(self) -> dict[str, int]:
        """Return how often each died."""
        return {p.name: p.restarts for p in self.status().processes}


class Alerts:
    """Sends prices of which the last fires the shipped rule about a change, and waits for the alert."""

    def __init__(self, stack: RealStack) -> None:
        self._bootstrap = str(stack.plan.bootstrap)
        self._prefix = str(stack.plan.topic_prefix)

    def raise_one(self, material: str) -> AlertChanged:
        """Return the alert about a material that nothing was said of before."""
        partition = partition_of(material, partitions=4)
        place = TopicPartition(topic_name(ALERTS, prefix=self._prefix), partition)
        with closing(KafkaConsumer(bootstrap_servers=self._bootstrap, group_id=None)) as reader:
            reader.assign([place])
            reader.seek_to_end(place)
            reader.position(place)
            with closing(KafkaProducer(bootstrap_servers=self._bootstrap, acks="all")) as producer:
                for value in rise(material, prefix=material):
                    producer.send(topic_name(PRICE, prefix=self._prefix), key=material.encode(), value=value,
                                  partition=partition)  # fmt: skip
                producer.flush()
            fired: list[AlertChanged] = []

            def told() -> bool:
                for records in reader.poll(timeout_ms=100).values():
                    said = [decode_event(item).data for record in records for item in decode_linked(record.value).x]
                    fired.extend(c for c in said if isinstance(c, AlertChanged) and c.to_state is AlertState.FIRING
                                 and c.labels.get("material") == material)  # fmt: skip
                return bool(fired)

            wait_until(told, timeout_seconds=30, what=f"the alert about {material}")
            return fired[0]
