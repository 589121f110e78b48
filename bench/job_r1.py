"""Job R1: per material and series an EWMA of squared log returns, an alert at each upward crossing, durable state.

`python -m bench.job_r1 --bootstrap HOST:PORT [--events 200000] [--batch 200]` writes the source once, runs one worker
on one core over it until the last event is in a checkpoint, compares the alerts with the truth and prints one line of
JSON: events a second, CPU microseconds an event, alerts and whether they are right. With `--worker` it is that worker.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from streams.contracts.records import Segment, SignalRecord, encode
from streams.runtime.checkpoint import CheckpointPolicy
from streams.runtime.clock import utc_now
from streams.runtime.faust_app import SafeApp, build_worker
from streams.runtime.runtime_settings import RuntimeSettings
from streams.runtime.stage import SourceKind, StageSpec
from streams.runtime.stage_ports import Admitted, Outcome, StateStore
from streams.runtime.worker_process import run_worker

PARTITION_COUNT = 4
SERIES_COUNT = 64
DECAY = 0.94  # RiskMetrics 1996, daily data
THRESHOLD = 0.0016
REPOSITORY = Path(__file__).parents[1]


class Quote(msgspec.Struct, frozen=True, array_like=True):
    """One price: material, series, price in USD per kilogram, running number."""

    material: str
    series: str
    price: float
    number: int


class Volatility(msgspec.Struct, frozen=True, array_like=True):
    """State of one series: last price, EWMA of squared log returns, whether the alert is on."""

    price: float
    variance: float
    firing: bool


def next_volatility(prior: Volatility | None, price: float) -> Volatility:
    """Return the state after one price; the first price of a series has no return."""
    if prior is None:
        return Volatility(price, 0.0, firing=False)
    change = math.log(price / prior.price)
    variance = DECAY * prior.variance + (1.0 - DECAY) * change * change
    return Volatility(price, variance, variance > THRESHOLD)


_decode_quote = msgspec.json.Decoder(Quote).decode
_encode = msgspec.json.Encoder().encode


class VolatilityCore:
    """The job as a core of the runtime."""

    def __init__(self, partition: int, state: StateStore) -> None:
        self._get = state.get
        self._put = state.put

    def process(self, admitted: Admitted) -> Outcome:
        outputs = []
        for segment in admitted.segments:
            for raw in segment.events:
                quote = _decode_quote(raw)
                key = f"{quote.material}/{quote.series}".encode()
                prior = self._get(key)
                after = next_volatility(prior, quote.price)
                self._put(key, after)
                if after.firing and not (prior is not None and prior.firing):
                    outputs.append(_encode({"series": key.decode(), "number": quote.number}))
        return Outcome(outputs=outputs)


def quotes(event_count: int) -> Iterator[tuple[int, Quote]]:
    """Yield (partition, quote) with rare bursts, the same each time."""
    source = random.Random(42)
    prices = [100.0] * SERIES_COUNT
    turbulent = [0] * SERIES_COUNT
    for number in range(event_count):
        series = source.randrange(SERIES_COUNT)
        if source.random() < 0.002:
            turbulent[series] = 12
        sigma = 0.15 if turbulent[series] > 0 else 0.01
        turbulent[series] -= 1
        prices[series] *= math.exp(sigma * source.gauss(0.0, 1.0))
        quote = Quote(f"material-{series // 4}", f"series-{series % 4}", round(prices[series], 6), number)
        yield series % PARTITION_COUNT, quote


def truth(event_count: int) -> set[tuple[str, int]]:
    """Return the alerts (series, number of the event) that the quotes must give."""
    states: dict[str, Volatility] = {}
    alerts = set()
    for _, quote in quotes(event_count):
        key = f"{quote.material}/{quote.series}"
        prior = states.get(key)
        states[key] = after = next_volatility(prior, quote.price)
        if after.firing and not (prior is not None and prior.firing):
            alerts.add((key, quote.number))
    return alerts


def source_records(event_count: int, batch_count: int) -> Iterator[tuple[int, bytes]]:
    """Yield (partition, `signals` record) of up to `batch_count` quotes each."""
    waiting: list[list[Quote]] = [[] for _ in range(PARTITION_COUNT)]
    written = 0
    for partition, quote in quotes(event_count):
        waiting[partition].append(quote)
        if len(waiting[partition]) == batch_count:
            yield partition, _record(partition, waiting[partition], written)
            waiting[partition] = []
            written += 1
    for partition, rest in enumerate(waiting):
        if rest:
            yield partition, _record(partition, rest, written + partition)


def _record(partition: int, batch: list[Quote], offset: int) -> bytes:
    events = [msgspec.Raw(_encode(quote)) for quote in batch]
    segment = Segment(
        topic="quotes", partition=partition, offset=offset, indexes=list(range(len(batch))), events=events
    )
    return encode(SignalRecord(segments=[segment]))


class DoneReport:
    """Prints a line when the partitions hold checkpoints up to the positions asked for."""

    def __init__(self, last_offsets: Mapping[int, int]) -> None:
        self._missing = dict(last_offsets)
        self._started: tuple[float, float] | None = None

    def on_ready(self, stage: str, partition: int, state: StateStore) -> None:
        if self._started is None:
            self._started = (time.perf_counter(), time.process_time())

    def on_checkpoint(self, stage: str, partition: int, progress: int, changed: Mapping[bytes, Any]) -> None:
        if progress >= self._missing.get(partition, 1 << 62):
            self._missing.pop(partition, None)
            if not self._missing and self._started is not None:
                wall, cpu = self._started
                report = {"wall_seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
                os.write(1, (json.dumps(report) + "\n").encode())

    def on_dropped(self, stage: str, partition: int) -> None:
        pass


def build_job(bootstrap: str, prefix: str, report: DoneReport, *, checkpoint_records: int = 200) -> SafeApp:
    """Return the worker app of the job."""
    spec = StageSpec(
        name="volatility",
        source_topic=f"{prefix}.signals",
        source_kind=SourceKind.SIGNALS,
        output_topic=f"{prefix}.alerts",
        make_core=VolatilityCore,
        encode_value=msgspec.msgpack.Encoder().encode,
        decode_value=msgspec.msgpack.Decoder(Volatility).decode,
    )
    settings = RuntimeSettings(
        app_id=f"{prefix}-job",
        bootstrap=bootstrap,
        checkpoint=CheckpointPolicy(maximum_record_count=checkpoint_records, maximum_change_count=50_000),
    )
    return build_worker(settings, [spec], [report])


def write_source(bootstrap: str, prefix: str, *, event_count: int, batch_count: int) -> dict[int, int]:
    """Create the topics, write the source, return the last offset of each partition."""
    from kafka import KafkaProducer
    from kafka.admin import KafkaAdminClient, NewTopic

    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    names = (f"{prefix}.signals", f"{prefix}.alerts", f"{prefix}-job-volatility-changelog")
    admin.create_topics([NewTopic(name, num_partitions=PARTITION_COUNT, replication_factor=1) for name in names])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)
    futures = {}
    for partition, value in source_records(event_count, batch_count):
        futures[partition] = producer.send(f"{prefix}.signals", value=value, partition=partition)
    producer.flush()
    last_offsets = {partition: future.get().offset for partition, future in futures.items()}
    producer.close()
    return last_offsets


def read_alerts(bootstrap: str, prefix: str) -> list[tuple[str, int]]:
    """Return the alerts of the log with repeats dropped as a reader would drop them."""
    from kafka import KafkaConsumer, TopicPartition

    from streams.contracts.records import decode_linked

    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    consumer.assign([TopicPartition(f"{prefix}.alerts", p) for p in range(PARTITION_COUNT)])
    consumer.seek_to_beginning()
    found: list[tuple[str, int]] = []
    last: dict[int, int] = {}
    while polled := consumer.poll(timeout_ms=1000, max_records=10_000):
        for tp, records in polled.items():
            for record in records:
                linked = decode_linked(record.value)
                if linked.o > last.get(tp.partition, -1):
                    last[tp.partition] = linked.o
                    found.extend((one["series"], one["number"]) for one in map(msgspec.json.decode, linked.x))
    consumer.close()
    return found


def main() -> None:
    """Run the benchmark, or the worker of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        asked = json.loads(arguments.worker)
        last_offsets = {int(partition): offset for partition, offset in asked["last_offsets"].items()}
        run_worker(build_job(arguments.bootstrap, asked["prefix"], DoneReport(last_offsets)))
        return
    prefix = f"r1-{utc_now():%H%M%S%f}"
    last_offsets = write_source(arguments.bootstrap, prefix, event_count=arguments.events, batch_count=arguments.batch)
    report = json.loads(_run_once(arguments.bootstrap, prefix, last_offsets))
    alerts = read_alerts(arguments.bootstrap, prefix)
    wanted = truth(arguments.events)
    result = {
        "job": "R1",
        "events": arguments.events,
        "events_per_record": arguments.batch,
        "events_per_second": round(arguments.events / report["wall_seconds"]),
        "cpu_microseconds_per_event": round(report["cpu_seconds"] * 1e6 / arguments.events, 2),
        "alerts": len(alerts),
        "alerts_right": len(alerts) == len(wanted) and set(alerts) == wanted,
    }
    print(json.dumps(result))
    if not result["alerts_right"]:
        sys.exit(1)


def _run_once(bootstrap: str, prefix: str, last_offsets: Mapping[int, int]) -> str:
    asked = json.dumps({"prefix": prefix, "last_offsets": last_offsets})
    command = [sys.executable, "-m", "bench.job_r1", "--bootstrap", bootstrap, "--worker", asked]
    if sys.platform == "linux":
        command = ["taskset", "-c", "0", *command]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as worker:
        assert worker.stdout is not None
        for line in worker.stdout:
            if line.startswith(b'{"wall_seconds"'):
                worker.terminate()
                worker.wait(timeout=30)
                return line.decode()
    raise SystemExit(f"the worker ended early with code {worker.returncode}")


if __name__ == "__main__":
    main()
