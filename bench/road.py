"""What each stage and the whole road cost, beside a plain Faust worker in the same run, on Apache Kafka.

Stages run one after the other over the same backlog, so each has the machine to itself; CPU is user and system time of
the process from readiness on. Latency is measured with all stages up. Figures are ratios first: the machine is shared.
"""

import threading
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Producer as LightProducer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from bench.events import price_events
from bench.processes import Measured, start_plain, start_worker, wait_for
from deploy.kafka.topic_admin import ensure_topics
from streams.contracts.codec import decode_event
from streams.contracts.events import Tick
from streams.contracts.records import SignalRecord, decode_linked, encode
from streams.contracts.topics import ALERTS, ASSESSMENTS, PRICE, SIGNALS, partition_of, topic_name
from streams.runtime.clock import utc_now

PARTITIONS = 4


class Bench:
    """One broker and the topics of one measurement."""

    def __init__(self, bootstrap: str, folder: Path, *, prefix: str) -> None:
        self.bootstrap, self.folder, self.prefix = bootstrap, folder, prefix
        ensure_topics(bootstrap, prefix=prefix)

    def topic(self, name: str) -> str:
        """Return the full name of a topic."""
        return topic_name(name, prefix=self.prefix)

    def produce(self, count: int, *, batch: int) -> None:
        """Write `count` price events, `batch` a record (1: one CloudEvent a record)."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all", linger_ms=5, batch_size=262144)
        open_batches: dict[int, list[bytes]] = {p: [] for p in range(PARTITIONS)}
        for key, _, value in price_events(count):
            partition = partition_of(key, partitions=PARTITIONS)
            if batch == 1:
                producer.send(self.topic(PRICE), key=key.encode(), value=value, partition=partition)
                continue
            open_batches[partition].append(value)
            if len(open_batches[partition]) >= batch:
                producer.send(self.topic(PRICE), value=_joined(open_batches[partition]), partition=partition)
                open_batches[partition] = []
        for partition, rest in open_batches.items():
            if rest:
                producer.send(self.topic(PRICE), value=_joined(rest), partition=partition)
        producer.flush()
        producer.close()

    def reader(self, name: str, *, from_end: bool = False) -> KafkaConsumer:
        """Return a consumer of all partitions of a topic, without a group."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap, group_id=None, enable_auto_commit=False, fetch_max_bytes=64 << 20,
            max_partition_fetch_bytes=8 << 20,
        )  # fmt: skip
        partitions = [TopicPartition(self.topic(name), p) for p in range(PARTITIONS)]
        consumer.assign(partitions)
        (consumer.seek_to_end if from_end else consumer.seek_to_beginning)(*partitions)
        return consumer

    def end_offsets(self, topic: str) -> int:
        """Return the sum of the end offsets of a topic by its full name."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=None)
        try:
            ends = consumer.end_offsets([TopicPartition(topic, p) for p in range(PARTITIONS)])
            return sum(ends.values())
        finally:
            consumer.close()


def _joined(values: list[bytes]) -> bytes:
    return b"[" + b",".join(values) + b"]"


class OutputTimes:
    """When the first and the last output of a stage were made, by the time stamps its producer gave them.

    The reader's own clock would not do: a backlog is under way, or over, before readiness is seen and reading begins.
    """

    def __init__(self) -> None:
        self._stamps_ms: list[int] = []

    def note(self, timestamp_ms: int) -> None:
        """Take note of one output record."""
        self._stamps_ms.append(timestamp_ms)

    @property
    def wall_seconds(self) -> float:
        """Time from the first output to the last, at least the millisecond that time stamps can tell."""
        return max(0.001, (max(self._stamps_ms) - min(self._stamps_ms)) / 1000) if self._stamps_ms else 0.001


def measure_stage(bench: Bench, *command: str, output: str, count: int) -> tuple[dict[str, Any], Measured]:
    """Run one stage over its backlog and return events/s and CPU microseconds an event."""
    reader = bench.reader(output)
    seen = 0
    times = OutputTimes()
    worker = start_worker(*command, bootstrap=bench.bootstrap, prefix=bench.prefix, folder=bench.folder)

    def done() -> bool:
        nonlocal seen
        for records in reader.poll(timeout_ms=50, max_records=2000).values():
            for record in records:
                seen += _events_in(output, record.value)
                times.note(record.timestamp)
        return seen >= count

    wait_for(done, seconds=300, what=f"{count} events through {command} ({seen} seen)")
    reader.close()
    # CPU from the start of the process: a backlog is under way before readiness is seen. Imports are measured apart.
    cpu_seconds = worker.cpu_seconds() + worker.cpu_at_ready_seconds
    wall_seconds = times.wall_seconds
    return {
        "stage": " ".join(command[:2]), "events": count, "wall_seconds": round(wall_seconds, 2),
        "events_per_second": round(count / wall_seconds),
        "process_cpu_seconds": round(cpu_seconds, 2),
    }, worker  # fmt: skip


def _events_in(output: str, value: bytes) -> int:
    if output == SIGNALS:
        return sum(len(s.events) for s in msgspec.json.decode(value, type=SignalRecord).segments)
    return len(decode_linked(value).x)


def measure_rounds(bootstrap: str, folder: Path, *, plain_count: int, count: int, rounds: int) -> dict[str, Any]:
    """Measure plain Faust and the road in batches of 500 in turn; of the rounds the one in the middle is shown whole.

    One round may be off by a tenth to either side: the machine is shared, and a start is subtracted.
    """
    made = []
    for number in range(rounds):
        plain = measure_plain(bootstrap, folder, count=plain_count, name=f"bplain{number}")
        road = measure_batches(bootstrap, folder, count=count, batch=500, name=f"b500r{number}")
        made.append((round(road["road_cpu_us_per_event"] / plain["cpu_us_per_event"], 3), plain, road))
    made.sort(key=lambda each: each[0])
    _, plain, road = made[rounds // 2]
    return {"plain": plain, "batch_500": {**road, "shares": [share for share, _, _ in made]}}


def measure_batches(
    bootstrap: str, folder: Path, *, count: int, batch: int, name: str | None = None
) -> dict[str, Any]:  # fmt: skip
    """Measure intake, scoring and alerts one after the other over one backlog; `name` sets runs in one broker apart."""
    bench = Bench(bootstrap, folder, prefix=name or f"b{batch}")
    bench.produce(count, batch=batch)
    stages, workers = [], []
    idle = measure_start_cpu(bench)
    try:
        for kind, output in (("intake", SIGNALS), ("scoring", ASSESSMENTS)):
            # As a stack runs it: intake states time with what it admits.
            more = ("--tick-seconds", "1") if kind == "intake" else ()
            figures, worker = measure_stage(bench, "work", kind, *more, output=output, count=count)
            worker.stop()
            stages.append(figures)
        send_ticks(bench)  # the last tick through assess shows when rules have seen everything
        _, scoring = measure_tick(bench, "work", "scoring", output=ASSESSMENTS)
        scoring.stop()
        figures, alerts = measure_tick(bench, "work", "alerts", output=ALERTS)
        figures["events"], figures["events_per_second"] = count, round(count / figures["wall_seconds"])
        figures["wall_seconds"] = round(figures["wall_seconds"], 2)
        stages.append(figures)
        workers.append(alerts)
    finally:
        for worker in workers:
            worker.stop()
    for figures in stages:
        started = idle[str(figures["stage"])]
        figures["cpu_us_per_event"] = round(max(0.0, figures["process_cpu_seconds"] - started) / count * 1e6, 2)
        figures["start_cpu_seconds"] = round(started, 2)
    total = round(sum(f["cpu_us_per_event"] for f in stages), 2)
    return {"batch": batch, "events": count, "stages": stages, "road_cpu_us_per_event": total}


def measure_start_cpu(bench: Bench) -> dict[str, float]:
    """Return the CPU seconds that each kind of worker needs to become ready with nothing to do."""
    empty = Bench(bench.bootstrap, bench.folder, prefix=f"{bench.prefix}-empty")
    used = {}
    for kind in ("intake", "scoring", "alerts"):
        worker = start_worker("work", kind, bootstrap=empty.bootstrap, prefix=empty.prefix, folder=empty.folder)
        used[f"work {kind}"] = worker.cpu_at_ready_seconds
        worker.stop()
    return used


def send_ticks(bench: Bench) -> None:
    """Write one tick to every partition of signals."""
    producer = KafkaProducer(bootstrap_servers=bench.bootstrap, acks="all")
    at = decode_event(next(price_events(1, start=10_000_000))[2]).recorded_at
    for partition in range(PARTITIONS):
        producer.send(bench.topic(SIGNALS), key=b"ticks", value=encode(SignalRecord(ticks=[at])), partition=partition)
    producer.flush()
    producer.close()


def measure_tick(bench: Bench, *command: str, output: str) -> tuple[dict[str, Any], Measured]:
    """Run a stage until the tick has passed it in every partition."""
    reader = bench.reader(output)
    waiting = set(range(PARTITIONS))
    worker = start_worker(*command, bootstrap=bench.bootstrap, prefix=bench.prefix, folder=bench.folder)
    times = OutputTimes()

    def done() -> bool:
        for tp, records in reader.poll(timeout_ms=50).items():
            for record in records:
                times.note(record.timestamp)
                if any(isinstance(decode_event(item).data, Tick) for item in decode_linked(record.value).x[-1:]):
                    waiting.discard(tp.partition)
        return not waiting

    wait_for(done, seconds=300, what=f"the tick through {command}")
    reader.close()
    cpu = worker.cpu_seconds() + worker.cpu_at_ready_seconds
    name = " ".join(command)
    return {"stage": name, "wall_seconds": times.wall_seconds, "process_cpu_seconds": round(cpu, 2)}, worker


def measure_plain(bootstrap: str, folder: Path, *, count: int, name: str) -> dict[str, Any]:
    """Measure the plain Faust worker over the same events, one a record, as its documentation does."""
    bench = Bench(bootstrap, folder, prefix=name)
    bench.produce(count, batch=1)
    # Faust does not create plain topics, and a send to one that is not there waits for ever.
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.create_topics({f"{bench.prefix}.plain-alerts": {"num_partitions": PARTITIONS, "replication_factor": 1}})
    worker = start_plain(bootstrap=bootstrap, prefix=bench.prefix, folder=folder)
    changelog = f"{bench.prefix}-plain-series-changelog"
    started, first_seen, done_at = time.monotonic(), 0.0, 0.0
    cpu_first, before = 0.0, 0  # what was done before the first look is in neither the time nor the count

    def done() -> bool:
        nonlocal first_seen, cpu_first, before, done_at
        try:
            written = bench.end_offsets(changelog)
        except Exception:
            return False  # the topic is not there yet
        if written and not first_seen:
            first_seen, cpu_first, before = time.monotonic(), worker.cpu_seconds(), written
        done_at = time.monotonic()
        return written >= count

    try:
        wait_for(done, seconds=600, what=f"{count} events through plain Faust")
        cpu = worker.cpu_seconds() - cpu_first
    finally:
        worker.stop()
    wall = done_at - (first_seen or started)
    return {
        "stage": "plain Faust (one agent, one rule)", "events": count, "wall_seconds": round(wall, 2),
        "events_per_second": round((count - before) / wall), "counted_events": count - before,
        "cpu_us_per_event": round(cpu / (count - before) * 1e6, 1),
    }  # fmt: skip


WARM_UP_SECONDS = 15
"""Events of the first seconds are counted apart: a broker just started compiles while it serves (seen: 570 ms)."""


def measure_latency(bootstrap: str, folder: Path, *, rate: int, seconds: int) -> dict[str, Any]:
    """Measure event to alert through the whole road at a steady rate of single events, `seconds` after the warm-up."""
    bench = Bench(bootstrap, folder, prefix="blat")
    kinds = ("intake", "scoring", "alerts")
    ticks = ("--tick-seconds", "1")  # as a stack runs it
    workers = [start_worker("work", k, *ticks, bootstrap=bootstrap, prefix=bench.prefix, folder=folder) for k in kinds]
    sent: dict[str, float] = {}
    seen: list[tuple[float, float]] = []
    stop = threading.Event()
    listener = threading.Thread(target=_listen, args=(bench.reader(ALERTS, from_end=True), sent, seen, stop))
    listener.start()
    try:
        _produce_at(bench, rate=rate, count=rate * (WARM_UP_SECONDS + seconds), sent=sent)
        wait_for(lambda: len(seen) > 0, seconds=30, what="a first alert")
        time.sleep(2)
        cores = {
            k: round(w.cpu_seconds() / (WARM_UP_SECONDS + seconds), 2) for k, w in zip(kinds, workers, strict=True)
        }
    finally:
        stop.set()
        listener.join()
        for worker in workers:
            worker.stop()
    warm_at = min(sent.values()) + WARM_UP_SECONDS
    steady = [took for at, took in seen if at >= warm_at]
    early = [took for at, took in seen if at < warm_at]
    return {"rate": rate, "seconds": seconds, "cores_used": cores, "alerts": len(steady), **_percentiles(steady),
            "warm_up": {"seconds": WARM_UP_SECONDS, **_percentiles(early)}}  # fmt: skip


def _listen(
    reader: KafkaConsumer, sent: dict[str, float], seen: list[tuple[float, float]], stop: threading.Event
) -> None:
    """Note of each alert when its event was sent and how long it took."""
    for partition in reader.assignment():
        reader.position(partition)
    while not stop.is_set():
        for records in reader.poll(timeout_ms=20).values():
            now = time.monotonic()
            for record in records:
                for item in decode_linked(record.value).x:
                    causes = getattr(decode_event(item).data, "causes", ())[-1:]
                    seen.extend((sent[cause], now - sent[cause]) for cause in causes if cause in sent)
    reader.close()


def _percentiles(took_seconds: list[float]) -> dict[str, float | None]:
    """Return p50, p90, p99 and the largest in milliseconds; `None` where there was none."""
    ordered = sorted(took_seconds)
    shares = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "max_ms": 1.0}
    return {
        name: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1) if ordered else None
        for name, share in shares.items()
    }


def _produce_at(bench: Bench, *, rate: int, count: int, sent: dict[str, float]) -> None:
    """Send single events at a steady rate with a client that takes little of the machine: what is measured is behind.

    A producer in Python takes half a core for 1,000 a second, which on two cores is most of what is left over.
    """
    producer = LightProducer({"bootstrap.servers": bench.bootstrap, "acks": "all", "linger.ms": 0})
    step = timedelta(seconds=1 / rate)
    events = [
        (event_id, key, value, partition_of(key, partitions=PARTITIONS))
        for key, event_id, value in price_events(count, begins_at=utc_now(), step=step)
    ]
    begin = time.monotonic()
    for number, (event_id, key, value, partition) in enumerate(events):
        ahead = begin + number / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        sent[event_id] = time.monotonic()
        producer.produce(bench.topic(PRICE), key=key, value=value, partition=partition)
        producer.poll(0)
    if left := producer.flush(30):
        raise TimeoutError(f"the broker did not take {left} events")
