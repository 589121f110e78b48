"""Two stages through kill -9, joins, leaves and stalls: logs and states equal to a pure replay, byte by byte."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.contracts.records import LinkedRecord, OutputPosition, Segment, SignalRecord, decode_linked, encode
from streams.runtime import changelog_groups as groups
from streams.runtime.partition_state import PartitionState
from tests.integration.runtime.oracle_core import expected
from tests.integration.runtime.oracle_worker import WorkerOptions
from tests.integration.runtime.processes import WorkerProcess, read_topic
from tests.support.brokers import EmbeddedBroker, KafkaCluster
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

PARTITION_COUNT = 4
EVENT_COUNT = 12_000
EVENTS_PER_RECORD = 4
FLOW_SECONDS = 22.0
SMALL_OUTPUT_BYTES = 650
"""Room for one or two of the four outputs of a record beside the frame."""
T0 = datetime(2026, 1, 1, tzinfo=UTC)
WORKER = "tests.integration.runtime.oracle_worker"


@pytest.fixture(scope="module", params=["kafka", "embedded"])
def broker(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "kafka":
        made: Any = KafkaCluster(properties={"group.min.session.timeout.ms": "1000"})
    else:
        made = EmbeddedBroker()
    with made:
        yield made


def records_of(event_count: int) -> list[tuple[int, bytes]]:
    """Return (partition, value) of the `signals` records; every thirtieth is admitted twice."""
    random_source = random.Random(7)
    records = []
    numbers = [0] * PARTITION_COUNT
    for first in range(0, event_count, EVENTS_PER_RECORD):
        partition = (first // EVENTS_PER_RECORD) % PARTITION_COUNT
        ids = range(first, min(first + EVENTS_PER_RECORD, event_count))
        events = [msgspec.Raw(msgspec.json.encode({"id": i, "key": f"{partition}-{i % 97}"})) for i in ids]
        segment = Segment(
            topic="in", partition=partition, offset=first, indexes=list(range(len(events))), events=events
        )
        numbers[partition] += 1
        value = encode(SignalRecord(segments=[segment], i="life", q=numbers[partition]))
        records.extend([(partition, value)] * (2 if random_source.random() < 1 / 30 else 1))
    return records


class Fleet:
    """The workers of one run, restarted when they end by themselves."""

    def __init__(self, workers: dict[str, WorkerProcess]) -> None:
        self.workers = workers
        self.absent: set[str] = set()

    def keep_up(self) -> None:
        for name, worker in self.workers.items():
            if name not in self.absent:
                worker.restart_if_ended()

    def kill_and_restart(self, name: str) -> None:
        self.workers[name].kill()
        self.workers[name].start()

    def leave(self, name: str) -> None:
        self.absent.add(name)
        self.workers[name].terminate()

    def join(self, name: str) -> None:
        self.workers[name].start()
        self.absent.discard(name)


def faults_of(fleet: Fleet) -> list[tuple[float, Any]]:
    """Return (second, what is done then): kills of both stages, a leave and a join, two stalls beyond the session."""
    stall_seconds = 3.2
    plan: list[tuple[float, Any]] = [
        (2.0, lambda: fleet.kill_and_restart("assess-1")),
        (4.5, lambda: fleet.workers["assess-2"].pause()),
        (4.5 + stall_seconds, lambda: fleet.workers["assess-2"].resume()),
        (8.5, lambda: fleet.kill_and_restart("rules-1")),
        (10.0, lambda: fleet.leave("assess-2")),
        (12.0, lambda: fleet.kill_and_restart("assess-1")),
        (13.0, lambda: fleet.join("assess-2")),
        (15.5, lambda: fleet.workers["rules-1"].pause()),
        (15.5 + stall_seconds, lambda: fleet.workers["rules-1"].resume()),
        (20.0, lambda: fleet.kill_and_restart("assess-1")),
        (20.2, lambda: fleet.kill_and_restart("assess-2")),
    ]
    return plan


def drive(bootstrap: str, topic: str, fleet: Fleet) -> None:
    """Send the records evenly over the run while the faults of the plan happen."""
    from kafka import KafkaProducer

    records = records_of(EVENT_COUNT)
    plan = faults_of(fleet)
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=2, enable_idempotence=True)
    started = time.monotonic()
    sent = 0
    while sent < len(records) or plan:
        elapsed = time.monotonic() - started
        due = min(len(records), int(len(records) * elapsed / FLOW_SECONDS))
        for partition, value in records[sent:due]:
            producer.send(topic, value=value, partition=partition)
        sent = max(sent, due)
        if plan and plan[0][0] <= elapsed:
            plan.pop(0)[1]()
        fleet.keep_up()
        time.sleep(0.02)
    producer.flush()
    producer.close()


def deduplicated(partition: list[tuple[int, Any, Any]]) -> list[bytes]:
    """Return the linked records a reader would take, parts of one origin joined, as bytes; a hole fails the test."""
    taken: list[LinkedRecord] = []
    last: OutputPosition | None = None
    for _, _, value in partition:
        record = decode_linked(value)
        if last is not None and record.place <= last:
            continue
        previous = None if record.prev is None else (record.prev, record.prev_n)
        assert previous == last, f"hole: last {last}, record {record.place} after {previous}"
        last = record.place
        if record.n:
            taken[-1] = msgspec.structs.replace(taken[-1], x=[*taken[-1].x, *record.x])
        else:
            taken.append(LinkedRecord(o=record.o, prev=record.prev, x=record.x))
    return [encode(record) for record in taken]


def part_count(bootstrap: str, topic: str) -> int:
    """Return how many records of a log are a further part of an origin."""
    return sum(decode_linked(value).n > 0 for records in read_topic(bootstrap, topic) for _, _, value in records)


def restored(partition: list[tuple[int, Any, Any]]) -> PartitionState:
    """Return the state that a recovery reads out of a changelog partition."""
    state = PartitionState(0)
    for offset, key, value in partition:
        groups.restore(state, key=key, value=value, offset=offset, decode_value=msgspec.msgpack.decode)
    groups.end_recovery(state)
    return state


def plain(state: dict[bytes, Any]) -> dict[bytes, Any]:
    """Return a state as MessagePack gives it back."""
    return {key: msgspec.msgpack.decode(msgspec.msgpack.encode(value)) for key, value in state.items()}


def differences(bootstrap: str, prefix: str) -> list[str]:
    """Compare both logs and both changelogs with the pure replay of `signals`; return what differs."""
    signals = read_topic(bootstrap, f"{prefix}.signals")
    assessments = read_topic(bootstrap, f"{prefix}.assessments")
    alerts = read_topic(bootstrap, f"{prefix}.alerts")
    assess_log = read_topic(bootstrap, f"{prefix}-assess-assess-changelog")
    rules_log = read_topic(bootstrap, f"{prefix}-rules-rules-changelog")
    found = []
    for p in range(PARTITION_COUNT):
        want = expected([value for _, _, value in signals[p]], T0)
        have_assessments, have_alerts = deduplicated(assessments[p]), deduplicated(alerts[p])
        if have_assessments != want[0]:
            found.append(f"assessments of {p}: {len(have_assessments)} records, expected {len(want[0])}")
        if have_alerts != want[2]:
            found.append(f"alerts of {p}: {len(have_alerts)} records, expected {len(want[2])}")
        if restored(assess_log[p]).data != plain(want[1]):
            found.append(f"state of assess {p} differs")
        if restored(rules_log[p]).data != plain(want[3]):
            found.append(f"state of rules {p} differs")
    return found


@pytest.mark.parametrize(("store", "output_bytes"), [("memory", 1_000_000), ("rocksdict", SMALL_OUTPUT_BYTES)])
def test_logs_and_states_equal_a_pure_replay_through_kills_joins_and_stalls(
    broker: Any, store: str, output_bytes: int, tmp_path: Path
) -> None:
    """The promise of the runtime: a checkpoint over many records loses nothing, doubles nothing, mixes nothing.

    With a small limit of an output record most records are split, and both readers go by origin and part.
    """
    prefix = f"o-{store}"
    names = ["signals", "assessments", "alerts"]
    compacted = {"cleanup.policy": "compact", "min.compaction.lag.ms": "60000"}
    broker.create_topics({f"{prefix}.{name}": {} for name in names}, partitions=PARTITION_COUNT)
    changelogs = {f"{prefix}-{stage}-{stage}-changelog": compacted for stage in ("assess", "rules")}
    broker.create_topics(changelogs, partitions=PARTITION_COUNT)

    def worker(stage: str, number: int) -> WorkerProcess:
        options = WorkerOptions(
            stages=[stage],
            bootstrap=broker.bootstrap,
            prefix=prefix,
            data_directory=str(tmp_path / f"{stage}-{number}") if store == "rocksdict" else None,
            maximum_output_bytes=output_bytes,
            exact_end_offsets=isinstance(broker, KafkaCluster),
        )
        return WorkerProcess(WORKER, options, tmp_path / f"{stage}-{number}.log")

    fleet = Fleet(
        {
            "assess-1": worker("assess", 1),
            "assess-2": worker("assess", 2),
            "rules-1": worker("rules", 1),
        }
    )
    try:
        for name in ("assess-1", "assess-2", "rules-1"):
            fleet.workers[name].start()
        drive(broker.bootstrap, f"{prefix}.signals", fleet)
        settle(broker.bootstrap, prefix, fleet)
    finally:
        for process in fleet.workers.values():
            process.end()
    print({name: process.fatal_exit_count for name, process in fleet.workers.items()})
    assert differences(broker.bootstrap, prefix) == []
    assert (part_count(broker.bootstrap, f"{prefix}.assessments") > 1000) == (output_bytes == SMALL_OUTPUT_BYTES)


def settle(bootstrap: str, prefix: str, fleet: Fleet) -> None:
    """Let everything be worked off, stop cleanly."""
    from kafka import KafkaProducer

    marker = encode(SignalRecord(ticks=[datetime(2100, 1, 1, tzinfo=UTC)]))
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    for partition in range(PARTITION_COUNT):
        producer.send(f"{prefix}.signals", value=marker, partition=partition)
    producer.close()

    def through() -> bool:
        fleet.keep_up()
        alerts = read_topic(bootstrap, f"{prefix}.alerts", at_most_seconds=1.5)
        return all(any(b"4102444800" in value for _, _, value in partition) for partition in alerts)

    wait_until(through, timeout_seconds=60, what="the last tick on the alerts log")

    last: list[str] = []

    def equal() -> bool:
        fleet.keep_up()
        last[:] = differences(bootstrap, prefix)
        return not last

    wait_until(
        equal,
        timeout_seconds=30,
        what="logs and states to equal the replay",
        detail=lambda: "; ".join(last),
    )
    for name in ("assess-1", "assess-2", "rules-1"):
        fleet.leave(name)
