"""The whole road as real processes for tests: start, kill, join, leave, replay, and the alert log it left behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition

from streams.contracts.alert import AlertChanged
from streams.contracts.codec import decode_event
from streams.contracts.events import Event, Tick
from streams.contracts.records import OutputPosition, decode_linked
from streams.contracts.topics import ALERTS, topic_name
from tests.support.ports import free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Worker:
    """One process of the road; its log is printed when it did not become ready."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def ready(self) -> bool:
        """Ask /readyz; fails at once when the process has ended."""
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.tail()}"
        return _answers(f"http://127.0.0.1:{self.port}/readyz")

    def tail(self) -> str:
        """Return the end of the log."""
        return self.log.read_text(errors="replace")[-4000:]

    def end(self, signal_number: int = signal.SIGTERM, *, seconds: float = 40) -> int:
        """Send a signal and wait for the end."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.process.wait(seconds)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass
class Road:
    """Processes of one road with its own topic prefix on a shared broker."""

    bootstrap: str
    prefix: str
    broker_kind: str = "kafka"
    redis: str | None = None
    tick_seconds: float | None = None
    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="monazite-road-")))
    workers: list[Worker] = field(default_factory=list)
    started: int = 0

    def start(self, *command: str, name: str | None = None) -> Worker:
        """Start `monazite <command>`; does not wait."""
        self.started += 1
        name = name or f"{'-'.join(command)}-{self.started}"
        port = free_port()
        log = self.directory / f"{name}.log"
        argv = [
            sys.executable, "-m", "deploy.cli", *command, "--bootstrap", self.bootstrap, "--prefix", self.prefix,
            "--broker-kind", self.broker_kind, "--metrics-port", str(port),
            "--data-dir", str(self.directory / name), *(["--redis", self.redis] if self.redis else []),
        ]  # fmt: skip
        if command == ("work", "intake") and self.tick_seconds:
            argv += ["--tick-seconds", str(self.tick_seconds)]
        with log.open("ab") as out:
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            process = subprocess.Popen(argv, cwd=ROOT, stdout=out, stderr=out, env=environment)
        worker = Worker(name, process, port, log)
        self.workers.append(worker)
        return worker

    def start_all(self, *, scoring: int = 1) -> None:
        """Start intake, scoring and alerts workers and wait until each is ready."""
        self.start("work", "intake")
        for _ in range(scoring):
            self.start("work", "scoring")
        self.start("work", "alerts")
        for worker in self.workers:
            self.wait_ready(worker)

    def wait_ready(self, worker: Worker, *, seconds: float = 60) -> None:
        """Wait until a worker says it is ready; its log is part of the failure."""
        wait_until(worker.ready, timeout_seconds=seconds, what=f"{worker.name} to be ready")

    def find(self, kind: str) -> Worker:
        """Return the oldest living worker of a kind (`intake`, `scoring`, `alerts`)."""
        return next(w for w in self.workers if kind in w.name and w.process.poll() is None)

    def kill(self, kind: str) -> Worker:
        """Kill -9 a worker and start another in its place; does not wait until that one is ready."""
        worker = self.find(kind)
        worker.end(signal.SIGKILL)
        return self.start("work", kind)

    def stop(self) -> None:
        """End everything this road started."""
        for worker in reversed(self.workers):
            if worker.process.poll() is None:
                worker.process.terminate()
        for worker in self.workers:
            try:
                worker.process.wait(30)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait(10)

    def __enter__(self) -> "Road":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.stop()
        if kind is None:  # the logs of a failure are kept
            shutil.rmtree(self.directory, ignore_errors=True)


def read_alerts(
    bootstrap: str, prefix: str, *, until: datetime, partitions: int = 4, seconds: float = 60
) -> list[Event]:
    """Read the alerts log up to the forwarded tick `until` in every partition, dropping repeats by position."""
    topic = topic_name(ALERTS, prefix=prefix)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
    tps = [TopicPartition(topic, p) for p in range(partitions)]
    consumer.assign(tps)
    consumer.seek_to_beginning(*tps)
    events: list[Event] = []
    last: dict[int, OutputPosition] = {}
    open_partitions = set(range(partitions))
    try:

        def drained() -> bool:
            for tp, records in consumer.poll(timeout_ms=200).items():
                for record in records:
                    for event in _new_events(record.value, tp.partition, last):
                        if isinstance(event.data, Tick):
                            if event.occurred_at >= until:
                                open_partitions.discard(tp.partition)
                        else:
                            events.append(event)
            return not open_partitions

        wait_until(drained, timeout_seconds=seconds, what=f"tick {until} in all partitions of {topic}")
    finally:
        consumer.close()
    return events


def _new_events(value: bytes, partition: int, last: dict[int, OutputPosition]) -> Iterator[Event]:
    record = decode_linked(value)
    seen = last.get(partition)
    if seen is not None and record.place <= seen:
        return
    previous = None if record.prev is None else (record.prev, record.prev_n)
    assert previous == seen, f"hole in the alerts log of partition {partition}: {previous} after {seen}"
    last[partition] = record.place
    for item in record.x:
        yield decode_event(item)


def canonical(alerts: list[AlertChanged]) -> list[str]:
    """Write alert changes one a line (ids, instants, states, severities, texts, values), in one order for all runs."""
    rows: list[tuple[str, str, str]] = []
    for alert in alerts:
        row: dict[str, Any] = msgspec.to_builtins(alert)
        rows.append((row["at"], row["alert"], msgspec.json.encode(row, order="sorted").decode()))
    return [text for _, _, text in sorted(rows)]


def alert_changes(events: list[Event]) -> list[AlertChanged]:
    """Pick the alert changes out of a log."""
    return [e.data for e in events if isinstance(e.data, AlertChanged)]
